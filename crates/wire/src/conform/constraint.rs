//! The constraints of one shape against one value, in AWS's words.

use crate::model::{Kind, Pattern, Shape};
use serde_json::Value;

/// A value longer than this is cut where it is quoted.
const SHOWN: usize = 1024;

/// The constraints `value` does not meet. Types are right by now.
pub fn broken(value: &Value, shape: &Shape) -> Vec<String> {
    match (value, &shape.kind) {
        (Value::String(text), Kind::String) => broken_text(text, shape),
        (Value::String(text), Kind::Blob) => broken_range(base64_length(text), shape),
        (Value::Number(number), _) => out_of_range("value", number.as_f64().unwrap_or(0.0), shape),
        (Value::Array(items), _) => broken_range(items.len(), shape),
        (Value::Object(entries), Kind::Map(..)) => broken_range(entries.len(), shape),
        _ => Vec::new(),
    }
}

/// How many bytes well-formed base64 stands for.
fn base64_length(text: &str) -> usize {
    text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count()
}

pub fn broken_text(text: &str, shape: &Shape) -> Vec<String> {
    let mut broken = match (shape.min, shape.max) {
        (None, None) => Vec::new(),
        _ => broken_range(text.chars().count(), shape),
    };
    if let Some(pattern) = shape.pattern.filter(|pattern| !pattern.matches(text)) {
        broken.push(pattern_sentence(pattern));
    }
    if !shape.values.is_empty() && !shape.values.contains(&text) {
        broken.push(enum_sentence(shape.values));
    }
    broken
}

fn broken_range(length: usize, shape: &Shape) -> Vec<String> {
    out_of_range("length", length as f64, shape)
}

fn out_of_range(what: &str, measure: f64, shape: &Shape) -> Vec<String> {
    let above = shape.max.filter(|max| measure > *max).map(|max| at_most(what, max));
    let below = shape.min.filter(|min| measure < *min).map(|min| at_least(what, min));
    above.into_iter().chain(below).collect()
}

/// The sentence AWS reports at a collection of which some element breaks some constraint: it lists them all.
pub fn all(subject: &str, shape: &Shape) -> String {
    let what = if matches!(shape.kind, Kind::String | Kind::Blob) { "length" } else { "value" };
    let constraints = [
        shape.max.map(|max| at_most(what, max)),
        shape.min.map(|min| at_least(what, min)),
        shape.pattern.map(pattern_sentence),
        Some(shape.values).filter(|values| !values.is_empty()).map(enum_sentence),
    ];
    let constraints: Vec<String> = constraints.into_iter().flatten().collect();
    format!("{subject} satisfy constraint: [{}]", constraints.join(", "))
}

fn at_most(what: &str, max: f64) -> String {
    format!("Member must have {what} less than or equal to {max}")
}

fn at_least(what: &str, min: f64) -> String {
    format!("Member must have {what} greater than or equal to {min}")
}

fn pattern_sentence(pattern: &Pattern) -> String {
    format!("Member must satisfy regular expression pattern: {}", pattern.source)
}

fn enum_sentence(values: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", values.join(", "))
}

/// `Value 'x'`; of a sensitive shape `Value`, as AWS leaves it out.
pub fn show(value: &Value, shape: &Shape) -> String {
    if shape.sensitive { "Value".to_owned() } else { format!("Value '{}'", shorten(&text(value, shape))) }
}

/// Scalars as they are, lists and maps as Java prints them, structures by their name only: they may hold secrets.
fn text(value: &Value, shape: &Shape) -> String {
    match (value, &shape.kind) {
        (_, _) if shape.sensitive => "*".to_owned(),
        (Value::String(text), _) => text.clone(),
        (Value::Array(items), Kind::List(item)) => {
            format!("[{}]", joined(items.iter().map(|element| text(element, item.shape))))
        }
        (Value::Object(entries), Kind::Map(_, item)) => {
            format!("{{{}}}", joined(entries.iter().map(|(key, entry)| format!("{key}={}", text(entry, item.shape)))))
        }
        (Value::Object(_) | Value::Array(_), _) => shape.name.to_owned(),
        (scalar, _) => scalar.to_string(),
    }
}

/// Every part adds at least two characters, so further parts would be cut anyway.
fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.take(SHOWN / 2).collect::<Vec<_>>().join(", ")
}

pub fn shorten(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
