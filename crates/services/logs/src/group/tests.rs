use crate::testing::plane;
use expect_test::{Expect, expect};
use kernel::testing::Plane;
use serde_json::{Value, json};

fn check(plane: &mut Plane, operation: &str, body: Value, expected: Expect) {
    expected.assert_eq(&plane.call(operation, body));
}

#[test]
fn a_group_is_made_described_and_deleted_once() {
    let mut plane = plane();
    let named = json!({"logGroupName": "/ecs/web"});
    check(&mut plane, "CreateLogGroup", named.clone(), expect!["{}"]);
    check(
        &mut plane,
        "CreateLogGroup",
        named.clone(),
        expect!["ResourceAlreadyExistsException: The specified log group already exists"],
    );
    check(
        &mut plane,
        "DescribeLogGroups",
        json!({}),
        expect![[
            r#"{"logGroups":[{"logGroupName":"/ecs/web","creationTime":1700000000000,"metricFilterCount":0,"arn":"arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*","storedBytes":0,"logGroupClass":"STANDARD","logGroupArn":"arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web","deletionProtectionEnabled":false}]}"#
        ]],
    );
    check(&mut plane, "DeleteLogGroup", named.clone(), expect!["{}"]);
    check(&mut plane, "DeleteLogGroup", named, expect!["ResourceNotFoundException: The specified log group does not exist."]);
    check(
        &mut plane,
        "CreateLogGroup",
        json!({"logGroupName": "aws/x"}),
        expect!["InvalidParameterException: Log groups starting with AWS/ are reserved for AWS."],
    );
    check(
        &mut plane,
        "CreateLogGroup",
        json!({"logGroupName": "a b"}),
        expect![[
            r#"InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"#
        ]],
    );
}

#[test]
fn a_protected_group_is_not_deleted() {
    let mut plane = plane();
    plane.ok("CreateLogGroup", json!({"logGroupName": "g", "deletionProtectionEnabled": true}));
    check(
        &mut plane,
        "DeleteLogGroup",
        json!({"logGroupName": "g"}),
        expect![
            "ValidationException: The specified log group has deletion protection enabled. Disable it before deleting the log group."
        ],
    );
}

#[test]
fn retention_is_one_of_the_periods() {
    let mut plane = plane();
    plane.ok("CreateLogGroup", json!({"logGroupName": "g"}));
    let days = |days: i32| json!({"logGroupName": "g", "retentionInDays": days});
    let shown = |plane: &mut Plane| plane.ok("DescribeLogGroups", json!({}))["logGroups"][0]["retentionInDays"].clone();
    plane.ok("PutRetentionPolicy", days(7));
    assert_eq!(shown(&mut plane), json!(7));
    check(
        &mut plane,
        "PutRetentionPolicy",
        days(2),
        expect![
            "InvalidParameterException: 1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]"
        ],
    );
    plane.ok("DeleteRetentionPolicy", json!({"logGroupName": "g"}));
    assert_eq!(shown(&mut plane), Value::Null);
    check(
        &mut plane,
        "DeleteRetentionPolicy",
        json!({"logGroupName": "h"}),
        expect!["ResourceNotFoundException: The specified log group does not exist."],
    );
}

#[test]
fn groups_are_found_by_prefix_or_part_of_the_name_and_paged() {
    let mut plane = plane();
    for name in ["/ecs/a", "/ecs/b", "/Web/a", "other"] {
        plane.ok("CreateLogGroup", json!({"logGroupName": name}));
    }
    let mut names = |body: Value| {
        let (mut names, mut token) = (Vec::new(), Value::Null);
        loop {
            let mut body = body.clone();
            if token.is_string() {
                body["nextToken"] = token;
            }
            let page = plane.ok("DescribeLogGroups", body);
            let groups = page["logGroups"].as_array().unwrap();
            names.extend(groups.iter().map(|group| group["logGroupName"].as_str().unwrap().to_owned()));
            token = page["nextToken"].clone();
            if token.is_null() {
                return names.join(" ");
            }
        }
    };
    assert_eq!(names(json!({"limit": 1})), "/Web/a /ecs/a /ecs/b other");
    assert_eq!(names(json!({"logGroupNamePrefix": "/ecs", "limit": 1})), "/ecs/a /ecs/b");
    assert_eq!(names(json!({"logGroupNamePattern": "web"})), "/Web/a");
    let both = json!({"logGroupNamePrefix": "a", "logGroupNamePattern": "b"});
    check(
        &mut plane,
        "DescribeLogGroups",
        both,
        expect!["InvalidParameterException: LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."],
    );
    check(
        &mut plane,
        "DescribeLogGroups",
        json!({"nextToken": "bm9uZQ"}),
        expect!["InvalidParameterException: The specified nextToken is invalid."],
    );
}

#[test]
fn a_group_is_tagged_by_its_arn_and_by_its_name() {
    let mut plane = plane();
    plane.ok("CreateLogGroup", json!({"logGroupName": "g", "tags": {"a": "1"}}));
    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:g";
    plane.ok("TagResource", json!({"resourceArn": arn, "tags": {"b": "2"}}));
    plane.ok("TagLogGroup", json!({"logGroupName": "g", "tags": {"c": "3"}}));
    plane.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a", "none"]}));
    plane.ok("UntagLogGroup", json!({"logGroupName": "g", "tags": ["c"]}));
    check(&mut plane, "ListTagsLogGroup", json!({"logGroupName": "g"}), expect![[r#"{"tags":{"b":"2"}}"#]]);
    check(
        &mut plane,
        "ListTagsForResource",
        json!({"resourceArn": format!("{arn}:*")}),
        expect![[
            r#"InvalidParameterException: 1 validation error detected: Value 'arn:aws:logs:us-east-1:123456789012:log-group:g:*' at 'resourceArn' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=/:,.@-]*"#
        ]],
    );
    check(
        &mut plane,
        "ListTagsForResource",
        json!({"resourceArn": arn.replace("us-", "eu-")}),
        expect!["ResourceNotFoundException: The specified log group does not exist."],
    );
    check(
        &mut plane,
        "TagResource",
        json!({"resourceArn": arn, "tags": {"aws:x": ""}}),
        expect!["InvalidParameterException: The aws: prefix is reserved for AWS use and cannot begin a tag key."],
    );
    let many: serde_json::Map<String, Value> = (0..50).map(|n| (format!("k{n}"), json!(""))).collect();
    check(
        &mut plane,
        "TagResource",
        json!({"resourceArn": arn, "tags": many}),
        expect!["TooManyTagsException: The resource already has the maximum of 50 tags."],
    );
}
