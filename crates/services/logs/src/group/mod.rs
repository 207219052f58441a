//! A log group: streams of one kind, with one retention.

mod ops;
mod retention;

pub use ops::*;
pub use retention::*;

use api_logs::Error;
use base::{Arn, Scope, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Image, Key, Record};

/// Written by the group operations and by those of tags; lives until it is deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogGroup {
    pub scope: Scope,
    pub name: String,
    pub created_at: Time,
    /// None keeps events for ever.
    pub retention_in_days: Option<i32>,
    pub kms_key_id: Option<String>,
    /// STANDARD and the others of the model; all are kept alike here.
    pub class: String,
    pub deletion_protected: bool,
    pub tags: BTreeMap<String, String>,
}

impl LogGroup {
    pub fn arn(&self) -> String {
        arn(&self.scope, &self.name)
    }

    /// Events older than this are gone, whether or not their segment still is on disk.
    pub fn oldest_kept(&self, now: Time) -> Time {
        self.retention_in_days.map_or(Time::ZERO, |days| now - days_long(days))
    }
}

/// As in the older member `arn`: every stream of the group is meant. Tags and newer members name it without the `:*`.
pub fn arn(scope: &Scope, name: &str) -> String {
    Arn::new(scope, "logs", format!("log-group:{name}")).to_string()
}

/// The group that `given`, a name or an ARN, means.
pub fn find<'a>(image: &'a Image, scope: &Scope, given: &str) -> Result<&'a LogGroup, Error> {
    let name = name(scope, given)?;
    let group = image.get::<LogGroup>(key(scope, name).as_str());
    group.ok_or_else(|| Error::resource_not_found("The specified log group does not exist."))
}

/// Several operations take the group under one of two members, of which exactly one is set.
pub fn given<'a>(name: &'a Option<String>, identifier: &'a Option<String>) -> Result<&'a str, Error> {
    match (name.as_deref(), identifier.as_deref()) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => Ok(identifier),
        (Some(_), Some(_)) => {
            Err(Error::invalid_parameter("LogGroupName and LogGroupIdentifier are mutually exclusive parameters."))
        }
        (None, None) => Err(Error::invalid_parameter("Must specify either LogGroupName or LogGroupIdentifier.")),
    }
}

fn name<'a>(scope: &Scope, given: &'a str) -> Result<&'a str, Error> {
    if !given.starts_with("arn:") {
        return Ok(given);
    }
    let mine = arn(scope, "");
    let name = given.strip_prefix(mine.as_str()).map(|name| name.strip_suffix(":*").unwrap_or(name));
    let none = || Error::resource_not_found("The specified log group does not exist.");
    name.filter(|name| !name.is_empty() && !name.contains(':')).ok_or_else(none)
}

pub fn key(scope: &Scope, name: &str) -> Key {
    Key::new(format!("{scope}/{name}"))
}

impl Record for LogGroup {
    const TABLE: &'static str = "logs/group";

    fn key(&self) -> Key {
        key(&self.scope, &self.name)
    }
}

#[cfg(test)]
mod tests;
