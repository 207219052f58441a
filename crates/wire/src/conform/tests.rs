use crate::Empty;
use crate::testing::{Clear, MODEL, Put};
use expect_test::{Expect, expect};
use serde_json::Value;

/// What `Put` makes of a body: what the typed input would be made from, or the error.
fn check(body: &str, expected: Expect) {
    expected.assert_eq(&match crate::decode::<Put>(&MODEL, body.as_bytes()) {
        Ok(input) => input.to_string(),
        Err(error) => format!("{} {error}", error.status),
    });
}

#[test]
fn a_body_of_the_right_shape_passes() {
    let body = r#"{"name":"a","items":[{"key":"b"}],"names":["c"],"labels":{"d":1},"color":"RED","colors":["BLUE"],"count":100,"size":-9000000000,"ratio":1.5,"flag":true,"when":1.5,"data":"AAAA","any":[{"x":null}],"either":{"left":"e"},"secret":"f","holes":[null,1],"nested":{"name":"g"}}"#;
    assert_eq!(crate::decode::<Put>(&MODEL, body.as_bytes()).unwrap(), serde_json::from_str::<Value>(body).unwrap());
}

#[test]
fn what_is_not_json_is_a_serialization_error() {
    check(
        "{",
        expect!["400 SerializationException: The request body is not JSON: EOF while parsing an object at line 1 column 1"],
    );
    check("nope", expect!["400 SerializationException: The request body is not JSON: expected ident at line 1 column 2"]);
    check("{}x", expect!["400 SerializationException: The request body is not JSON: trailing characters at line 1 column 3"]);
    check("[]", expect!["400 SerializationException: Start of list found where not expected"]);
    check("7", expect!["400 SerializationException: Unexpected field type"]);
}

#[test]
fn no_body_is_an_empty_request() {
    let missing = "400 ValidationException: 1 validation error detected: Value null at 'name' failed to satisfy constraint: \
                   Member must not be null";
    for body in ["", "null", "{}", r#"{"name":null}"#, r#"{"unknown":{}}"#] {
        assert_eq!(crate::decode::<Put>(&MODEL, body.as_bytes()).map_err(|e| format!("{} {e}", e.status)), Err(missing.into()));
    }
}

#[test]
fn an_operation_without_an_input_takes_anything() {
    assert_eq!(crate::decode::<Clear>(&MODEL, br#"{"more":1}"#), Ok(Empty {}));
}

#[test]
fn wrong_types_are_serialization_errors() {
    let with = |member: &str| format!(r#"{{"name":"a",{member}}}"#);
    check(r#"{"name":1}"#, expect!["400 SerializationException: NUMBER_VALUE cannot be converted to String"]);
    check(r#"{"name":1.5}"#, expect!["400 SerializationException: DECIMAL_VALUE cannot be converted to String"]);
    check(r#"{"name":true}"#, expect!["400 SerializationException: TRUE_VALUE cannot be converted to String"]);
    check(r#"{"name":[]}"#, expect!["400 SerializationException: Start of list found where not expected"]);
    check(r#"{"name":{}}"#, expect!["400 SerializationException: Start of structure or map found where not expected"]);
    check(&with(r#""count":"1""#), expect!["400 SerializationException: STRING_VALUE cannot be converted to Integer"]);
    check(&with(r#""count":false"#), expect!["400 SerializationException: FALSE_VALUE cannot be converted to Integer"]);
    check(&with(r#""count":2147483648"#), expect!["400 SerializationException: NUMBER_VALUE cannot be converted to Integer"]);
    check(
        &with(r#""size":9223372036854775808"#),
        expect!["400 SerializationException: NUMBER_VALUE cannot be converted to Long"],
    );
    check(&with(r#""size":1e30"#), expect!["400 SerializationException: DECIMAL_VALUE cannot be converted to Long"]);
    check(&with(r#""ratio":"NaN""#), expect!["400 SerializationException: STRING_VALUE cannot be converted to Double"]);
    check(&with(r#""flag":"true""#), expect!["400 SerializationException: STRING_VALUE cannot be converted to Boolean"]);
    check(&with(r#""flag":1"#), expect!["400 SerializationException: NUMBER_VALUE cannot be converted to Boolean"]);
    check(
        &with(r#""when":"2026-01-01T00:00:00Z""#),
        expect!["400 SerializationException: STRING_VALUE cannot be converted to milliseconds since epoch"],
    );
    check(&with(r#""data":"%""#), expect!["400 SerializationException: STRING_VALUE cannot be converted to ByteBuffer"]);
    check(&with(r#""items":{}"#), expect!["400 SerializationException: Start of structure or map found where not expected"]);
    check(&with(r#""items":"x""#), expect!["400 SerializationException: Unexpected field type"]);
    check(&with(r#""items":[1]"#), expect!["400 SerializationException: Unexpected field type"]);
    check(&with(r#""labels":[]"#), expect!["400 SerializationException: Start of list found where not expected"]);
    check(&with(r#""labels":{"a":"1"}"#), expect!["400 SerializationException: STRING_VALUE cannot be converted to Integer"]);
    check(&with(r#""names":["a",1]"#), expect!["400 SerializationException: NUMBER_VALUE cannot be converted to String"]);
    check(&with(r#""either":{}"#), expect!["400 SerializationException: Expected exactly one member of a union, found 0."]);
    check(
        &with(r#""either":{"left":"a","right":1}"#),
        expect!["400 SerializationException: Expected exactly one member of a union, found 2."],
    );
}

#[test]
fn fractions_of_integers_are_dropped() {
    check(r#"{"name":"a","count":1.7,"size":-2.9}"#, expect![[r#"{"name":"a","count":1,"size":-2}"#]]);
    check(r#"{"name":"a","count":1e2}"#, expect![[r#"{"name":"a","count":100}"#]]);
}

#[test]
fn nulls_in_collections_are_dropped_unless_sparse() {
    check(
        r#"{"name":"a","names":[null,"b"],"labels":{"a":null,"b":1},"holes":[null,1]}"#,
        expect![[r#"{"name":"a","names":["b"],"labels":{"b":1},"holes":[null,1]}"#]],
    );
    check(
        r#"{"name":"a","items":[null]}"#,
        expect![
            "400 ValidationException: 1 validation error detected: Value '[]' at 'items' failed to satisfy constraint: Member must have length greater than or equal to 1"
        ],
    );
}

#[test]
fn constraints_are_reported_in_aws_words() {
    let with = |member: &str| format!(r#"{{"name":"a",{member}}}"#);
    check(
        r#"{"name":""}"#,
        expect![
            "400 ValidationException: 1 validation error detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1"
        ],
    );
    check(
        r#"{"name":"abcdef"}"#,
        expect![
            "400 ValidationException: 1 validation error detected: Value 'abcdef' at 'name' failed to satisfy constraint: Member must have length less than or equal to 5"
        ],
    );
    check(
        r#"{"name":"A"}"#,
        expect![
            "400 ValidationException: 1 validation error detected: Value 'A' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*"
        ],
    );
    check(
        &with(r#""color":"GREEN""#),
        expect![
            "400 ValidationException: 1 validation error detected: Value 'GREEN' at 'color' failed to satisfy constraint: Member must satisfy enum value set: [RED, BLUE]"
        ],
    );
    check(
        &with(r#""colors":["RED","GREEN"]"#),
        expect![
            "400 ValidationException: 1 validation error detected: Value '[RED, GREEN]' at 'colors' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [RED, BLUE]]"
        ],
    );
    check(
        &with(r#""count":-1"#),
        expect![
            "400 ValidationException: 1 validation error detected: Value '-1' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 0"
        ],
    );
    check(
        &with(r#""ratio":1.6"#),
        expect![
            "400 ValidationException: 1 validation error detected: Value '1.6' at 'ratio' failed to satisfy constraint: Member must have value less than or equal to 1.5"
        ],
    );
    check(
        &with(r#""names":["a","b","c","d"]"#),
        expect![
            "400 ValidationException: 1 validation error detected: Value '[a, b, c, d]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 3"
        ],
    );
    check(
        &with(r#""names":["A"]"#),
        expect![
            "400 ValidationException: 1 validation error detected: Value '[A]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 5, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [a-z]*]"
        ],
    );
    check(
        &with(r#""items":[]"#),
        expect![
            "400 ValidationException: 1 validation error detected: Value '[]' at 'items' failed to satisfy constraint: Member must have length greater than or equal to 1"
        ],
    );
    check(
        &with(r#""items":[{"key":"a"},{"n":101}]"#),
        expect![
            "400 ValidationException: 2 validation errors detected: Value null at 'items.2.member.key' failed to satisfy constraint: Member must not be null; Value '101' at 'items.2.member.n' failed to satisfy constraint: Member must have value less than or equal to 100"
        ],
    );
    check(
        &with(r#""labels":{"A":101}"#),
        expect![
            "400 ValidationException: 2 validation errors detected: Value '{A=101}' at 'labels' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 5, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [a-z]*]; Value '{A=101}' at 'labels' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 100, Member must have value greater than or equal to 0]"
        ],
    );
    check(
        &with(r#""data":"AAAAAAAA""#),
        expect![
            "400 ValidationException: 1 validation error detected: Value 'AAAAAAAA' at 'data' failed to satisfy constraint: Member must have length less than or equal to 3"
        ],
    );
    check(
        &with(r#""nested":{"either":{"left":"A"}}"#),
        expect![
            "400 ValidationException: 2 validation errors detected: Value null at 'nested.name' failed to satisfy constraint: Member must not be null; Value 'A' at 'nested.either.left' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*"
        ],
    );
}

#[test]
fn a_sensitive_value_is_not_quoted() {
    check(
        r#"{"name":"a","secret":"hunter2"}"#,
        expect![
            "400 ValidationException: 1 validation error detected: Value at 'secret' failed to satisfy constraint: Member must have length less than or equal to 3"
        ],
    );
}

#[test]
fn the_answer_is_not_larger_than_the_question() {
    let body = format!(r#"{{"name":"a","items":[{}{{}}]}}"#, "{},".repeat(100_000));
    let error = crate::decode::<Put>(&MODEL, body.as_bytes()).unwrap_err();
    assert!(error.message.starts_with("100 validation errors detected: Value null at 'items.1.member.key'"), "{error}");
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(1_000_000));
    assert!(crate::decode::<Put>(&MODEL, long.as_bytes()).unwrap_err().message.len() < 2000);
}

#[test]
fn depth_is_bounded() {
    let nested = format!("{}{}", r#"{"nested":"#.repeat(100_000), "1");
    let error = crate::decode::<Put>(&MODEL, nested.as_bytes()).unwrap_err();
    assert!(error.message.contains("recursion limit exceeded"), "{error}");
}

#[test]
fn a_protocol_that_is_not_spoken_says_so() {
    let error = crate::decode::<Put>(&crate::testing::QUERY_MODEL, b"Action=Put").unwrap_err();
    assert_eq!((error.status, error.message.as_str()), (501, "The protocol Query is not supported yet."));
}

#[test]
fn no_byte_string_panics() {
    let mut rng = base::Rng::from_seed(1);
    let seed = br#"{"name":"a","items":[{"key":"b","n":1.5e3}],"labels":{"d":1},"either":{"left":null},"data":"AA=="}"#;
    for _ in 0..20_000 {
        let mut body = seed.to_vec();
        for _ in 0..=rng.below(6) {
            let (at, other) = (rng.below(body.len() as u64) as usize, rng.below(seed.len() as u64) as usize);
            match rng.below(4) {
                0 => body[at] = rng.next_u64() as u8,
                1 => body.insert(at, seed[other]),
                2 => body.truncate(at.max(1)),
                _ => body.extend_from_slice(&seed[other..]),
            }
        }
        let _ = crate::decode::<Put>(&MODEL, &body);
    }
}
