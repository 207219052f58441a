//! One transaction: reads see its own writes; nothing leaves it unless it is kept. A group of transactions shares one
//! commit, each with a savepoint of its own.

use crate::Write;
use crate::image::{Change, Image};
use crate::record::Record;
use std::sync::Arc;

pub struct Tx {
    image: Image,
    /// In the order they were touched, some more than once. What is written is what the image holds in the end, so rows
    /// are encoded once, and those of a failed transaction never.
    touched: Vec<Change>,
}

/// Where a failed transaction of a group returns to.
pub struct Savepoint {
    image: Image,
    touched: usize,
}

impl Tx {
    pub fn new(image: Image) -> Tx {
        Tx { image, touched: Vec::new() }
    }

    pub fn put<R: Record>(&mut self, record: R) {
        const { assert!(is_table(R::TABLE), "a table is named `service/resource`") };
        let key = self.image.insert(record);
        self.touched.push(Change { table: R::TABLE, key });
    }

    /// Reads, changes and puts the row back; `false` if there is none.
    pub fn update<R: Record>(&mut self, key: &str, change: impl FnOnce(&mut R)) -> bool {
        let Some(mut record) = self.image.get::<R>(key).cloned() else { return false };
        change(&mut record);
        self.put(record);
        true
    }

    pub fn delete<R: Record>(&mut self, key: &str) -> bool {
        let Some(key) = self.image.remove::<R>(key) else { return false };
        self.touched.push(Change { table: R::TABLE, key });
        true
    }

    /// Forgets every row of every table.
    pub fn clear(&mut self) {
        self.touched.extend(self.image.clear());
    }

    pub fn savepoint(&self) -> Savepoint {
        Savepoint { image: self.image.clone(), touched: self.touched.len() }
    }

    pub fn rollback(&mut self, to: Savepoint) {
        self.image = to.image;
        self.touched.truncate(to.touched);
    }

    /// Rows touched since `from`, for hints. A row that was touched before it as well and has come out the same is left
    /// out, or two reconcilers that confirm each other would never end.
    pub fn changes_since(&self, from: &Savepoint) -> Vec<Change> {
        let before = distinct(self.touched[..from.touched].to_vec());
        let is_new = |change: &Change| before.binary_search(change).is_err();
        let differs = |change: &Change| from.image.encoded(change) != self.image.encoded(change);
        let touched = distinct(self.touched[from.touched..].to_vec());
        touched.into_iter().filter(|change| is_new(change) || differs(change)).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.touched.is_empty()
    }

    /// What the backend must make durable, what the feed says, and the image to publish once it is.
    pub fn into_parts(self) -> (Vec<Write>, Vec<Change>, Image) {
        let changes = distinct(self.touched);
        let writes = changes.iter().map(|change| write(&self.image, change)).collect();
        (writes, changes, self.image)
    }
}

fn write(image: &Image, change: &Change) -> Write {
    let Change { table, key } = change;
    Write { table, key: key.clone(), value: image.encoded(change).map(Arc::from) }
}

/// In key order, which is also the order that a tree on a disk likes best.
fn distinct(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_unstable();
    changes.dedup();
    changes
}

/// Backends store `table/key` and must be able to tell where the key begins.
const fn is_table(name: &str) -> bool {
    let (mut at, mut slashes) = (0, 0);
    while at < name.len() {
        slashes += (name.as_bytes()[at] == b'/') as usize;
        at += 1;
    }
    slashes == 1
}

/// A transaction is read like the image it is an overlay of.
impl std::ops::Deref for Tx {
    type Target = Image;
    fn deref(&self) -> &Image {
        &self.image
    }
}

#[cfg(test)]
mod tests;
