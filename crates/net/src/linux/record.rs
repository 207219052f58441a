//! What is remembered on disk: one small file per attachment, written before the kernel objects are made, and one for
//! the host. The kernel objects do not outlive the machine either, so a file is renamed into place but not synced.

use crate::{Attachment, Error, Result};
use ipnet::Ipv4Net;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Written by `attach`, deleted by `detach`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub attachment: Attachment,
    /// The host's end; `None` without a network.
    pub link: Option<String>,
}

/// Written once, when this state directory is first used; deleted by `teardown_all`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    pub subnet: Ipv4Net,
    /// `net.ipv4.ip_forward` before we set it.
    pub ip_forward_before: String,
}

pub struct Records {
    dir: PathBuf,
}

impl Records {
    pub fn open(state_dir: &Path) -> Result<Records> {
        let records = Records { dir: state_dir.to_owned() };
        for dir in [records.attachments_dir(), records.netns_dir()] {
            std::fs::create_dir_all(&dir).map_err(|source| at(&dir, source))?;
        }
        Ok(records)
    }

    pub fn netns(&self, id: &str) -> PathBuf {
        self.netns_dir().join(id)
    }

    pub fn write(&self, record: &Record) -> Result<()> {
        write(&self.path(&record.attachment.id), record)
    }

    pub fn remove(&self, id: &str) -> Result<()> {
        remove(&self.path(id))
    }

    /// A file that cannot be read describes nothing: it is left out, and what it stood for is cleaned up as a leftover.
    pub fn all(&self) -> Result<Vec<Record>> {
        let paths = names(&self.attachments_dir())?.into_iter().map(|name| self.attachments_dir().join(name));
        let mut records = Vec::new();
        for path in paths {
            match read::<Record>(&path) {
                Ok(Some(record)) if self.path(&record.attachment.id) == path => records.push(record),
                other => {
                    tracing::warn!(path = %path.display(), result = ?other.err(), "removing an unreadable attachment record");
                    remove(&path)?;
                }
            }
        }
        Ok(records)
    }

    /// The ids of all names there are, of whole and of half-made attachments.
    pub fn netns_ids(&self) -> Result<Vec<String>> {
        names(&self.netns_dir())
    }

    pub fn host(&self) -> Result<Option<HostRecord>> {
        read(&self.host_path())
    }

    pub fn write_host(&self, host: &HostRecord) -> Result<()> {
        write(&self.host_path(), host)
    }

    /// Everything in the state directory that is ours.
    pub fn remove_all(&self) -> Result<()> {
        remove(&self.host_path())?;
        for dir in [self.attachments_dir(), self.netns_dir()] {
            std::fs::remove_dir_all(&dir).map_err(|source| at(&dir, source))?;
        }
        Ok(())
    }

    fn path(&self, id: &str) -> PathBuf {
        self.attachments_dir().join(format!("{id}.json"))
    }

    fn attachments_dir(&self) -> PathBuf {
        self.dir.join("attachments")
    }

    fn netns_dir(&self) -> PathBuf {
        self.dir.join("netns")
    }

    fn host_path(&self) -> PathBuf {
        self.dir.join("host.json")
    }
}

/// Whether `id` can stand as a file name.
pub fn is_valid_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 200 && !id.starts_with('.') && !id.contains(['/', '\0'])
}

pub fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(value).expect("a record has string keys only");
    // The dot keeps a torn write out of what `names` lists.
    let torn = path.with_file_name(format!(".{}", path.file_name().unwrap_or_default().to_string_lossy()));
    std::fs::write(&torn, text).and_then(|()| std::fs::rename(&torn, path)).map_err(|source| at(path, source))
}

pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| at(path, error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(at(path, source)),
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(at(path, source)),
        _ => Ok(()),
    }
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|source| at(dir, source))? {
        let name = entry.map_err(|source| at(dir, source))?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn at(path: &Path, source: io::Error) -> Error {
    Error::Io { context: path.display().to_string(), source }
}
