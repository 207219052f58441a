//! A log stream: the events of one source, in a group.

mod ops;

pub use ops::*;

use crate::group::LogGroup;
use api_logs::Error;
use base::{Scope, Time};
use serde::{Deserialize, Serialize};
use store::{Image, Key, Record};

/// Written by the stream operations; lives until it or its group is deleted. Its events are not rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogStream {
    pub scope: Scope,
    pub group: String,
    pub name: String,
    /// Names its events: a stream made again under the same name has none of the old one's.
    pub id: String,
    pub created_at: Time,
}

impl LogStream {
    pub fn arn(&self) -> String {
        format!("{}:log-stream:{}", crate::group::arn(&self.scope, &self.group), self.name)
    }

    pub fn own_key(&self) -> Key {
        key(&self.scope, &self.group, &self.name)
    }
}

pub fn find<'a>(image: &'a Image, group: &LogGroup, name: &str) -> Result<&'a LogStream, Error> {
    let stream = image.get::<LogStream>(key(&group.scope, &group.name, name).as_str());
    stream.ok_or_else(|| Error::resource_not_found("The specified log stream does not exist."))
}

/// Neither name may hold a colon.
pub fn key(scope: &Scope, group: &str, name: &str) -> Key {
    Key::new(format!("{}{name}", prefix(scope, group)))
}

/// What the keys of a group's streams begin with.
pub fn prefix(scope: &Scope, group: &str) -> String {
    format!("{scope}/{group}:")
}

impl Record for LogStream {
    const TABLE: &'static str = "logs/stream";

    fn key(&self) -> Key {
        self.own_key()
    }
}

#[cfg(test)]
mod tests;
