//! The inputs of every ECS operation, and the rules a task definition is registered under. What they promise: a refusal has one of two codes, what passes the model's checks fits the
//! typed input, and what was taken is taken again, as the same, once it is encoded.

use crate::{Run, Target, bodies};
use api_ecs::MODEL;
use base::Rng;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use wire::{EachOperation, Fault, Operation};

pub fn targets() -> Vec<Target> {
    let examples = serde_json::from_str(include_str!("../../../../models/ecs.examples.json"));
    let mut targets = Targets { examples: examples.expect("the examples are JSON"), targets: Vec::new() };
    api_ecs::each_operation(&mut targets);
    targets.add::<api_ecs::RegisterTaskDefinition>("ecs task definition rules", rules);
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
        self.add::<Op>(&format!("ecs {}", Op::NAME), run::<Op>);
    }
}

impl Targets {
    fn add<Op: Operation>(&mut self, name: &str, run: Run) {
        let examples = self.examples.get(Op::NAME).and_then(Value::as_array);
        let seeds = examples.into_iter().flatten().map(|example| example["input"].to_string().into_bytes()).collect();
        let shape = MODEL.operation(Op::NAME).and_then(|operation| operation.input);
        let invent = Box::new(move |rng: &mut Rng| bodies::invent(shape, rng));
        self.targets.push(Target { name: name.to_owned(), seeds, invent, run });
    }
}

/// The rules are total: whatever the model lets through gets a verdict, and one of the caller's fault.
fn rules(body: &[u8]) -> Result<bool, String> {
    let Ok(request) = wire::decode::<api_ecs::RegisterTaskDefinition>(&MODEL, body) else { return Ok(false) };
    match ecs::task_definition::check::check(&request) {
        Ok(()) => Ok(true),
        Err(error) if error.fault() == Fault::Sender && !error.message().is_empty() => Ok(false),
        Err(error) => Err(format!("judged as {error}")),
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
