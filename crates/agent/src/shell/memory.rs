//! The node's durable memory: the generation it obeys and the tasks it knows. One file, one durable commit per group; whoever
//! has it open is the only agent of this data directory.

use crate::engine::Task;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use workload::TaskId;

const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
const NAMES: TableDefinition<&str, &str> = TableDefinition::new("names");
/// Task id -> the engine's state of it, as JSON.
const TASKS: TableDefinition<&str, &[u8]> = TableDefinition::new("tasks");
const GENERATION: &str = "generation";
const NODE: &str = "node";
const ENDPOINT_SECRET: &str = "endpoint secret";
/// A few hundred tasks are a few megabytes.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

pub struct Memory {
    path: PathBuf,
    database: Database,
}

/// What one commit writes. A task without state is forgotten.
#[derive(Debug, Default)]
pub struct Group {
    pub generation: u64,
    pub tasks: BTreeMap<TaskId, Option<Task>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the node's memory {path}: {source}")]
pub struct Error {
    path: PathBuf,
    source: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Database(#[from] redb::Error),
    #[error("a task is written as {0}")]
    Task(#[from] serde_json::Error),
}

impl Memory {
    /// Tasks hold secrets (their environment), so nobody else may read the file.
    pub fn open(directory: &Path) -> Result<Memory, Error> {
        let path = directory.join("memory.redb");
        open(directory, &path).map(|database| Memory { path: path.clone(), database }).map_err(|source| Error { path, source })
    }

    pub fn load(&self) -> Result<(u64, Vec<Task>), Error> {
        load(&self.database).map_err(|source| self.error(source))
    }

    pub fn write(&self, group: &Group) -> Result<(), Error> {
        write(&self.database, group).map_err(|source| self.error(source))
    }

    /// Of a machine that died: none of its tasks goes on where it was, and none is started that had not been.
    pub fn bury(&self) -> Result<(), Error> {
        let (generation, mut tasks) = self.load()?;
        tasks.iter_mut().for_each(Task::bury);
        self.write(&Group { generation, tasks: tasks.into_iter().map(|task| (task.spec.id.clone(), Some(task))).collect() })
    }

    /// The node's id, drawn once.
    pub fn node(&self, fresh: &str) -> Result<String, Error> {
        name(&self.database, NODE, fresh).map_err(|source| self.error(source))
    }

    /// What the addresses are drawn from at which containers ask about themselves. Drawn once: containers outlive agents.
    pub fn endpoint_secret(&self, fresh: &str) -> Result<String, Error> {
        name(&self.database, ENDPOINT_SECRET, fresh).map_err(|source| self.error(source))
    }

    fn error(&self, source: Cause) -> Error {
        Error { path: self.path.clone(), source }
    }
}

/// redb has an error type per step; they are one to us.
fn any<T, E: Into<redb::Error>>(result: Result<T, E>) -> Result<T, Cause> {
    result.map_err(|error| Cause::Database(error.into()))
}

fn open(directory: &Path, path: &Path) -> Result<Database, Cause> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let database = any(Database::builder().set_cache_size(CACHE_BYTES).create(path))?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    let transaction = any(database.begin_write())?;
    any(transaction.open_table(NUMBERS))?;
    any(transaction.open_table(NAMES))?;
    any(transaction.open_table(TASKS))?;
    any(transaction.commit())?;
    Ok(database)
}

fn load(database: &Database) -> Result<(u64, Vec<Task>), Cause> {
    let transaction = any(database.begin_read())?;
    let numbers = any(transaction.open_table(NUMBERS))?;
    let generation = any(numbers.get(GENERATION))?.map(|number| number.value()).unwrap_or_default();
    let mut tasks = vec![];
    for row in any(any(transaction.open_table(TASKS))?.iter())? {
        tasks.push(serde_json::from_slice(any(row)?.1.value())?);
    }
    Ok((generation, tasks))
}

fn write(database: &Database, group: &Group) -> Result<(), Cause> {
    let transaction = any(database.begin_write())?;
    {
        any(any(transaction.open_table(NUMBERS))?.insert(GENERATION, group.generation))?;
        let mut tasks = any(transaction.open_table(TASKS))?;
        for (id, task) in &group.tasks {
            match task {
                Some(task) => drop(any(tasks.insert(id.as_str(), serde_json::to_vec(task)?.as_slice()))?),
                None => drop(any(tasks.remove(id.as_str()))?),
            }
        }
    }
    any(transaction.commit())
}

fn name(database: &Database, which: &str, fresh: &str) -> Result<String, Cause> {
    let transaction = any(database.begin_write())?;
    let name = {
        let mut names = any(transaction.open_table(NAMES))?;
        let known = any(names.get(which))?.map(|name| name.value().to_owned());
        match known {
            Some(known) => known,
            None => {
                any(names.insert(which, fresh))?;
                fresh.to_owned()
            }
        }
    };
    any(transaction.commit())?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use workload::TaskSpec;

    fn task(id: &str) -> Task {
        Task::new(Arc::new(TaskSpec { id: id.into(), ..TaskSpec::default() }))
    }

    #[test]
    fn what_was_written_is_there_again_and_what_was_forgotten_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::open(directory.path()).unwrap();
        assert_eq!(memory.load().unwrap().0, 0);
        let tasks = ["a", "b"].map(|id| (id.to_owned(), Some(task(id))));
        memory.write(&Group { generation: 7, tasks: tasks.into() }).unwrap();
        memory.write(&Group { generation: 8, tasks: [("a".to_owned(), None)].into() }).unwrap();
        let node = memory.node("first").unwrap();
        drop(memory);
        let memory = Memory::open(directory.path()).unwrap();
        let (generation, tasks) = memory.load().unwrap();
        let ids: Vec<_> = tasks.iter().map(|task| task.spec.id.as_str()).collect();
        assert_eq!((generation, ids, memory.node("second").unwrap()), (8, vec!["b"], node));
    }

    #[test]
    fn of_a_dead_machine_every_task_is_over_and_the_generation_stands() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::open(directory.path()).unwrap();
        let tasks = ["a", "b"].map(|id| (id.to_owned(), Some(task(id))));
        memory.write(&Group { generation: 7, tasks: tasks.into() }).unwrap();
        memory.bury().unwrap();
        let (generation, tasks) = memory.load().unwrap();
        assert_eq!((generation, tasks.len(), tasks.iter().any(Task::wanted)), (7, 2, false));
    }

    #[test]
    fn only_one_agent_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Memory::open(directory.path()).unwrap();
        assert!(Memory::open(directory.path()).is_err());
    }
}
