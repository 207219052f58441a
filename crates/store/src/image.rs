//! An immutable snapshot of every table at one revision: persistent ordered maps, so that a copy costs nothing and
//! readers never wait for the writer.

use crate::record::{Index, Key, Record, entry};
use imbl::{OrdMap, OrdSet};
use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Monotonic over restarts and leaders; the group commit that wrote a row.
pub type Revision = u64;

/// A row that a commit wrote or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub table: &'static str,
    pub key: Key,
}

#[derive(Clone, Default)]
pub struct Image {
    revision: Revision,
    tables: BTreeMap<&'static str, Table>,
}

#[derive(Clone, Default)]
struct Table {
    rows: OrdMap<Key, Arc<dyn Any + Send + Sync>>,
    /// (`name=value`, key)
    index: OrdSet<(Arc<str>, Key)>,
}

impl Image {
    pub(crate) fn at(revision: Revision) -> Image {
        Image { revision, tables: BTreeMap::new() }
    }

    /// The same rows under the revision that a commit gave them.
    pub fn published(self, revision: Revision) -> Image {
        Image { revision, ..self }
    }

    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub fn get<R: Record>(&self, key: &str) -> Option<&R> {
        self.tables.get(R::TABLE)?.rows.get(key).map(cast)
    }

    /// The row itself, shared: for those who keep it past this image.
    pub fn get_arc<R: Record>(&self, key: &str) -> Option<Arc<R>> {
        let row = self.tables.get(R::TABLE)?.rows.get(key)?;
        Arc::clone(row).downcast().ok()
    }

    /// All rows of a table in key order.
    pub fn scan<R: Record>(&self) -> impl Iterator<Item = &R> {
        self.tables.get(R::TABLE).into_iter().flat_map(|t| t.rows.values()).map(cast)
    }

    /// Rows whose key begins with `prefix`, in key order.
    pub fn prefix<'a, R: Record>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a R> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let rows = self.tables.get(R::TABLE).into_iter().flat_map(move |t| t.rows.range::<_, str>(from));
        rows.take_while(move |(key, _)| key.as_str().starts_with(prefix)).map(|(_, row)| cast(row))
    }

    /// Rows that indexed themselves under `name = value`, in key order.
    pub fn by<'a, R: Record>(&'a self, name: &str, value: impl std::fmt::Display) -> impl Iterator<Item = &'a R> {
        let wanted = entry(name, value);
        let table = self.tables.get(R::TABLE);
        let first = (Arc::clone(&wanted), Key::new(""));
        let entries = table.into_iter().flat_map(move |t| t.index.range(first.clone()..).map(move |e| (t, e)));
        entries
            .take_while(move |(_, (name, _))| *name == wanted)
            .filter_map(|(table, (_, key))| table.rows.get(key.as_str()))
            .map(cast)
    }

    pub fn count_by<R: Record>(&self, name: &str, value: impl std::fmt::Display) -> usize {
        self.by::<R>(name, value).count()
    }

    pub fn len<R: Record>(&self) -> usize {
        self.tables.get(R::TABLE).map_or(0, |t| t.rows.len())
    }

    pub(crate) fn insert<R: Record>(&mut self, record: R) {
        let key = record.key();
        self.remove::<R>(key.as_str());
        let table = self.tables.entry(R::TABLE).or_default();
        for name in entries_of(&record) {
            table.index.insert((name, key.clone()));
        }
        table.rows.insert(key, Arc::new(record));
    }

    /// Removes every row and names them.
    pub(crate) fn clear(&mut self) -> Vec<(&'static str, Key)> {
        let tables = std::mem::take(&mut self.tables);
        tables.iter().flat_map(|(name, table)| table.rows.keys().map(move |key| (*name, key.clone()))).collect()
    }

    pub(crate) fn remove<R: Record>(&mut self, key: &str) -> bool {
        let Some(table) = self.tables.get_mut(R::TABLE) else { return false };
        let Some((key, old)) = table.rows.remove_with_key(key) else { return false };
        for name in entries_of(cast::<R>(&old)) {
            table.index.remove(&(name, key.clone()));
        }
        true
    }
}

fn entries_of<R: Record>(record: &R) -> Vec<Arc<str>> {
    let mut index = Index::default();
    record.indexes(&mut index);
    index.0
}

fn cast<R: Record>(row: &Arc<dyn Any + Send + Sync>) -> &R {
    // A table name belongs to one record type; two types under one name is a bug of ours, found by the first test.
    row.downcast_ref().expect("one record type per table")
}
