//! AWS's examples of requests and answers, as they are on the JSON wire: where the examples write a time as text, the wire has
//! epoch seconds.

use anyhow::{Context, Result};
use serde_json::{Map, Number, Value};

/// `{operation: [{input, output}]}`.
pub fn reduce(published: &Value, model: &Value) -> Result<Value> {
    let mut reduced = Map::new();
    for (operation, examples) in published["examples"].as_object().context("the examples are not a table")? {
        let Some(operation_model) = model["operations"].get(operation) else { continue };
        let mut kept = Vec::new();
        for example in examples.as_array().context("an operation's examples are not a list")? {
            match bodies(example, operation_model, &model["shapes"]) {
                Ok(bodies) => kept.push(bodies),
                Err(error) => eprintln!("an example of {operation} is left out: {error:#}"),
            }
        }
        reduced.insert(operation.clone(), Value::Array(kept));
    }
    Ok(Value::Object(reduced))
}

fn bodies(example: &Value, operation: &Value, shapes: &Value) -> Result<Value> {
    let mut bodies = Map::new();
    for direction in ["input", "output"] {
        if let (Some(body), Some(shape)) = (example.get(direction), name_in(&operation[direction])) {
            bodies.insert(direction.to_owned(), on_the_wire(body, shape, shapes)?);
        }
    }
    Ok(Value::Object(bodies))
}

fn name_in(reference: &Value) -> Option<&str> {
    reference.get("shape").and_then(Value::as_str)
}

fn on_the_wire(value: &Value, shape: &str, shapes: &Value) -> Result<Value> {
    let shape = &shapes[shape];
    let below = |value: &Value, reference: &Value| match name_in(reference) {
        Some(shape) => on_the_wire(value, shape, shapes),
        None => Ok(value.clone()),
    };
    Ok(match (value, shape["type"].as_str()) {
        (Value::Object(entries), Some("structure")) => {
            let member = |(name, value): (&String, &Value)| Ok((name.clone(), below(value, &shape["members"][name])?));
            Value::Object(entries.iter().map(member).collect::<Result<_>>()?)
        }
        (Value::Object(entries), Some("map")) => {
            let entry = |(key, value): (&String, &Value)| Ok((key.clone(), below(value, &shape["value"])?));
            Value::Object(entries.iter().map(entry).collect::<Result<_>>()?)
        }
        (Value::Array(items), Some("list")) => {
            Value::Array(items.iter().map(|item| below(item, &shape["member"])).collect::<Result<_>>()?)
        }
        (Value::String(time), Some("timestamp")) => epoch_seconds(time)?,
        _ => value.clone(),
    })
}

fn epoch_seconds(time: &str) -> Result<Value> {
    let seconds = match time.parse() {
        Ok(seconds) => seconds,
        Err(_) => {
            let time: jiff::Timestamp = time.parse().with_context(|| format!("{time} is not a time"))?;
            time.as_millisecond() as f64 / 1000.0
        }
    };
    if seconds.fract() == 0.0 {
        return Ok(Value::from(seconds as i64));
    }
    Number::from_f64(seconds).map(Value::Number).context("a time is finite")
}
