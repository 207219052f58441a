//! A reduced model (`models/<service>.json`) as the generator reads it: botocore's format, typed.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
pub struct Service {
    pub metadata: Metadata,
    pub operations: BTreeMap<String, Operation>,
    pub shapes: BTreeMap<String, Shape>,
    pub pagination: BTreeMap<String, Paginator>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub endpoint_prefix: String,
    pub json_version: Option<String>,
    pub protocol: String,
    /// What else the service speaks, its favourite first.
    #[serde(default)]
    pub protocols: Vec<String>,
    pub service_id: String,
    pub signing_name: Option<String>,
    pub target_prefix: Option<String>,
    pub xml_namespace: Option<Value>,
}

#[derive(Deserialize)]
pub struct Operation {
    pub name: String,
    pub http: Http,
    pub input: Option<Reference>,
    pub output: Option<Reference>,
    #[serde(default)]
    pub errors: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    pub method: String,
    pub request_uri: String,
}

/// A use of a shape: an operation's input, a structure's member, what a list is made of.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    pub shape: String,
    #[serde(flatten)]
    pub traits: Traits,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub required: Vec<String>,
    /// In the model's order, which is the order a Rust struct lists them in.
    #[serde(default)]
    pub members: Map<String, Value>,
    pub member: Option<Reference>,
    pub key: Option<Reference>,
    pub value: Option<Reference>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub pattern: Option<String>,
    #[serde(rename = "enum", default)]
    pub values: Vec<String>,
    #[serde(default)]
    pub sensitive: bool,
    #[serde(default)]
    pub union: bool,
    #[serde(default)]
    pub document: bool,
    #[serde(default)]
    pub fault: bool,
    pub error: Option<ErrorTrait>,
    #[serde(flatten)]
    pub traits: Traits,
}

/// How query and REST services name an exception and its status.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    pub code: Option<String>,
    pub http_status_code: Option<u16>,
    pub sender_fault: Option<bool>,
}

/// What only some protocols look at; carried into the shape table as it is.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Traits {
    pub location: Option<String>,
    pub location_name: Option<String>,
    pub query_name: Option<String>,
    pub xml_namespace: Option<Value>,
    pub timestamp_format: Option<String>,
    pub payload: Option<String>,
    pub result_wrapper: Option<String>,
    pub flattened: bool,
    pub xml_attribute: bool,
    pub streaming: bool,
    pub jsonvalue: bool,
    pub sparse: bool,
    pub idempotency_token: bool,
}

#[derive(Deserialize)]
pub struct Paginator {
    pub input_token: OneOrMore,
    pub output_token: OneOrMore,
    pub limit_key: Option<String>,
    pub result_key: Option<OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub fn all(&self) -> Vec<&str> {
        match self {
            OneOrMore::One(name) => vec![name],
            OneOrMore::More(names) => names.iter().map(String::as_str).collect(),
        }
    }
}

impl Service {
    pub fn shape(&self, name: &str) -> Result<&Shape> {
        self.shapes.get(name).with_context(|| format!("the model refers to {name}, which it does not have"))
    }
}

impl Shape {
    pub fn members(&self) -> Result<Vec<(&str, Reference)>> {
        let member = |(name, reference): (&'_ String, &Value)| -> Result<Reference> {
            serde_json::from_value(reference.clone()).with_context(|| format!("cannot understand the member {name}"))
        };
        self.members.iter().map(|(name, reference)| Ok((name.as_str(), member((name, reference))?))).collect()
    }

    pub fn is_enum(&self) -> bool {
        self.kind == "string" && !self.values.is_empty()
    }

    pub fn is_structure(&self) -> bool {
        self.kind == "structure" && !self.document
    }
}

/// `xmlNamespace` is a URI or an object around one.
pub fn xml_namespace(value: &Option<Value>) -> Option<&str> {
    let value = value.as_ref()?;
    value.as_str().or_else(|| value.get("uri").and_then(Value::as_str))
}

pub fn read(root: &Path, service: &str) -> Result<Service> {
    let path = root.join("models").join(format!("{service}.json"));
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}; run `cargo xtask models`", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
}
