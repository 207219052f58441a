//! Keeps of a model what the lists here name, and of its shapes what the wanted operations reach.

use crate::config::Config;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const METADATA: &[&str] = &[
    "apiVersion",
    "awsQueryCompatible",
    "endpointPrefix",
    "globalEndpoint",
    "jsonVersion",
    "protocol",
    "protocols",
    "serviceId",
    "signatureVersion",
    "signingName",
    "targetPrefix",
    "timestampFormat",
    "xmlNamespace",
];
const OPERATION: &[&str] = &["name", "http", "input", "output", "errors", "authtype", "idempotent", "readonly"];
const SHAPE: &[&str] = &[
    "type",
    "required",
    "members",
    "member",
    "key",
    "value",
    "min",
    "max",
    "pattern",
    "enum",
    "sensitive",
    "union",
    "document",
    "exception",
    "error",
    "fault",
    "retryable",
    "flattened",
    "locationName",
    "xmlNamespace",
    "xmlOrder",
    "payload",
    "streaming",
    "eventstream",
    "event",
    "timestampFormat",
    "wrapper",
    "sparse",
    "box",
];
const MEMBER: &[&str] = &[
    "shape",
    "location",
    "locationName",
    "queryName",
    "xmlNamespace",
    "xmlAttribute",
    "resultWrapper",
    "flattened",
    "streaming",
    "idempotencyToken",
    "jsonvalue",
    "hostLabel",
    "eventpayload",
    "eventheader",
    "timestampFormat",
    "box",
];

pub fn reduce(model: &Value, paginators: &Value, config: &Config) -> Result<Value> {
    let wanted = |(name, _): &(&String, &Value)| config.operations.include(name);
    let operations: Map<String, Value> =
        entries(&model["operations"])?.filter(wanted).map(|(name, value)| (name.clone(), operation(value))).collect();
    let pagination: Map<String, Value> = match paginators.get("pagination") {
        Some(pagination) => entries(pagination)?.filter(wanted).map(|(name, value)| (name.clone(), value.clone())).collect(),
        None => Map::new(),
    };
    let reached = reached(&operations, &model["shapes"])?;
    let shapes: Map<String, Value> = entries(&model["shapes"])?
        .filter(|(name, _)| reached.contains(name.as_str()))
        .map(|(name, value)| (name.clone(), shape(value)))
        .collect();
    let metadata = keep(&model["metadata"], METADATA);
    Ok(json!({ "metadata": metadata, "operations": operations, "shapes": shapes, "pagination": pagination }))
}

fn entries(value: &Value) -> Result<impl Iterator<Item = (&String, &Value)>> {
    Ok(value.as_object().context("the model has a table that is not one")?.iter())
}

fn operation(operation: &Value) -> Value {
    let mut reduced = keep(operation, OPERATION);
    for member in ["input", "output"] {
        if let Some(reference) = reduced.get_mut(member) {
            *reference = keep(reference, MEMBER);
        }
    }
    if let Some(errors) = reduced.get_mut("errors").and_then(Value::as_array_mut) {
        errors.iter_mut().for_each(|error| *error = keep(error, MEMBER));
    }
    reduced
}

fn shape(shape: &Value) -> Value {
    let mut reduced = keep(shape, SHAPE);
    for reference in ["member", "key", "value"] {
        if let Some(reference) = reduced.get_mut(reference) {
            *reference = keep(reference, MEMBER);
        }
    }
    if let Some(members) = reduced.get_mut("members").and_then(Value::as_object_mut) {
        members.values_mut().for_each(|member| *member = keep(member, MEMBER));
    }
    reduced
}

fn keep(value: &Value, names: &[&str]) -> Value {
    let kept = names.iter().filter_map(|name| value.get(name).map(|value| ((*name).to_owned(), value.clone())));
    Value::Object(kept.collect())
}

/// The shapes the operations need, errors included.
fn reached(operations: &Map<String, Value>, shapes: &Value) -> Result<BTreeSet<String>> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<String> = operations.values().flat_map(references).collect();
    while let Some(name) = next.pop() {
        let shape = shapes.get(&name).with_context(|| format!("the model refers to {name}, which it does not have"))?;
        if reached.insert(name) {
            next.extend(references(shape));
        }
    }
    Ok(reached)
}

/// Every `{"shape": name}` somewhere below, except where that is itself a member's name.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => {
            let own = object.get("shape").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(object.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
