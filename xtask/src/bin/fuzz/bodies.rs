//! Bodies invented from a model: mostly what the shape asks for, at times something next to it.

use base::Rng;
use serde_json::{Map, Value, json};
use wire::model::{Kind, Member, Shape};

/// Deep enough to reach every shape, shallow enough to end where a shape contains itself.
const DEPTH: usize = 8;

pub fn invent(shape: Option<&'static Shape>, rng: &mut Rng) -> Vec<u8> {
    let body = shape.map_or_else(|| json!({}), |shape| value(shape, DEPTH, rng));
    body.to_string().into_bytes()
}

fn value(shape: &Shape, depth: usize, rng: &mut Rng) -> Value {
    if rng.below(400) == 0 {
        return odd(rng);
    }
    match &shape.kind {
        Kind::Structure(members) => structure(members, depth, rng),
        Kind::Union(members) => match rng.pick(members) {
            Some(member) => json!({ member.name: value(member.shape, depth.saturating_sub(1), rng) }),
            None => json!({}),
        },
        Kind::List(item) => (0..length(shape, depth, rng)).map(|_| value(item.shape, depth.saturating_sub(1), rng)).collect(),
        Kind::Map(key, item) => map(key, item, length(shape, depth, rng), depth, rng),
        Kind::String | Kind::Blob => Value::from(text(shape, rng)),
        Kind::Integer | Kind::Long => Value::from(number(shape, rng)),
        Kind::Float | Kind::Double | Kind::Timestamp => Value::from(number(shape, rng) as f64 + 0.5 * rng.below(2) as f64),
        Kind::Boolean => Value::from(rng.chance(50)),
        Kind::Document => odd(rng),
    }
}

fn structure(members: &[Member], depth: usize, rng: &mut Rng) -> Value {
    // Fewer members further in: a task definition with everything in everything would be megabytes.
    let percent = 10 + 5 * depth as u64;
    let mut object = Map::new();
    for member in members {
        let wanted = if member.required { rng.below(200) != 0 } else { depth > 0 && rng.chance(percent) };
        if wanted {
            object.insert(member.name.to_owned(), value(member.shape, depth.saturating_sub(1), rng));
        }
    }
    Value::Object(object)
}

fn map(key: &Member, item: &Member, length: u64, depth: usize, rng: &mut Rng) -> Value {
    let entries = (0..length).map(|_| (text(key.shape, rng), value(item.shape, depth.saturating_sub(1), rng)));
    Value::Object(entries.collect())
}

fn length(shape: &Shape, depth: usize, rng: &mut Rng) -> u64 {
    let least = shape.min.unwrap_or(0.0) as u64;
    let most = shape.max.unwrap_or(3.0).min(3.0) as u64;
    if depth == 0 { least } else { least.max(rng.below(most + 1)) }
}

fn text(shape: &Shape, rng: &mut Rng) -> String {
    const TEXTS: &[&str] =
        &["a", "web:1", "arn:aws:ecs:eu-west-1:123456789012:task/default/0", "/ecs/x", "1 vCPU", "AAAA", "ü", "", "*"];
    let pick = if shape.values.is_empty() { TEXTS } else { shape.values };
    rng.pick(pick).copied().unwrap_or_default().to_owned()
}

fn number(shape: &Shape, rng: &mut Rng) -> i64 {
    let (least, most) = (shape.min.unwrap_or(-1.0) as i64, shape.max.unwrap_or(70_000.0) as i64);
    match rng.below(8) {
        0 => most,
        1 => least,
        2 => most.saturating_add(1),
        _ => least + rng.below(most.abs_diff(least).min(1000) + 1) as i64,
    }
}

/// What no shape asks for, or only some.
pub fn odd(rng: &mut Rng) -> Value {
    let odd = [
        json!(null),
        json!({}),
        json!([[]]),
        json!([null]),
        json!({ "a": null }),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!("\u{0}"),
    ];
    rng.pick(&odd).cloned().unwrap_or_default()
}
