//! What stands in the database, and the transactions on it: the first one, a new leader, a group of writes, and taking a
//! group back.

use crate::Revision;
use crate::backend::{Epoch, Write};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// `table/key` to the row's bytes.
pub(super) const ROWS: TableDefinition<&str, &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

const FORMAT: &str = "format";
const EPOCH: &str = "epoch";
const REVISION: &str = "revision";
/// Of the layout of this file; rows carry versions of their own.
const FORMAT_VERSION: u64 = 1;

pub(super) type Outcome<T> = Result<T, Failure>;

#[derive(Debug, PartialEq)]
pub(super) enum Failure {
    NotLeader,
    InUse,
    Full,
    /// Not a store of ours, or not one of this version's.
    Foreign(String),
    Other(String),
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Meta {
    pub epoch: Epoch,
    pub revision: Revision,
}

impl Meta {
    pub fn read(database: &Database) -> Outcome<Meta> {
        Meta::of(&database.begin_read()?)
    }

    pub fn of(read: &ReadTransaction) -> Outcome<Meta> {
        let meta = read.open_table(META).map_err(|error| Failure::Foreign(error.to_string()))?;
        let value = |name| match meta.get(name)? {
            Some(value) => Outcome::Ok(value.value()),
            None => Err(Failure::Foreign(format!("it has no {name}"))),
        };
        match value(FORMAT)? {
            FORMAT_VERSION => Ok(Meta { epoch: value(EPOCH)?, revision: value(REVISION)? }),
            other => Err(Failure::Foreign(format!("its format is {other}, this version reads {FORMAT_VERSION}"))),
        }
    }

    pub fn write_first(database: &Database) -> Outcome<()> {
        let transaction = begin(database)?;
        transaction.open_table(ROWS)?;
        set(&transaction, FORMAT, FORMAT_VERSION)?;
        set(&transaction, EPOCH, 0)?;
        set(&transaction, REVISION, 0)?;
        Ok(transaction.commit()?)
    }
}

/// A row as it was before a group wrote it.
pub(super) struct Replaced {
    path: String,
    value: Option<Vec<u8>>,
}

pub(super) struct Group<'a> {
    pub epoch: Epoch,
    pub writes: &'a [Write],
    pub replaced: &'a mut Vec<Replaced>,
}

impl Group<'_> {
    pub fn commit(&mut self, database: &Database) -> Outcome<Revision> {
        let transaction = begin(database)?;
        let revision = self.apply(&transaction)?;
        transaction.commit()?;
        Ok(revision)
    }

    fn apply(&mut self, transaction: &WriteTransaction) -> Outcome<Revision> {
        if get(transaction, EPOCH)? != self.epoch {
            return Err(Failure::NotLeader);
        }
        let mut rows = transaction.open_table(ROWS)?;
        for Write { table, key, value } in self.writes {
            let path = format!("{table}/{key}");
            debug_assert_eq!(split(&path), Some((*table, key.as_str())), "a table's name is `service/resource`");
            let before = match value {
                Some(value) => rows.insert(path.as_str(), value.as_ref())?,
                None => rows.remove(path.as_str())?,
            };
            let value = before.map(|before| before.value().to_owned());
            self.replaced.push(Replaced { path, value });
        }
        next_revision(transaction)
    }
}

pub(super) fn lead(database: &Database) -> Outcome<Epoch> {
    let transaction = begin(database)?;
    let epoch = get(&transaction, EPOCH)? + 1;
    set(&transaction, EPOCH, epoch)?;
    transaction.commit()?;
    Ok(epoch)
}

/// Restores what a group replaced, under a revision of its own.
pub(super) fn take_back(database: &Database, replaced: &[Replaced]) -> Outcome<Revision> {
    let transaction = begin(database)?;
    {
        let mut rows = transaction.open_table(ROWS)?;
        for Replaced { path, value } in replaced.iter().rev() {
            match value {
                Some(value) => rows.insert(path.as_str(), value.as_slice())?,
                None => rows.remove(path.as_str())?,
            };
        }
    }
    let revision = next_revision(&transaction)?;
    transaction.commit()?;
    Ok(revision)
}

/// The table, which is `service/resource`, and the key behind it.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    let service = path.find('/')?;
    let resource = path[service + 1..].find('/')?;
    let (table, key) = path.split_at(service + 1 + resource);
    Some((table, &key[1..]))
}

/// redb asserts what a damaged file breaks, in a few places; the writer thread must outlive that.
pub(super) fn attempt<T>(action: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|_| Err(Failure::Other("the file is damaged".into())))
}

/// Quick repair records what is allocated with each commit: without it the file is walked after a crash, which took
/// 3.7 s for a million rows instead of 9 ms.
fn begin(database: &Database) -> Outcome<WriteTransaction> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn next_revision(transaction: &WriteTransaction) -> Outcome<Revision> {
    let revision = get(transaction, REVISION)? + 1;
    set(transaction, REVISION, revision)?;
    Ok(revision)
}

fn get(transaction: &WriteTransaction, name: &str) -> Outcome<u64> {
    let meta = transaction.open_table(META)?;
    let value = meta.get(name)?.map(|value| value.value());
    value.ok_or_else(|| Failure::Foreign(format!("it has no {name}")))
}

fn set(transaction: &WriteTransaction, name: &str, value: u64) -> Outcome<()> {
    transaction.open_table(META)?.insert(name, value)?;
    Ok(())
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => Failure::InUse,
            redb::Error::Io(error) if is_full(&error) => Failure::Full,
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => Failure::Foreign(error.to_string()),
            redb::Error::Io(error) => Failure::Other(error.to_string()),
            other => Failure::Other(other.to_string()),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotLeader => f.write_str("no longer the leader"),
            Failure::InUse => f.write_str("another process has it open"),
            Failure::Full => f.write_str("no space left on device"),
            Failure::Foreign(what) => write!(f, "not a Slipway store: {what}"),
            Failure::Other(what) => f.write_str(what),
        }
    }
}

/// Deliberate defects, for tests that must notice them.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mutation {
    /// Acknowledges before the disk has it.
    NotDurable,
    /// Commits each write by itself.
    NotAtomic,
}

#[cfg(test)]
impl Group<'_> {
    pub fn commit_wrongly(&mut self, database: &Database, mutation: Mutation) -> Outcome<Revision> {
        match mutation {
            Mutation::NotDurable => {
                let mut transaction = begin(database)?;
                transaction.set_durability(redb::Durability::None).map_err(|error| Failure::Other(error.to_string()))?;
                let revision = self.apply(&transaction)?;
                transaction.commit()?;
                Ok(revision)
            }
            Mutation::NotAtomic => {
                let mut revision = 0;
                for write in self.writes {
                    let (epoch, writes) = (self.epoch, std::slice::from_ref(write));
                    revision = Group { epoch, writes, replaced: self.replaced }.commit(database)?;
                }
                Ok(revision)
            }
        }
    }
}
