//! What a service's API model says, as static tables generated code fills in: operations, and the shapes with their
//! constraints and protocol traits. Shapes refer to each other by address, so a walk over a body needs no lookups.

use crate::Protocol;
use regex::Regex;
use std::sync::OnceLock;

pub struct Model {
    /// `ECS`: AWS's id of the service.
    pub service_id: &'static str,
    pub api_version: &'static str,
    pub endpoint_prefix: &'static str,
    /// The service of the credential scope, `ecs`.
    pub signing_name: &'static str,
    /// What stands before the dot in `X-Amz-Target`; only the JSON protocols have one.
    pub target_prefix: Option<&'static str>,
    pub protocol: Protocol,
    pub xml_namespace: Option<&'static str>,
    /// The code of a constraint failure; services differ, AWS's models do not say.
    pub constraint_error: &'static str,
    /// Sorted by name.
    pub operations: &'static [OperationModel],
}

impl Model {
    pub fn operation(&self, name: &str) -> Option<&'static OperationModel> {
        let index = self.operations.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
        Some(&self.operations[index])
    }

    /// Every operation the model has, sorted: what a coverage page counts against.
    pub fn operation_names(&self) -> impl Iterator<Item = &'static str> {
        self.operations.iter().map(|operation| operation.name)
    }
}

pub struct OperationModel {
    pub name: &'static str,
    pub method: &'static str,
    pub uri: &'static str,
    pub input: Option<&'static Shape>,
    pub output: Option<&'static Shape>,
    /// The element query protocols wrap a result in.
    pub result_wrapper: Option<&'static str>,
    pub errors: &'static [&'static str],
    pub paginator: Option<Paginator>,
}

/// How an operation pages, in the words of botocore's paginators.
pub struct Paginator {
    pub input_tokens: &'static [&'static str],
    pub output_tokens: &'static [&'static str],
    pub limit_key: Option<&'static str>,
    pub result_keys: &'static [&'static str],
}

pub struct Shape {
    pub name: &'static str,
    pub kind: Kind,
    /// Of a number its value; of a string, list, map or blob its length.
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub pattern: Option<&'static Pattern>,
    /// The enum's values; empty if the shape is not an enum.
    pub values: &'static [&'static str],
    pub sensitive: bool,
    pub traits: Traits,
}

pub enum Kind {
    Structure(&'static [Member]),
    /// Exactly one member is set.
    Union(&'static [Member]),
    List(Member),
    Map(Member, Member),
    String,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Timestamp,
    Blob,
    /// Any JSON.
    Document,
}

pub struct Member {
    /// The model's name, which is also serde's; `traits.location_name` is what the XML and query protocols write.
    pub name: &'static str,
    pub shape: &'static Shape,
    pub required: bool,
    pub traits: Traits,
}

/// What only some protocols look at. Absent is the norm, so a shape carries a reference.
pub type Traits = Option<&'static ProtocolTraits>;

#[derive(Debug, PartialEq)]
pub struct ProtocolTraits {
    /// `header`, `headers`, `querystring`, `uri` or `statusCode`; in the body if absent.
    pub location: Option<&'static str>,
    pub location_name: Option<&'static str>,
    pub query_name: Option<&'static str>,
    pub xml_namespace: Option<&'static str>,
    pub timestamp_format: Option<&'static str>,
    /// The member that is the whole body.
    pub payload: Option<&'static str>,
    pub flattened: bool,
    pub xml_attribute: bool,
    pub streaming: bool,
    pub json_value: bool,
    pub sparse: bool,
    pub idempotency_token: bool,
}

impl ProtocolTraits {
    pub const NONE: ProtocolTraits = ProtocolTraits {
        location: None,
        location_name: None,
        query_name: None,
        xml_namespace: None,
        timestamp_format: None,
        payload: None,
        flattened: false,
        xml_attribute: false,
        streaming: false,
        json_value: false,
        sparse: false,
        idempotency_token: false,
    };
}

impl Shape {
    pub const fn new(name: &'static str, kind: Kind) -> Shape {
        Shape { name, kind, min: None, max: None, pattern: None, values: &[], sensitive: false, traits: None }
    }

    pub fn is_sparse(&self) -> bool {
        self.traits.is_some_and(|traits| traits.sparse)
    }
}

impl Member {
    pub const fn optional(name: &'static str, shape: &'static Shape) -> Member {
        Member { name, shape, required: false, traits: None }
    }

    pub const fn required(name: &'static str, shape: &'static Shape) -> Member {
        Member { name, shape, required: true, traits: None }
    }

    /// What a list or a map is made of.
    pub const fn item(shape: &'static Shape) -> Member {
        Member::optional("member", shape)
    }

    pub const fn with(self, traits: &'static ProtocolTraits) -> Member {
        Member { name: self.name, shape: self.shape, required: self.required, traits: Some(traits) }
    }
}

/// A regular expression of the model, compiled on first use: compiling takes a thousand times as long as matching.
pub struct Pattern {
    pub source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub const fn new(source: &'static str) -> Pattern {
        Pattern { source, compiled: OnceLock::new() }
    }

    /// AWS matches the whole value. A pattern beyond this engine (look-around) constrains nothing.
    pub fn matches(&self, value: &str) -> bool {
        self.regex().is_none_or(|regex| regex.is_match(value))
    }

    /// None if this engine cannot express the pattern.
    pub fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&format!(r"\A(?:{})\z", self.source)).ok()).as_ref()
    }
}
