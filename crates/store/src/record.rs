//! What a row is: a serde type with a table, a key, a version, and the indexes it wants to be found by.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A readable path inside a table, e.g. `123456789012/us-east-1/default/0f3a…`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    pub fn new(path: impl Into<Arc<str>>) -> Key {
        Key(path.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A table's row. Say in its doc comment who writes it and how long it lives.
pub trait Record: Serialize + DeserializeOwned + Any + Clone + Send + Sync {
    /// `service/resource`, e.g. `ecs/task`.
    const TABLE: &'static str;
    const VERSION: u32 = 1;

    fn key(&self) -> Key;

    /// Names and values this row is found by, besides its key.
    fn indexes(&self, _index: &mut Index) {}

    /// Brings a row of an older `VERSION` to this one.
    fn migrate(_from: u32, row: serde_json::Value) -> serde_json::Value {
        row
    }
}

/// Collects `name = value` pairs of one row.
#[derive(Default)]
pub struct Index(Vec<String>);

impl Index {
    pub fn add(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push(entry(name, value));
    }
}

pub(crate) fn entry(name: &str, value: impl fmt::Display) -> String {
    format!("{name}={value}")
}

/// What a row is found by, each once.
pub(crate) fn names_of<R: Record>(record: &R) -> Vec<String> {
    let mut index = Index::default();
    record.indexes(&mut index);
    index.0.sort_unstable();
    index.0.dedup();
    index.0
}
