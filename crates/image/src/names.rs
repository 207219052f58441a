//! The index: which image a name stands for. One small file per name, replaced whole, so an acknowledged name survives any
//! crash. What was read is remembered and trusted as long as the file is the same one: another process may write names too.

use crate::digest::Digest;
use crate::disk::{Disk, sync_directory};
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Given to this node by hand, `slipway image load`: no registry is asked for it.
    Loaded,
    /// Made by Slipway itself.
    Static,
    Pulled,
}

/// Written by whoever loads or pulls; lives until removed or replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `Reference::key`.
    pub name: String,
    /// What the name led to, which may be a manifest list: the digest that is reported.
    pub digest: Digest,
    /// The manifest for this machine.
    pub manifest: Digest,
    pub origin: Origin,
}

#[derive(Default)]
pub struct Names {
    read: Mutex<BTreeMap<String, Known>>,
}

#[derive(Clone)]
struct Known {
    path: PathBuf,
    stamp: Stamp,
    record: Arc<Record>,
}

/// Which file it was: a rename gives the name another inode, a new time or both.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, i64, i64);

impl Record {
    /// The name is the digest alone: running containers are known by that, whatever became of the name they came by.
    pub fn is_unnamed(&self) -> bool {
        self.name == self.digest.to_string()
    }
}

impl Names {
    pub fn get(&self, disk: &Disk, name: &str) -> Result<Option<Arc<Record>>> {
        self.recall(name, || read(path(disk, name)))
    }

    /// A tag of `repository` that leads to `digest`.
    pub fn by_digest(&self, disk: &Disk, repository: &str, digest: &Digest) -> Result<Option<Arc<Record>>> {
        let prefix = format!("{repository}:");
        let same = |record: &Record| record.name.starts_with(&prefix) && (record.digest == *digest || record.manifest == *digest);
        let look = || Ok(read_all(disk)?.into_iter().find(|known| same(&known.record)));
        self.recall(&format!("{repository}@{digest}"), look)
    }

    /// What is known of `key`, if its file is still the same one; else what `look` finds.
    fn recall(&self, key: &str, look: impl FnOnce() -> Result<Option<Known>>) -> Result<Option<Arc<Record>>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(key)
            && stamp(&known.path)? == Some(known.stamp)
        {
            return Ok(Some(known.record.clone()));
        }
        let Some(known) = look()? else {
            read.remove(key);
            return Ok(None);
        };
        let record = known.record.clone();
        read.insert(key.to_owned(), known);
        Ok(Some(record))
    }

    pub fn put(&self, disk: &Disk, record: &Record) -> Result<()> {
        let bytes = serde_json::to_vec(record).map_err(|error| Error::io(record.name.clone(), &error.into()))?;
        disk.write_durably(&path(disk, &record.name), &bytes)
    }

    /// Whether there was such a name.
    pub fn remove(&self, disk: &Disk, name: &str) -> Result<bool> {
        let path = path(disk, name);
        self.read.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        match fs::remove_file(&path) {
            Ok(()) => sync_directory(&disk.names()).context(path.display()).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io(path.display().to_string(), &error)),
        }
    }

    /// Every name there is, in order, from the disk.
    pub fn list(&self, disk: &Disk) -> Result<Vec<Record>> {
        let mut records: Vec<Record> = read_all(disk)?.into_iter().map(|known| (*known.record).clone()).collect();
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }
}

/// Names hold slashes and colons; their digests do not.
fn path(disk: &Disk, name: &str) -> PathBuf {
    disk.names().join(Digest::of(name.as_bytes()).hex())
}

fn read_all(disk: &Disk) -> Result<Vec<Known>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(disk.names()).context(disk.names().display())? {
        all.extend(read(entry.context(disk.names().display())?.path())?);
    }
    Ok(all)
}

/// `None` for a file that went meanwhile or is none of ours.
fn read(path: PathBuf) -> Result<Option<Known>> {
    // The stamp first: if the file is replaced in between, the next look sees that it was.
    let (Some(stamp), Some(bytes)) = (stamp(&path)?, absent(&path, fs::read(&path))?) else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(record) => Ok(Some(Known { path, stamp, record: Arc::new(record) })),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "not a name of an image");
            Ok(None)
        }
    }
}

fn stamp(path: &Path) -> Result<Option<Stamp>> {
    let metadata = absent(path, fs::metadata(path))?;
    Ok(metadata.map(|metadata| Stamp(metadata.ino(), metadata.mtime(), metadata.mtime_nsec())))
}

fn absent<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path.display().to_string(), &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, content: &str) -> Record {
        let digest = Digest::of(content.as_bytes());
        Record { name: name.to_owned(), digest: digest.clone(), manifest: digest, origin: Origin::Loaded }
    }

    #[test]
    fn a_name_written_by_another_process_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path().to_owned()).unwrap();
        let (here, there) = (Names::default(), Names::default());
        for content in ["one", "two"] {
            there.put(&disk, &record("library/app:v1", content)).unwrap();
            assert_eq!(*here.get(&disk, "library/app:v1").unwrap().unwrap(), record("library/app:v1", content));
        }
        assert!(there.remove(&disk, "library/app:v1").unwrap());
        assert!(!there.remove(&disk, "library/app:v1").unwrap());
        assert_eq!(here.get(&disk, "library/app:v1").unwrap(), None);
    }

    #[test]
    fn a_digest_is_known_by_a_tag_that_leads_to_it() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path().to_owned()).unwrap();
        let names = Names::default();
        let digest = Digest::of(b"one");
        names.put(&disk, &record("team/app:v1", "one")).unwrap();
        assert_eq!(names.by_digest(&disk, "team/app", &digest).unwrap().unwrap().name, "team/app:v1");
        assert_eq!(names.by_digest(&disk, "team/ap", &digest).unwrap(), None);
        names.put(&disk, &record("team/app:v1", "two")).unwrap();
        assert_eq!(names.by_digest(&disk, "team/app", &digest).unwrap(), None);
    }

    #[test]
    fn a_file_that_is_no_name_hides_no_other() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path().to_owned()).unwrap();
        let names = Names::default();
        names.put(&disk, &record("a/b:c", "x")).unwrap();
        fs::write(disk.names().join("torn"), "{\"name").unwrap();
        assert_eq!(names.list(&disk).unwrap(), [record("a/b:c", "x")]);
    }
}
