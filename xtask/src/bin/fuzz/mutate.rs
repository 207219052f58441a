//! Changes to a body: to its bytes, or, while it still is JSON, to one value somewhere in it.

use crate::bodies::odd;
use base::Rng;
use serde_json::Value;

pub fn mutate(body: Vec<u8>, seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    match serde_json::from_slice::<Value>(&body) {
        Ok(mut value) if rng.chance(70) => {
            for _ in 0..=rng.below(3) {
                let at = rng.below(count(&value) as u64) as usize;
                replace(&mut value, at, rng);
            }
            value.to_string().into_bytes()
        }
        _ => bytes(body, seeds, rng),
    }
}

fn bytes(mut body: Vec<u8>, seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    for _ in 0..=rng.below(5) {
        let at = rng.below(body.len() as u64 + 1) as usize;
        match rng.below(5) {
            0 => body.insert(at, rng.next_u64() as u8),
            1 => body.truncate(at),
            2 => body.extend_from_slice(rng.pick(seeds).map(Vec::as_slice).unwrap_or(b"{")),
            3 => drop(body.splice(at..at, [b'['].repeat(1 + rng.below(300) as usize))),
            _ => body.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << rng.below(8)),
        }
    }
    body
}

/// How many values there are in this one, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(object) => object.values().map(count).sum(),
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Puts something else where the `at`th value is, counting from the outside in.
fn replace(value: &mut Value, mut at: usize, rng: &mut Rng) {
    if at == 0 {
        *value = odd(rng);
        return;
    }
    at -= 1;
    let children: Vec<&mut Value> = match value {
        Value::Object(object) => object.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => return,
    };
    for child in children {
        let size = count(child);
        if at < size {
            return replace(child, at, rng);
        }
        at -= size;
    }
}
