//! A parameter: one name, up to a hundred versions of its value.

mod describe;
mod get;
mod history;
mod labels;
mod name;
mod put;
pub mod resolve;

pub use describe::describe_parameters;
pub use get::{get_parameter, get_parameters, get_parameters_by_path};
pub use history::get_parameter_history;
pub use labels::{label_parameter_version, unlabel_parameter_version};
pub use put::put_parameter;

use api_ssm as api;
use base::{Arn, Scope, Time};
use kernel::Call;
use name::Selector;
use seal::{Key as SealKey, Sealed};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::{Image, Key, Record, Tx};

/// Written by PutParameter, the label and the tag operations; lives until it is deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parameter {
    pub scope: Scope,
    pub name: String,
    /// Oldest first, never none.
    pub versions: Vec<Version>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    pub number: i64,
    /// String, StringList or SecureString.
    pub kind: String,
    pub value: Sealed,
    pub key_id: Option<String>,
    pub description: Option<String>,
    pub allowed_pattern: Option<String>,
    pub tier: String,
    pub data_type: String,
    pub policies: Option<String>,
    pub labels: BTreeSet<String>,
    pub at: Time,
    pub by: String,
}

impl Parameter {
    /// The slash that a path begins with is not doubled.
    pub fn arn(&self) -> String {
        Arn::new(&self.scope, "ssm", format!("parameter/{}", self.name.trim_start_matches('/'))).to_string()
    }

    pub fn newest(&self) -> &Version {
        self.versions.last().expect("a parameter is made with its first version")
    }

    pub fn version(&self, number: i64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    fn selected(&self, selector: &Selector) -> Option<&Version> {
        match selector {
            Selector::Newest => Some(self.newest()),
            Selector::Version(number) => self.version(*number),
            Selector::Label(label) => self.versions.iter().find(|version| version.labels.contains(label)),
        }
    }

    /// Sealed values are bound to where they stand: one row's cannot be passed off as another's.
    fn place(&self, number: i64) -> String {
        place(&self.scope, &self.name, number)
    }

    fn value(&self, key: &SealKey, version: &Version) -> Result<String, wire::Error> {
        let unreadable = |_| api::Error::internal_server_error("The value cannot be decrypted with this server's key.").into();
        key.open(&self.place(version.number), &version.value).map_err(unreadable)
    }
}

fn place(scope: &Scope, name: &str, number: i64) -> String {
    format!("ssm {scope} {name} {number}")
}

pub fn key(scope: &Scope, name: &str) -> Key {
    Key::new(format!("{scope}/{name}"))
}

/// The parameter that `given`, a name or an ARN, means.
pub fn find<'a>(image: &'a Image, scope: &Scope, given: &str) -> Option<&'a Parameter> {
    name::candidates(scope, given).iter().find_map(|(scope, name)| image.get::<Parameter>(key(scope, name).as_str()))
}

fn not_found(name: &str) -> wire::Error {
    api::Error::parameter_not_found(format!("Parameter {name} not found.")).into()
}

fn invalid(sentence: impl Into<String>) -> wire::Error {
    wire::Error::sender("ValidationException", sentence)
}

pub fn delete_parameter(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeleteParameterRequest,
) -> Result<api::DeleteParameterResult, wire::Error> {
    let name = input.name.unwrap_or_default();
    if delete(call, tx, &name) { Ok(api::DeleteParameterResult {}) } else { Err(not_found(&name)) }
}

pub fn delete_parameters(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeleteParametersRequest,
) -> Result<api::DeleteParametersResult, wire::Error> {
    let names = input.names.unwrap_or_default().into_iter();
    let (deleted, unknown): (Vec<String>, Vec<String>) = names.partition(|name| delete(call, tx, name));
    Ok(api::DeleteParametersResult { deleted_parameters: Some(deleted), invalid_parameters: Some(unknown) })
}

fn delete(call: &Call, tx: &mut Tx, name: &str) -> bool {
    let found = find(tx, &call.scope, name).map(Parameter::key);
    found.is_some_and(|key| tx.delete::<Parameter>(key.as_str()))
}

impl Record for Parameter {
    const TABLE: &'static str = "ssm/parameter";

    fn key(&self) -> Key {
        key(&self.scope, &self.name)
    }
}

#[cfg(test)]
mod tests;
