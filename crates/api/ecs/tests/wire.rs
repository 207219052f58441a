//! The generated API on the wire: AWS's own examples come back as they went in, every operation takes a body, and bad bodies
//! get ECS's answers.

use api_ecs::MODEL;
use expect_test::{Expect, expect};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;
use wire::{EachOperation, Operation};

/// What one operation makes of a body: the body again, or the error.
type Echo = fn(&[u8]) -> Result<Value, wire::Error>;

/// Every operation's inputs and outputs, decoded and encoded again.
#[derive(Default)]
struct Echoes {
    input: BTreeMap<&'static str, Echo>,
    output: BTreeMap<&'static str, Echo>,
}

impl EachOperation for Echoes {
    fn operation<Op>(&mut self)
    where
        Op: Operation,
        Op::Input: Serialize,
        Op::Output: DeserializeOwned,
    {
        self.input.insert(Op::NAME, |body| Ok(echo(wire::encode(&MODEL, &wire::decode::<Op>(&MODEL, body)?)?.as_ref())));
        self.output.insert(Op::NAME, |body| {
            let output: Op::Output =
                serde_json::from_slice(body).map_err(|error| wire::Error::serialization(error.to_string()))?;
            Ok(echo(wire::encode(&MODEL, &output)?.as_ref()))
        });
    }
}

fn echo(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("what was encoded is JSON")
}

fn echoes() -> Echoes {
    let mut echoes = Echoes::default();
    api_ecs::each_operation(&mut echoes);
    echoes
}

fn examples() -> BTreeMap<String, Vec<BTreeMap<String, Value>>> {
    serde_json::from_str(include_str!("../../../../models/ecs.examples.json")).unwrap()
}

#[test]
fn aws_examples_come_back_as_they_went_in() {
    let (echoes, mut seen) = (echoes(), 0);
    for (operation, examples) in examples() {
        for example in &examples {
            for (direction, echo) in [("input", &echoes.input), ("output", &echoes.output)] {
                let Some(body) = example.get(direction) else { continue };
                let back = echo[operation.as_str()](body.to_string().as_bytes());
                assert_eq!(back.as_ref(), Ok(body), "{operation} {direction}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "only {seen} bodies");
}

#[test]
fn every_operation_of_the_model_is_generated() {
    let generated: Vec<&str> = echoes().input.into_keys().collect();
    assert_eq!(generated, MODEL.operation_names().collect::<Vec<_>>());
    assert_eq!(generated.len(), 88);
}

#[test]
fn an_empty_request_is_decoded_or_lacks_required_members() {
    for (operation, echo) in echoes().input {
        match echo(b"{}") {
            Ok(back) => assert_eq!(back, serde_json::json!({}), "{operation}"),
            Err(error) => assert!(
                error.code == "InvalidParameterException"
                    && error.message.contains("failed to satisfy constraint: Member must not be null"),
                "{operation}: {error}"
            ),
        }
    }
}

fn check(operation: &str, body: &str, expected: Expect) {
    expected.assert_eq(&match echoes().input[operation](body.as_bytes()) {
        Ok(body) => body.to_string(),
        Err(error) => error.to_string(),
    });
}

#[test]
fn bad_bodies_get_the_answers_of_ecs() {
    check(
        "RegisterTaskDefinition",
        "{}",
        expect![
            "InvalidParameterException: 2 validation errors detected: Value null at 'family' failed to satisfy constraint: Member must not be null; Value null at 'containerDefinitions' failed to satisfy constraint: Member must not be null"
        ],
    );
    check(
        "RegisterTaskDefinition",
        r#"{"family":"f","containerDefinitions":"c"}"#,
        expect!["SerializationException: Unexpected field type"],
    );
    check(
        "RegisterTaskDefinition",
        r#"{"family":"f","containerDefinitions":[{"cpu":"1"}]}"#,
        expect!["SerializationException: STRING_VALUE cannot be converted to Integer"],
    );
    check(
        "RegisterTaskDefinition",
        r#"{"family":"f","containerDefinitions":[{"secrets":[{"name":"s"}]}]}"#,
        expect![
            "InvalidParameterException: 1 validation error detected: Value null at 'containerDefinitions.1.member.secrets.1.member.valueFrom' failed to satisfy constraint: Member must not be null"
        ],
    );
    check(
        "RegisterTaskDefinition",
        r#"{"family":"f","containerDefinitions":[],"networkMode":"vpc"}"#,
        expect![
            "InvalidParameterException: 1 validation error detected: Value 'vpc' at 'networkMode' failed to satisfy constraint: Member must satisfy enum value set: [bridge, host, awsvpc, none]"
        ],
    );
    check(
        "RegisterTaskDefinition",
        r#"{"family":"f","containerDefinitions":[],"requiresCompatibilities":["ec2"]}"#,
        expect![
            "InvalidParameterException: 1 validation error detected: Value '[ec2]' at 'requiresCompatibilities' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES]]"
        ],
    );
    check(
        "RunTask",
        r#"{"count":1}"#,
        expect![
            "InvalidParameterException: 1 validation error detected: Value null at 'taskDefinition' failed to satisfy constraint: Member must not be null"
        ],
    );
    check(
        "RunTask",
        r#"{"taskDefinition":"t","count":"2"}"#,
        expect!["SerializationException: STRING_VALUE cannot be converted to Integer"],
    );
    check(
        "RunTask",
        r#"{"taskDefinition":"t","capacityProviderStrategy":[{"capacityProvider":"c","weight":1001}]}"#,
        expect![
            "InvalidParameterException: 1 validation error detected: Value '1001' at 'capacityProviderStrategy.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 1000"
        ],
    );
    check(
        "CreateCluster",
        r#"{"tags":[{"key":"a!","value":"b"}]}"#,
        expect![[
            r#"InvalidParameterException: 1 validation error detected: Value 'a!' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"#
        ]],
    );
    check(
        "TagResource",
        r#"{"resourceArn":"r","tags":[{"key":""}]}"#,
        expect![
            "InvalidParameterException: 1 validation error detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"
        ],
    );
    check(
        "ListTasks",
        r#"{"desiredStatus":"DONE","maxResults":1.0}"#,
        expect![
            "InvalidParameterException: 1 validation error detected: Value 'DONE' at 'desiredStatus' failed to satisfy constraint: Member must satisfy enum value set: [RUNNING, PENDING, STOPPED]"
        ],
    );
}

#[test]
fn what_the_model_does_not_know_is_ignored() {
    check("StopTask", r#"{"task":"t","force":true,"cluster":null}"#, expect![[r#"{"task":"t"}"#]]);
}

#[test]
fn every_pattern_compiles() {
    fn patterns(shape: &'static wire::model::Shape, seen: &mut BTreeMap<&'static str, bool>) {
        use wire::model::Kind;
        if seen.insert(shape.name, shape.pattern.is_none_or(|pattern| pattern.regex().is_some())).is_some() {
            return;
        }
        match &shape.kind {
            Kind::Structure(members) | Kind::Union(members) => members.iter().for_each(|member| patterns(member.shape, seen)),
            Kind::List(item) => patterns(item.shape, seen),
            Kind::Map(key, value) => [key, value].into_iter().for_each(|member| patterns(member.shape, seen)),
            _ => {}
        }
    }
    let mut seen = BTreeMap::new();
    for operation in MODEL.operations {
        operation.input.into_iter().chain(operation.output).for_each(|shape| patterns(shape, &mut seen));
    }
    assert!(seen.len() > 700, "{} shapes", seen.len());
    assert_eq!(seen.into_iter().filter(|(_, compiles)| !compiles).collect::<Vec<_>>(), []);
}

/// Bodies near to AWS's examples: whatever comes out, it is not a panic, and what decodes decodes to the same again.
#[test]
fn no_body_panics() {
    let (echoes, mut rng) = (echoes(), base::Rng::from_seed(9));
    for (operation, examples) in examples() {
        for example in &examples {
            let (echo, seed) = (echoes.input[operation.as_str()], example["input"].to_string().into_bytes());
            for _ in 0..200 {
                let mut body = seed.clone();
                let (at, other) = (rng.below(body.len() as u64) as usize, rng.below(seed.len() as u64) as usize);
                match rng.below(4) {
                    0 => body[at] = rng.next_u64() as u8,
                    1 => drop(body.remove(at)),
                    2 => body[at] = seed[other],
                    _ => body.truncate(at),
                }
                if let Ok(back) = echo(&body) {
                    assert_eq!(echo(back.to_string().as_bytes()), Ok(back), "{operation} {}", String::from_utf8_lossy(&body));
                }
            }
        }
    }
}
