//! Where things lie under the store's root, and how they get there: whole and durable, or not at all.
//!
//! `blobs/sha256/` manifests and configurations · `layers/` unpacked layers by chain id · `l/` short names of them ·
//! `names/` the index · `partial/` unfinished downloads, kept to be resumed · `tmp/` everything else unfinished, one
//! directory per process, swept when that process is gone.

use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub struct Disk {
    root: PathBuf,
    session: Session,
}

/// This process's directory for unfinished things. The lock on it says that the process lives.
struct Session {
    path: PathBuf,
    _alive: Flock<File>,
}

impl Disk {
    pub fn open(root: PathBuf) -> Result<Disk> {
        for directory in ["blobs/sha256", "layers", "l", "names", "partial", "tmp"] {
            let path = root.join(directory);
            fs::create_dir_all(&path).context(path.display())?;
        }
        // Between making a session and locking it, it looks dead to another process's sweep.
        let _opening = lock(&root.join("opening.lock"), FlockArg::LockExclusive)?;
        sweep(&root.join("tmp"))?;
        let session = Session::new(&root.join("tmp"))?;
        Ok(Disk { root, session })
    }

    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    pub fn layers(&self) -> PathBuf {
        self.root.join("layers")
    }

    pub fn layer(&self, chain_id: &Digest) -> PathBuf {
        self.layers().join(chain_id.hex())
    }

    pub fn links(&self) -> PathBuf {
        self.root.join("l")
    }

    pub fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    /// Exclusive for whoever decides by reading all names.
    pub fn names_lock(&self, how: FlockArg) -> Result<Flock<File>> {
        lock(&self.root.join("names.lock"), how)
    }

    pub fn partials(&self) -> PathBuf {
        self.root.join("partial")
    }

    pub fn partial(&self, digest: &Digest) -> PathBuf {
        self.partials().join(digest.hex())
    }

    /// A directory that is gone when the value is.
    pub fn scratch(&self) -> Result<Scratch> {
        let path = nix::unistd::mkdtemp(&self.session.path.join("XXXXXX")).context(self.session.path.display())?;
        Ok(Scratch { path })
    }

    /// The file is `bytes` after this, through any crash, or as before.
    pub fn write_durably(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let scratch = self.scratch()?;
        let temporary = scratch.path().join("file");
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            sync_directory(path.parent().unwrap_or(Path::new("/")))
        };
        write().context(path.display())
    }
}

impl Session {
    fn new(within: &Path) -> Result<Session> {
        let path = nix::unistd::mkdtemp(&within.join("XXXXXX")).context(within.display())?;
        let alive = lock(&path, FlockArg::LockSharedNonblock)?;
        Ok(Session { path, _alive: alive })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        remove_quietly(&self.path);
    }
}

pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove_quietly(&self.path);
    }
}

/// Removes what processes that are no more have left unfinished.
fn sweep(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).context(directory.display())? {
        let path = entry.context(directory.display())?.path();
        if lock(&path, FlockArg::LockExclusiveNonblock).is_ok() {
            tracing::info!(path = %path.display(), "removing what a process that is gone left unfinished");
            remove_quietly(&path);
        }
    }
    Ok(())
}

fn remove_quietly(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "cannot remove");
    }
}

/// Locks a directory, or a file, which is made when missing and is to be read and appended to.
pub fn lock(path: &Path, how: FlockArg) -> Result<Flock<File>> {
    let file = if path.is_dir() { File::open(path) } else { File::options().create(true).read(true).append(true).open(path) };
    let file = file.context(path.display())?;
    Flock::lock(file, how).map_err(|(_, errno)| errno).context(path.display())
}

/// Keeps a file or directory from being collected. `None`: it is not there, or no longer.
pub fn hold(path: &Path) -> Result<Option<Flock<File>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path.display().to_string(), &error)),
    };
    let held = Flock::lock(file, FlockArg::LockShared).map_err(|(_, errno)| errno).context(path.display())?;
    Ok(is_still(&held, path).then_some(held))
}

/// Whether what was locked is what the path leads to: it may have been removed before the lock was had.
pub fn is_still(locked: &File, path: &Path) -> bool {
    let inode = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()));
    inode(locked.metadata()).is_some_and(|locked| inode(fs::metadata(path)) == Some(locked))
}

pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfinished(root: &Path) -> usize {
        fs::read_dir(root.join("tmp")).unwrap().count()
    }

    #[test]
    fn what_a_dead_process_left_is_swept_and_what_a_living_one_has_is_not() {
        let root = tempfile::tempdir().unwrap();
        let living = Disk::open(root.path().to_owned()).unwrap();
        let scratch = living.scratch().unwrap();
        fs::create_dir_all(root.path().join("tmp/dead/half/unpacked")).unwrap();
        fs::write(root.path().join("tmp/file"), "").unwrap();
        let other = Disk::open(root.path().to_owned()).unwrap();
        assert!(scratch.path().exists());
        assert!(!root.path().join("tmp/dead").exists());
        drop((other, scratch, living));
        assert_eq!(unfinished(root.path()), 1, "the stray file is not a session; it is left");
    }

    #[test]
    fn a_durable_write_replaces_and_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path().to_owned()).unwrap();
        let path = disk.names().join("x");
        disk.write_durably(&path, b"one").unwrap();
        disk.write_durably(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(&disk.session.path).unwrap().count(), 0);
    }
}
