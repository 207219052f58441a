//! The inputs of every ECS operation. What they promise: a refusal has one of two codes, what passes the model's checks fits the
//! typed input, and what was taken is taken again, as the same, once it is encoded.

use crate::{Target, bodies};
use api_ecs::MODEL;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use wire::{EachOperation, Operation};

pub fn targets() -> Vec<Target> {
    let examples = serde_json::from_str(include_str!("../../../../models/ecs.examples.json"));
    let mut targets = Targets { examples: examples.expect("the examples are JSON"), targets: Vec::new() };
    api_ecs::each_operation(&mut targets);
    targets.targets
}

struct Targets {
    examples: Value,
    targets: Vec<Target>,
}

impl EachOperation for Targets {
    fn operation<Op>(&mut self)
    where
        Op: Operation,
        Op::Input: Serialize,
        Op::Output: DeserializeOwned,
    {
        let examples = self.examples.get(Op::NAME).and_then(Value::as_array);
        let seeds = examples.into_iter().flatten().map(|example| example["input"].to_string().into_bytes()).collect();
        let shape = MODEL.operation(Op::NAME).and_then(|operation| operation.input);
        self.targets.push(Target {
            name: format!("ecs {}", Op::NAME),
            seeds,
            invent: Box::new(move |rng| bodies::invent(shape, rng)),
            run: run::<Op>,
        });
    }
}

fn run<Op>(body: &[u8]) -> Result<bool, String>
where
    Op: Operation,
    Op::Input: Serialize,
{
    let input = match wire::decode::<Op>(&MODEL, body) {
        Ok(input) => input,
        Err(error) => return refused(&error),
    };
    let encode = |input: &Op::Input| wire::encode(&MODEL, input).map_err(|error| format!("taken, but not encoded: {error}"));
    let once = encode(&input)?;
    let again = wire::decode::<Op>(&MODEL, &once).map_err(|error| format!("taken once, then refused: {error}"))?;
    if encode(&again)? == once { Ok(true) } else { Err("taken twice, differently".to_owned()) }
}

fn refused(error: &wire::Error) -> Result<bool, String> {
    let known = ["SerializationException", MODEL.constraint_error].contains(&error.code.as_str());
    let checked = !error.message.contains("does not fit the operation");
    if known && checked && error.status == 400 { Ok(false) } else { Err(format!("refused as {error}")) }
}
