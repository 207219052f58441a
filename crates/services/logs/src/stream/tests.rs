use crate::testing::plane;
use expect_test::{Expect, expect};
use kernel::testing::Plane;
use serde_json::{Value, json};

fn check(plane: &mut Plane, operation: &str, body: Value, expected: Expect) {
    expected.assert_eq(&plane.call(operation, body));
}

fn named(stream: &str) -> Value {
    json!({"logGroupName": "g", "logStreamName": stream})
}

#[test]
fn a_stream_is_made_described_and_deleted_once() {
    let mut plane = plane();
    check(
        &mut plane,
        "CreateLogStream",
        named("web/1"),
        expect!["ResourceNotFoundException: The specified log group does not exist."],
    );
    plane.ok("CreateLogGroup", json!({"logGroupName": "g"}));
    check(&mut plane, "CreateLogStream", named("web/1"), expect!["{}"]);
    check(
        &mut plane,
        "CreateLogStream",
        named("web/1"),
        expect!["ResourceAlreadyExistsException: The specified log stream already exists"],
    );
    check(
        &mut plane,
        "DescribeLogStreams",
        json!({"logGroupName": "g"}),
        expect![[
            r#"{"logStreams":[{"logStreamName":"web/1","creationTime":1700000000000,"uploadSequenceToken":"49039859574011264211132441170122110042224352172235241234","arn":"arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:web/1","storedBytes":0}]}"#
        ]],
    );
    check(&mut plane, "DeleteLogStream", named("web/1"), expect!["{}"]);
    check(
        &mut plane,
        "DeleteLogStream",
        named("web/1"),
        expect!["ResourceNotFoundException: The specified log stream does not exist."],
    );
    check(
        &mut plane,
        "DescribeLogStreams",
        json!({}),
        expect!["InvalidParameterException: Must specify either LogGroupName or LogGroupIdentifier."],
    );
    check(
        &mut plane,
        "CreateLogStream",
        named("a:b"),
        expect![
            "InvalidParameterException: 1 validation error detected: Value 'a:b' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*"
        ],
    );
}

#[test]
fn streams_are_listed_by_prefix_in_either_order_and_go_with_their_group() {
    let mut plane = plane();
    for group in ["g", "ga"] {
        plane.ok("CreateLogGroup", json!({"logGroupName": group}));
        for stream in ["a", "b", "bc"] {
            plane.ok("CreateLogStream", json!({"logGroupName": group, "logStreamName": stream}));
        }
    }
    let names = |plane: &mut Plane, body: Value| {
        let streams = plane.ok("DescribeLogStreams", body)["logStreams"].clone();
        let streams = streams.as_array().unwrap().iter().map(|stream| stream["logStreamName"].as_str().unwrap().to_owned());
        streams.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&mut plane, json!({"logGroupName": "g"})), "a b bc");
    assert_eq!(names(&mut plane, json!({"logGroupName": "g", "logStreamNamePrefix": "b", "descending": true})), "bc b");
    let both = json!({"logGroupName": "g", "logStreamNamePrefix": "b", "orderBy": "LastEventTime"});
    check(
        &mut plane,
        "DescribeLogStreams",
        both,
        expect!["InvalidParameterException: Cannot order by LastEventTime with a logStreamNamePrefix."],
    );
    plane.ok("DeleteLogGroup", json!({"logGroupName": "g"}));
    plane.ok("CreateLogGroup", json!({"logGroupName": "g"}));
    assert_eq!(names(&mut plane, json!({"logGroupName": "g"})), "");
    assert_eq!(names(&mut plane, json!({"logGroupName": "ga"})), "a b bc");
}
