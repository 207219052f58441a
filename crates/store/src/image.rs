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

    /// As `scan`, each with the key that it is kept under.
    pub fn keyed<R: Record>(&self) -> impl Iterator<Item = (&Key, &R)> {
        let rows = self.tables.get(R::TABLE).into_iter().flat_map(|table| table.rows());
        rows.map(|(key, row)| (key, cast(row)))
    }

    /// Rows whose key begins with `prefix`, in key order.
    pub fn prefix<'a, R: Record>(&'a self, prefix: &str) -> impl Iterator<Item = &'a R> + use<'a, R> {
        let end = successor(prefix);
        let bounds = (Bound::Included(prefix), end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
        let rows = self.tables.get(R::TABLE).map(|table| table.rows().range::<_, str>(bounds));
        rows.into_iter().flatten().map(|(_, row)| cast(row))
    }

    /// Rows whose key comes behind `key`, in key order.
    pub fn after<'a, R: Record>(&'a self, key: &str) -> impl Iterator<Item = &'a R> + use<'a, R> {
        let bounds = (Bound::Excluded(key), Bound::Unbounded);
        let rows = self.tables.get(R::TABLE).map(|table| table.rows().range::<_, str>(bounds));
        rows.into_iter().flatten().map(|(_, row)| cast(row))
    }

    /// The row whose key is the last.
    pub fn last<R: Record>(&self) -> Option<&R> {
        let (_, row) = self.tables.get(R::TABLE)?.rows().get_max()?;
        Some(cast(row))
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

/// The first text behind all that begin with `prefix`; none if there is no such text.
fn successor(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Surrogates are no characters: what follows the last one before them is the first one behind.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Name(String);

    impl Record for Name {
        const TABLE: &'static str = "test/name";

        fn key(&self) -> Key {
            Key::new(self.0.as_str())
        }
    }

    #[test]
    fn a_prefix_finds_exactly_what_begins_with_it() {
        let digits = |number: u32| format!("{number:b}");
        let mut image = Image::default();
        (0..300).for_each(|number| drop(image.insert(Name(digits(number)))));
        for prefix in (0..40).map(digits).chain([String::new(), "2".to_owned()]) {
            let found: Vec<&Name> = image.prefix(&prefix).collect();
            let expected: Vec<&Name> = image.scan().filter(|name: &&Name| name.0.starts_with(&prefix)).collect();
            assert_eq!(found, expected, "{prefix:?}");
        }
    }

    #[test]
    fn what_comes_behind_a_key_is_found_whether_or_not_it_is_there() {
        let mut image = Image::default();
        assert_eq!((image.after::<Name>("").count(), image.last::<Name>()), (0, None));
        ["b", "d", "a"].iter().for_each(|name| drop(image.insert(Name((*name).to_owned()))));
        let after = |key: &str| image.after(key).map(|name: &Name| name.0.as_str()).collect::<String>();
        assert_eq!(["", "a", "b", "c", "d", "e"].map(after), ["abd", "bd", "d", "d", "", ""]);
        assert_eq!(image.last(), Some(&Name("d".to_owned())));
    }

    #[test]
    fn a_prefix_ends_where_the_next_text_begins() {
        let cases =
            [("a/", Some("a0")), ("", None), ("aä", Some("aå")), ("\u{d7ff}", Some("\u{e000}")), ("a\u{10ffff}", Some("b"))];
        for (prefix, end) in cases {
            assert_eq!(successor(prefix).as_deref(), end, "{prefix:?}");
        }
        assert_eq!(successor("\u{10ffff}"), None);
    }
}
