//! The rows of one table and the index over them, kept in step. Persistent maps: a copy shares everything with its
//! original until one of them changes.

use crate::record::{Key, Record, names_of};
use imbl::{OrdMap, OrdSet};
use std::any::Any;
use std::sync::Arc;

pub(crate) type Row = Arc<dyn Any + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Table {
    rows: OrdMap<Key, Row>,
    /// `name=value` to the keys of the rows that gave it.
    index: OrdMap<Arc<str>, Keys>,
    encode: fn(&Row) -> Vec<u8>,
}

/// Many values belong to one row only (a client token, say); a set for each would cost more than the row.
#[derive(Clone)]
enum Keys {
    One(Key),
    Many(OrdSet<Key>),
}

impl Table {
    pub fn of<R: Record>() -> Table {
        Table { rows: OrdMap::new(), index: OrdMap::new(), encode: |row| crate::tables::encode(cast::<R>(row)) }
    }

    pub fn rows(&self) -> &OrdMap<Key, Row> {
        &self.rows
    }

    /// The stored form of a row.
    pub fn encoded(&self, key: &Key) -> Option<Vec<u8>> {
        self.rows.get(key.as_str()).map(self.encode)
    }

    /// Keys of the rows that gave `entry` to the index, in order.
    pub fn keys<'a>(&'a self, entry: &str) -> impl Iterator<Item = &'a Key> + use<'a> {
        let (one, many) = match self.index.get(entry) {
            None => (None, None),
            Some(Keys::One(key)) => (Some(key), None),
            Some(Keys::Many(keys)) => (None, Some(keys)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub fn count(&self, entry: &str) -> usize {
        match self.index.get(entry) {
            None => 0,
            Some(Keys::One(_)) => 1,
            Some(Keys::Many(keys)) => keys.len(),
        }
    }

    /// Returns the key, as all that name this row share it.
    pub fn put<R: Record>(&mut self, record: R) -> Key {
        let names = names_of(&record);
        let key = record.key();
        let row: Row = Arc::new(record);
        // The key that is there stays: the index shares it.
        let (key, before) = match self.rows.get_key_value_mut(key.as_str()) {
            Some((key, old)) => (key.clone(), names_of(cast::<R>(&std::mem::replace(old, row)))),
            None => {
                self.rows.insert(key.clone(), row);
                (key, Vec::new())
            }
        };
        before.iter().filter(|name| !names.contains(name)).for_each(|name| self.leave(name, &key));
        names.iter().filter(|name| !before.contains(name)).for_each(|name| self.enter(name, &key));
        key
    }

    pub fn remove<R: Record>(&mut self, key: &str) -> Option<Key> {
        let (key, old) = self.rows.remove_with_key(key)?;
        names_of(cast::<R>(&old)).iter().for_each(|name| self.leave(name, &key));
        Some(key)
    }

    fn enter(&mut self, name: &str, key: &Key) {
        match self.index.get_mut(name) {
            None => _ = self.index.insert(name.into(), Keys::One(key.clone())),
            Some(Keys::Many(keys)) => _ = keys.insert(key.clone()),
            Some(keys @ Keys::One(_)) => {
                let Keys::One(first) = &*keys else { unreachable!("just matched") };
                *keys = Keys::Many([first.clone(), key.clone()].into_iter().collect());
            }
        }
    }

    fn leave(&mut self, name: &str, key: &Key) {
        let last = match self.index.get_mut(name) {
            Some(Keys::Many(keys)) => {
                keys.remove(key.as_str());
                keys.is_empty()
            }
            Some(Keys::One(_)) => true,
            None => false,
        };
        if last {
            self.index.remove(name);
        }
    }
}

pub(crate) fn cast<R: Record>(row: &Row) -> &R {
    // A table name belongs to one record type; two types under one name is a bug of ours, found by the first test.
    row.downcast_ref().expect("one record type per table")
}
