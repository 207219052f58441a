//! One transaction: reads see its own writes; nothing leaves it unless it is kept. A group of transactions shares one
//! commit, each with a savepoint of its own.

use crate::Write;
use crate::image::{Change, Image};
use crate::record::{Key, Record};
use imbl::OrdMap;
use serde::Serialize;
use std::sync::Arc;

pub struct Tx {
    image: Image,
    writes: OrdMap<(&'static str, Key), Option<Arc<[u8]>>>,
}

/// Where a failed transaction of a group returns to.
pub struct Savepoint(Image, OrdMap<(&'static str, Key), Option<Arc<[u8]>>>);

#[derive(Serialize)]
struct Envelope<'a, R> {
    v: u32,
    r: &'a R,
}

impl Tx {
    pub fn new(image: Image) -> Tx {
        Tx { image, writes: OrdMap::new() }
    }

    pub fn put<R: Record>(&mut self, record: R) {
        let bytes = serde_json::to_vec(&Envelope { v: R::VERSION, r: &record }).expect("records are plain data");
        self.writes.insert((R::TABLE, record.key()), Some(bytes.into()));
        self.image.insert(record);
    }

    /// Reads, changes and puts the row back; `false` if there is none.
    pub fn update<R: Record>(&mut self, key: &str, change: impl FnOnce(&mut R)) -> bool {
        let Some(mut record) = self.image.get::<R>(key).cloned() else { return false };
        change(&mut record);
        self.put(record);
        true
    }

    pub fn delete<R: Record>(&mut self, key: &str) -> bool {
        let existed = self.image.remove::<R>(key);
        if existed {
            self.writes.insert((R::TABLE, Key::new(key)), None);
        }
        existed
    }

    /// Forgets every row of every table.
    pub fn clear(&mut self) {
        for key in self.image.clear() {
            self.writes.insert(key, None);
        }
    }

    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.image.clone(), self.writes.clone())
    }

    pub fn rollback(&mut self, to: Savepoint) {
        self.image = to.0;
        self.writes = to.1;
    }

    /// Rows touched since `from`, for hints.
    pub fn changes_since(&self, from: &Savepoint) -> Vec<Change> {
        let touched = self.writes.iter().filter(|(key, bytes)| from.1.get(*key) != Some(*bytes));
        touched.map(|((table, key), _)| Change { table, key: key.clone() }).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// What the backend must make durable, what the feed says, and the image to publish once it is.
    pub fn into_parts(self) -> (Vec<Write>, Vec<Change>, Image) {
        let changes = self.writes.keys().map(|(table, key)| Change { table, key: key.clone() }).collect();
        let writes = self.writes.into_iter().map(|((table, key), value)| Write { table, key, value }).collect();
        (writes, changes, self.image)
    }
}

/// A transaction is read like the image it is an overlay of.
impl std::ops::Deref for Tx {
    type Target = Image;
    fn deref(&self) -> &Image {
        &self.image
    }
}
