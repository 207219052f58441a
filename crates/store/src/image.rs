//! An immutable snapshot of every table at one revision: persistent ordered maps, so that a copy costs nothing and
//! readers never wait for the writer.

use crate::record::{Key, Record, entry};
use crate::table::{Row, Table, cast};
use imbl::OrdMap;
use std::ops::Bound;
use std::sync::Arc;

/// Monotonic over restarts and leaders; the group commit that wrote a row.
pub type Revision = u64;

/// A row that a commit wrote or removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub table: &'static str,
    pub key: Key,
}

#[derive(Clone, Default)]
pub struct Image {
    revision: Revision,
    tables: OrdMap<&'static str, Table>,
}

impl Image {
    pub(crate) fn at(revision: Revision) -> Image {
        Image { revision, tables: OrdMap::new() }
    }

    /// The same rows under the revision that a commit gave them.
    pub fn published(self, revision: Revision) -> Image {
        Image { revision, ..self }
    }

    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub fn get<R: Record>(&self, key: &str) -> Option<&R> {
        self.row(R::TABLE, key).map(cast)
    }

    /// The row itself, shared: for those who keep it past this image.
    pub fn get_arc<R: Record>(&self, key: &str) -> Option<Arc<R>> {
        Arc::clone(self.row(R::TABLE, key)?).downcast().ok()
    }

    /// All rows of a table in key order.
    pub fn scan<R: Record>(&self) -> impl Iterator<Item = &R> {
        self.tables.get(R::TABLE).into_iter().flat_map(|table| table.rows().values()).map(cast)
    }

    /// Rows whose key begins with `prefix`, in key order.
    pub fn prefix<'a, 'p, R: Record>(&'a self, prefix: &'p str) -> impl Iterator<Item = &'a R> + use<'a, 'p, R> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let rows = self.tables.get(R::TABLE).into_iter().flat_map(move |table| table.rows().range::<_, str>(from));
        rows.take_while(move |(key, _)| key.as_str().starts_with(prefix)).map(|(_, row)| cast(row))
    }

    /// Rows that indexed themselves under `name = value`, in key order.
    pub fn by<'a, R: Record>(&'a self, name: &str, value: impl std::fmt::Display) -> impl Iterator<Item = &'a R> {
        let entry = entry(name, value);
        let rows = self.tables.get(R::TABLE).into_iter().flat_map(move |table| {
            let row = |key: &Key| table.rows().get(key.as_str()).expect("the index names rows");
            table.keys(&entry).map(row)
        });
        rows.map(cast)
    }

    pub fn count_by<R: Record>(&self, name: &str, value: impl std::fmt::Display) -> usize {
        self.tables.get(R::TABLE).map_or(0, |table| table.count(&entry(name, value)))
    }

    /// How many rows a table has.
    #[allow(clippy::len_without_is_empty)] // of a table, not of the image
    pub fn len<R: Record>(&self) -> usize {
        self.tables.get(R::TABLE).map_or(0, |table| table.rows().len())
    }

    pub(crate) fn insert<R: Record>(&mut self, record: R) -> Key {
        self.tables.entry(R::TABLE).or_insert_with(Table::of::<R>).put(record)
    }

    pub(crate) fn remove<R: Record>(&mut self, key: &str) -> Option<Key> {
        self.tables.get_mut(R::TABLE)?.remove::<R>(key)
    }

    /// Removes every row and names them.
    pub(crate) fn clear(&mut self) -> Vec<Change> {
        let tables = std::mem::take(&mut self.tables);
        let keys = tables.iter().flat_map(|(table, rows)| rows.rows().keys().map(move |key| (*table, key)));
        keys.map(|(table, key)| Change { table, key: key.clone() }).collect()
    }

    pub(crate) fn row(&self, table: &str, key: &str) -> Option<&Row> {
        self.tables.get(table)?.rows().get(key)
    }

    pub(crate) fn encoded(&self, row: &Change) -> Option<Vec<u8>> {
        self.tables.get(row.table)?.encoded(&row.key)
    }
}
