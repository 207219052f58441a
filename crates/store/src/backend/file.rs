//! The durable file: one redb database, one durable transaction per group, readable keys (`table/key`), values as given.
//! The whole store is in memory as an image, so the file is read once, at `load`, and only written afterwards.
//! Never overwrites what it did not write: a foreign or damaged file is an error that names it.

mod create;
mod group;

use super::{Backend, Epoch, Loaded, Row, Write};
use crate::{Error, Result, Revision};
use group::{Failure, Group, Meta, Outcome, Replaced, attempt};
use redb::{Database, ReadableDatabase};
use std::path::Path;

/// Pages kept in memory between commits: the upper levels of the tree and what the last groups touched. redb's own
/// default of 1 GiB is for stores that are read from.
const CACHE_BYTES: usize = 8 << 20;

type Open = Box<dyn Fn() -> Outcome<Database> + Send>;

pub struct File {
    /// The path, as errors name it.
    name: String,
    open: Open,
    /// Absent after a failure until the file could be opened again: redb refuses to go on after an I/O error.
    database: Option<Database>,
    /// The last that were acknowledged, or found when the file was opened.
    meta: Meta,
    /// What the rows of a failed commit held before it.
    undo: Vec<Replaced>,
    #[cfg(test)]
    mutation: Option<group::Mutation>,
}

impl File {
    /// Opens the store at `path`, or starts an empty one if nothing is there.
    pub fn open(path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref().to_owned();
        let name = path.display().to_string();
        create::unless_present(&path).map_err(|failure| cannot_open(&name, failure))?;
        File::over(name, Box::new(move || Ok(Database::builder().set_cache_size(CACHE_BYTES).open(&path)?)))
    }

    fn over(name: String, open: Open) -> Result<File> {
        let opened = attempt(|| {
            let mut database = open()?;
            let meta = Meta::read(&database)?;
            // Reads check no sums. All pages are about to be read anyway, and this costs less than a tenth of decoding them.
            if !database.check_integrity()? {
                tracing::warn!(store = name, "the record of free pages was wrong, and is repaired");
            }
            Ok((database, meta))
        });
        let (database, meta) = opened.map_err(|failure| cannot_open(&name, failure))?;
        Ok(File {
            name,
            open,
            database: Some(database),
            meta,
            undo: Vec::new(),
            #[cfg(test)]
            mutation: None,
        })
    }

    /// Runs `action` on the open database. If it fails, the file is opened again at once, to keep the lock on it; if that
    /// fails too, the next caller tries again.
    fn perform<T>(&mut self, action: impl FnOnce(&Database, &mut Vec<Replaced>) -> Outcome<T>) -> Outcome<T> {
        let mut replaced = Vec::new();
        let database = self.database()?;
        let outcome = attempt(|| action(database, &mut replaced));
        if outcome.as_ref().is_err_and(|failure| *failure != Failure::NotLeader) {
            self.undo = replaced;
            self.close();
            if let Err(failure) = self.database() {
                tracing::warn!(store = self.name, %failure, "the store cannot be opened again yet");
            }
        }
        outcome
    }

    fn database(&mut self) -> Outcome<&Database> {
        if self.database.is_none() {
            let (revision, database) = attempt(|| self.reopen())?;
            self.meta.revision = revision;
            self.undo.clear();
            self.database = Some(database);
        }
        Ok(self.database.as_ref().expect("just opened"))
    }

    /// If the commit that failed reached the disk after all (only its last sync failed), it is taken back: its callers
    /// were told that nothing was kept. What another leader wrote in between is left alone.
    fn reopen(&self) -> Outcome<(Revision, Database)> {
        let database = (self.open)()?;
        let found = Meta::read(&database)?;
        let landed = found.epoch == self.meta.epoch && found.revision > self.meta.revision && !self.undo.is_empty();
        let revision = if landed { group::take_back(&database, &self.undo)? } else { found.revision };
        Ok((revision, database))
    }

    /// redb's own closing may panic over a damaged file.
    fn close(&mut self) {
        let database = self.database.take();
        attempt(|| {
            drop(database);
            Ok(())
        })
        .ok();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.close();
    }
}

impl Backend for File {
    fn lead(&mut self) -> Result<Epoch> {
        let led = self.perform(|database, _| group::lead(database));
        self.meta.epoch = led.map_err(|failure| Error::Commit(failure.to_string()))?;
        Ok(self.meta.epoch)
    }

    fn load(&mut self) -> Result<Loaded> {
        self.perform(|database, _| load(database)).map_err(|failure| cannot_open(&self.name, failure))
    }

    fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> Result<Revision> {
        #[cfg(test)]
        let mutation = self.mutation;
        let committed = self.perform(|database, replaced| {
            let mut group = Group { epoch, writes, replaced };
            #[cfg(test)]
            if let Some(mutation) = mutation {
                return group.commit_wrongly(database, mutation);
            }
            group.commit(database)
        });
        self.meta.revision = committed.map_err(|failure| match failure {
            Failure::NotLeader => Error::NotLeader,
            failure => Error::Commit(failure.to_string()),
        })?;
        Ok(self.meta.revision)
    }
}

fn load(database: &Database) -> Outcome<Loaded> {
    let read = database.begin_read()?;
    let mut loaded = Loaded { revision: Meta::of(&read)?.revision, rows: Vec::new() };
    for row in read.open_table(group::ROWS)?.range::<&str>(..)? {
        let (path, value) = row?;
        let (table, key) = group::split(path.value()).ok_or_else(|| Failure::Foreign(format!("row {:?}", path.value())))?;
        loaded.rows.push(Row { table: table.to_owned(), key: key.to_owned(), value: value.value().to_owned() });
    }
    Ok(loaded)
}

fn cannot_open(name: &str, failure: Failure) -> Error {
    Error::Open { path: name.to_owned(), message: failure.to_string() }
}

#[cfg(test)]
mod disk;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;
