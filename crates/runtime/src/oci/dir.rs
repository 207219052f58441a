//! Where a sandbox keeps its things on disk, and the records that outlive shim and agent. A record is replaced by a
//! rename, so that whoever reads it after a kill finds the old one or the new one. Nothing here survives a power loss
//! on purpose: the containers do not either.

use crate::Exit;
use base::Time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// `<root>/<task id>`. Container names have no dot, so the sandbox's own files all have one.
#[derive(Clone, Debug)]
pub struct Sandbox(pub PathBuf);

impl Sandbox {
    pub fn create(&self) -> io::Result<()> {
        private_dir(&self.0)
    }

    pub fn socket(&self) -> PathBuf {
        self.0.join("shim.sock")
    }

    pub fn log(&self) -> PathBuf {
        self.0.join("shim.log")
    }

    /// /dev/shm of a task whose containers share an IPC namespace.
    pub fn shared_memory(&self) -> PathBuf {
        self.0.join(".shm")
    }

    pub fn container(&self, name: &str) -> Container {
        Container(self.0.join(name))
    }

    /// Every container that was started and not removed, with what is known of it.
    pub fn records(&self) -> io::Result<Vec<(String, Record)>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(record) = self.container(&name).record() {
                records.push((name, record));
            }
        }
        records.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(records)
    }
}

/// `<root>/<task id>/<container name>`.
#[derive(Clone, Debug)]
pub struct Container(pub PathBuf);

/// What is on disk about a container. Written by the shim: the run when it started, the exit when it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub runtime_id: String,
    pub started_at: Time,
    pub exit: Option<Exit>,
}

#[derive(Serialize, Deserialize)]
struct RunRecord {
    runtime_id: String,
    started_at: Time,
}

impl Container {
    /// The writable layer of a start that was never told of is of no use to the next; a restart goes on with its own.
    pub fn prepare(&self, again: bool) -> io::Result<()> {
        private_dir(&self.0)?;
        if !again {
            remove_dir_if_any(&self.upper())?;
        }
        remove_dir_if_any(&self.work())?;
        for dir in [self.upper(), self.work(), self.merged(), self.scratch()] {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
        }
        Ok(())
    }

    pub fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }

    pub fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    pub fn merged(&self) -> PathBuf {
        self.0.join("merged")
    }

    /// A tmpfs while the container starts, seen by nobody else; an empty directory otherwise.
    pub fn scratch(&self) -> PathBuf {
        self.0.join("start")
    }

    /// `hosts`, `hostname`, `resolv.conf`: bound over the image's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn started(&self, runtime_id: &str, started_at: Time) -> io::Result<()> {
        remove_file_if_any(&self.0.join("exit.json"))?;
        replace_json(&self.0.join("run.json"), &RunRecord { runtime_id: runtime_id.to_owned(), started_at })
    }

    pub fn exited(&self, exit: &Exit) -> io::Result<()> {
        replace_json(&self.0.join("exit.json"), exit)
    }

    pub fn record(&self) -> Option<Record> {
        let run: RunRecord = read_json(&self.0.join("run.json"))?;
        Some(Record { runtime_id: run.runtime_id, started_at: run.started_at, exit: read_json(&self.0.join("exit.json")) })
    }

    /// Forgets the run but keeps the writable layer, for a restart.
    pub fn forget(&self) -> io::Result<()> {
        remove_file_if_any(&self.0.join("run.json"))?;
        remove_file_if_any(&self.0.join("exit.json"))
    }
}

fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn replace_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    replace(path, &serde_json::to_vec(value)?)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}

pub fn remove_file_if_any(path: &Path) -> io::Result<()> {
    ignore_missing(fs::remove_file(path))
}

pub fn remove_dir_if_any(path: &Path) -> io::Result<()> {
    ignore_missing(fs::remove_dir_all(path))
}

pub fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
