use crate::testing;
use expect_test::{Expect, expect};
use kernel::testing::Plane;
use serde_json::{Value, json};

const NOW: i64 = 1_700_000_000_000;
const HOUR: i64 = 60 * 60 * 1000;

/// A group `g` with the streams `a` and `b`.
fn plane() -> Plane {
    let mut plane = testing::plane();
    plane.ok("CreateLogGroup", json!({"logGroupName": "g"}));
    for stream in ["a", "b"] {
        plane.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": stream}));
    }
    plane
}

fn put(stream: &str, events: &[(i64, &str)]) -> Value {
    let events: Vec<Value> = events.iter().map(|(time, message)| json!({"timestamp": NOW + time, "message": message})).collect();
    json!({"logGroupName": "g", "logStreamName": stream, "logEvents": events})
}

fn messages(answer: &Value) -> String {
    let events = answer["events"].as_array().expect("there is a list of events");
    events.iter().map(|event| event["message"].as_str().expect("an event has a message")).collect::<Vec<_>>().join(" ")
}

fn get(plane: &mut Plane, members: Value) -> Value {
    let mut body = json!({"logGroupName": "g", "logStreamName": "a"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    plane.ok("GetLogEvents", body)
}

fn filter(plane: &mut Plane, members: Value) -> Value {
    let mut body = json!({"logGroupName": "g"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    plane.ok("FilterLogEvents", body)
}

fn check(plane: &mut Plane, operation: &str, body: Value, expected: Expect) {
    expected.assert_eq(&plane.call(operation, body));
}

#[test]
fn batches_have_rules_and_bad_events_are_left_out_by_name() {
    let mut plane = plane();
    check(
        &mut plane,
        "PutLogEvents",
        put("none", &[(0, "x")]),
        expect!["ResourceNotFoundException: The specified log stream does not exist."],
    );
    check(
        &mut plane,
        "PutLogEvents",
        put("a", &[(1, "x"), (0, "y")]),
        expect!["InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order."],
    );
    check(
        &mut plane,
        "PutLogEvents",
        put("a", &[(0, "x"), (24 * HOUR + 1, "y")]),
        expect![
            "InvalidParameterException: The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        ],
    );
    let long = "x".repeat(600_000);
    check(
        &mut plane,
        "PutLogEvents",
        put("a", &[(0, &long), (0, &long)]),
        expect!["InvalidParameterException: Upload too large: 1200052 bytes exceeds limit of 1048576"],
    );
    check(
        &mut plane,
        "PutLogEvents",
        put("a", &[]),
        expect![
            "InvalidParameterException: 1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1"
        ],
    );
    check(
        &mut plane,
        "PutLogEvents",
        put("a", &[(0, "now"), (2 * HOUR, "soon"), (2 * HOUR + 1, "late")]),
        expect![[
            r#"{"nextSequenceToken":"49039859574011264211132441170122110042224352172235241234","rejectedLogEventsInfo":{"tooNewLogEventStartIndex":2}}"#
        ]],
    );
    check(
        &mut plane,
        "PutLogEvents",
        put("a", &[(-15 * 24 * HOUR, "old"), (-14 * 24 * HOUR, "aged")]),
        expect![[
            r#"{"nextSequenceToken":"49039859574011264211132441170122110042224352172235241234","rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1}}"#
        ]],
    );
    plane.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 1}));
    check(
        &mut plane,
        "PutLogEvents",
        put("a", &[(-25 * HOUR, "gone"), (-24 * HOUR, "kept")]),
        expect![[
            r#"{"nextSequenceToken":"49039859574011264211132441170122110042224352172235241234","rejectedLogEventsInfo":{"expiredLogEventEndIndex":1}}"#
        ]],
    );
    assert_eq!(messages(&get(&mut plane, json!({}))), "kept now soon");
}

#[test]
fn what_is_older_than_the_retention_is_not_seen_any_more() {
    let mut plane = plane();
    plane.ok("PutLogEvents", put("a", &[(-HOUR, "one"), (0, "two")]));
    plane.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 1}));
    plane.now = base::Time((NOW + 23 * HOUR + 1) as u64);
    assert_eq!(messages(&get(&mut plane, json!({}))), "two");
    assert_eq!(messages(&filter(&mut plane, json!({}))), "two");
    plane.ok("DeleteRetentionPolicy", json!({"logGroupName": "g"}));
    assert_eq!(messages(&get(&mut plane, json!({}))), "one two");
}

#[test]
fn tokens_lead_both_ways_and_stay_where_nothing_is() {
    let mut plane = plane();
    let empty = get(&mut plane, json!({"startFromHead": true}));
    let all: Vec<String> = (0..5).map(|n| n.to_string()).collect();
    let events: Vec<(i64, &str)> = all.iter().map(|text| (0, text.as_str())).collect();
    plane.ok("PutLogEvents", put("a", &events));
    assert_eq!(messages(&get(&mut plane, json!({"nextToken": empty["nextForwardToken"]}))), "0 1 2 3 4");

    let forward = |plane: &mut Plane, page: &Value| get(plane, json!({"limit": 2, "nextToken": page["nextForwardToken"]}));
    let backward = |plane: &mut Plane, page: &Value| get(plane, json!({"limit": 2, "nextToken": page["nextBackwardToken"]}));
    let first = get(&mut plane, json!({"limit": 2, "startFromHead": true}));
    let second = forward(&mut plane, &first);
    let third = forward(&mut plane, &second);
    let end = forward(&mut plane, &third);
    assert_eq!([&first, &second, &third, &end].map(messages), ["0 1", "2 3", "4", ""]);
    assert_eq!(end["nextForwardToken"], third["nextForwardToken"]);
    assert_eq!(messages(&backward(&mut plane, &end)), "3 4");
    assert_eq!(messages(&backward(&mut plane, &second)), "0 1");

    let last = get(&mut plane, json!({"limit": 2}));
    let middle = backward(&mut plane, &last);
    let beginning = backward(&mut plane, &middle);
    let nothing = backward(&mut plane, &beginning);
    assert_eq!([&last, &middle, &beginning, &nothing].map(messages), ["3 4", "1 2", "0", ""]);
    assert_eq!(nothing["nextBackwardToken"], beginning["nextBackwardToken"]);
    plane.ok("PutLogEvents", put("a", &[(1, "5")]));
    assert_eq!(messages(&forward(&mut plane, &end)), "5");
    for token in ["", "f/1", "x/0000000000000000000000000000000000000000/s", "f/000000000000000000000000000000000000000x/s"] {
        let refused = plane.call("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "a", "nextToken": token}));
        assert!(refused.starts_with("InvalidParameterException: "), "{token}: {refused}");
    }
}

#[test]
fn a_range_has_its_beginning_and_of_filtering_only_its_end() {
    let mut plane = plane();
    plane.ok("PutLogEvents", put("a", &[(0, "0"), (1, "1"), (2, "2")]));
    let range = json!({"startTime": NOW + 1, "endTime": NOW + 2});
    assert_eq!(messages(&get(&mut plane, range.clone())), "1");
    assert_eq!(messages(&filter(&mut plane, range)), "1 2");
}

#[test]
fn filtering_walks_all_streams_in_order_of_time() {
    let mut plane = plane();
    plane.ok("PutLogEvents", put("a", &[(0, "a0"), (2, "a2"), (4, "a4 x")]));
    plane.ok("PutLogEvents", put("b", &[(1, "b1"), (2, "b2 x"), (3, "b3")]));
    let (mut pages, mut token) = (Vec::new(), Value::Null);
    loop {
        let page =
            filter(&mut plane, if token.is_null() { json!({"limit": 2}) } else { json!({"limit": 2, "nextToken": token}) });
        pages.extend(messages(&page).split(' ').filter(|word| *word != "x").map(str::to_owned));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    pages[2..4].sort(); // of the same time
    assert_eq!(pages, ["a0", "b1", "a2", "b2", "b3", "a4"]);
    assert_eq!(messages(&filter(&mut plane, json!({"filterPattern": "x"}))), "b2 x a4 x");
    assert_eq!(messages(&filter(&mut plane, json!({"logStreamNames": ["b"]}))), "b1 b2 x b3");
    assert_eq!(messages(&filter(&mut plane, json!({"logStreamNamePrefix": "a", "limit": 1}))), "a0");
    let ids =
        filter(&mut plane, json!({}))["events"].as_array().unwrap().iter().map(|e| e["eventId"].to_string()).collect::<Vec<_>>();
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 6);
    check(
        &mut plane,
        "FilterLogEvents",
        json!({"logGroupName": "g", "filterPattern": "{ $ }"}),
        expect!["InvalidParameterException: Invalid filter pattern"],
    );
    check(
        &mut plane,
        "FilterLogEvents",
        json!({"logGroupName": "g", "logStreamNames": ["c"]}),
        expect!["ResourceNotFoundException: The specified log stream does not exist."],
    );
    check(
        &mut plane,
        "FilterLogEvents",
        json!({"logGroupName": "g", "nextToken": "x"}),
        expect!["InvalidParameterException: The specified nextToken is invalid."],
    );
}

#[test]
fn streams_are_described_with_what_they_hold_and_ordered_by_their_last_event() {
    let mut plane = plane();
    plane.ok("PutLogEvents", put("a", &[(-5, "x"), (7, "y")]));
    plane.ok("PutLogEvents", put("b", &[(6, "x")]));
    let described = plane.ok("DescribeLogStreams", json!({"logGroupName": "g", "orderBy": "LastEventTime", "limit": 1}));
    assert_eq!(described["logStreams"][0]["logStreamName"], "b");
    let next = json!({"logGroupName": "g", "orderBy": "LastEventTime", "nextToken": described["nextToken"]});
    let stream = plane.ok("DescribeLogStreams", next)["logStreams"][0].clone();
    assert_eq!(stream["logStreamName"], "a");
    assert_eq!((&stream["firstEventTimestamp"], &stream["lastEventTimestamp"]), (&json!(NOW - 5), &json!(NOW + 7)));
    assert_eq!(stream["lastIngestionTime"], json!(NOW));
}

#[test]
fn a_stream_made_again_has_none_of_the_old_ones_events() {
    let mut plane = plane();
    plane.ok("PutLogEvents", put("a", &[(0, "old")]));
    let named = json!({"logGroupName": "g", "logStreamName": "a"});
    plane.ok("DeleteLogStream", named.clone());
    plane.ok("CreateLogStream", named);
    assert_eq!(messages(&get(&mut plane, json!({}))), "");
}
