//! The durable file: one redb database, one durable transaction per group, readable keys (`table/key`), values as given.
//! The whole store is in memory as an image, so the file is read once, at `load`, and only written afterwards.
//! Never overwrites what it did not write: a foreign or damaged file is an error that names it.

mod create;
mod group;

use super::{Backend, Epoch, Loaded, Row, Write};
use crate::{Error, Result, Revision};
use group::{Failure, Group, Meta};
use redb::{Database, ReadableDatabase};
use std::path::Path;

/// Pages kept in memory between commits: the upper levels of the tree and what the last groups touched. redb's own
/// default of 1 GiB is for stores that are read from.
const CACHE_BYTES: usize = 8 << 20;

type Open = Box<dyn Fn() -> std::result::Result<Database, redb::Error> + Send>;

pub struct File {
    /// The path, as errors name it.
    name: String,
    open: Open,
    /// Absent after a failure until the file could be opened again: redb refuses to go on after an I/O error.
    database: Option<Database>,
    /// The last revision that was acknowledged or found when the file was opened.
    revision: Revision,
    /// What the rows of a failed commit held before it.
    undo: Vec<group::Replaced>,
    #[cfg(test)]
    pub(crate) mutation: Option<group::Mutation>,
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
        let opened = group::attempt(|| {
            let database = open()?;
            let meta = Meta::read(&database)?;
            Ok((database, meta))
        });
        let (database, meta) = opened.map_err(|failure| cannot_open(&name, failure))?;
        Ok(File {
            name,
            open,
            database: Some(database),
            revision: meta.revision,
            undo: Vec::new(),
            #[cfg(test)]
            mutation: None,
        })
    }

    /// The open database. After a failed commit the file is opened again, and if that commit reached the disk after all
    /// (only its last sync failed), it is taken back, since its callers were told that nothing was kept.
    fn database(&mut self) -> std::result::Result<&Database, Failure> {
        if self.database.is_none() {
            let (revision, undo) = (self.revision, &self.undo);
            let reopened = group::attempt(|| {
                let database = (self.open)()?;
                let found = Meta::read(&database)?.revision;
                let landed = found > revision && !undo.is_empty();
                Ok((if landed { group::take_back(&database, undo)? } else { found }, database))
            })?;
            self.revision = reopened.0;
            self.undo.clear();
            self.database = Some(reopened.1);
        }
        Ok(self.database.as_ref().expect("just opened"))
    }

    /// Drops the database that failed and opens it again at once, to keep the lock; if that fails too, the next caller
    /// tries again.
    fn recover(&mut self, undo: Vec<group::Replaced>) {
        self.undo = undo;
        self.database = None;
        if let Err(failure) = self.database() {
            tracing::warn!(store = self.name, %failure, "the store cannot be opened again yet");
        }
    }
}

impl Backend for File {
    fn lead(&mut self) -> Result<Epoch> {
        let led = self.database().and_then(|database| group::attempt(|| group::lead(database)));
        led.map_err(|failure| {
            self.recover(Vec::new());
            Error::Commit(failure.to_string())
        })
    }

    fn load(&mut self) -> Result<Loaded> {
        let loaded = self.database().and_then(|database| group::attempt(|| load(database)));
        loaded.map_err(|failure| cannot_open(&self.name, failure))
    }

    fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> Result<Revision> {
        let mut group = Group { epoch, writes, replaced: Vec::new() };
        #[cfg(test)]
        let mutation = self.mutation;
        let committed = self.database().map_err(|failure| Error::Commit(failure.to_string())).map(|database| {
            group::attempt(|| {
                #[cfg(test)]
                if let Some(mutation) = mutation {
                    return group.commit_wrongly(database, mutation);
                }
                group.commit(database)
            })
        })?;
        match committed {
            Ok(revision) => {
                self.revision = revision;
                Ok(revision)
            }
            Err(Failure::NotLeader) => Err(Error::NotLeader),
            Err(failure) => {
                self.recover(group.replaced);
                Err(Error::Commit(failure.to_string()))
            }
        }
    }
}

fn load(database: &Database) -> std::result::Result<Loaded, Failure> {
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
mod tests;
