//! A stream of a layer's archive, plain or compressed, becomes a directory. Streamed: memory does not grow with the layer.
//! Both digests, of what was shipped and of the plain archive, are checked on the way; the directory counts only after that.

use super::apply::Applier;
use super::archive::{Archive, refused};
use super::lower::Lower;
use super::tree::{Tree, clean};
use crate::compression::decompress;
use crate::digest::{Digest, Tap};
use crate::error::{Error, Result, is_full};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub struct Expected {
    /// Of the bytes as they come; `None` when they were checked before.
    pub blob: Option<Digest>,
    /// Of the plain archive.
    pub diff_id: Digest,
}

/// Told to a thread that unpacks when nobody waits for it any more.
#[derive(Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Cancels when dropped.
pub struct CancelOnDrop(pub Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// `lower`: the layers below, lowest first. `into` must exist and be empty.
pub fn unpack(
    from: impl Read + Send + 'static,
    expected: &Expected,
    lower: &[PathBuf],
    into: &Path,
    cancel: &Cancel,
) -> Result<()> {
    let failed = |at: &Path, error: io::Error| {
        if is_full(&error) {
            return Error::NoSpace(at.display().to_string());
        }
        let layer = if at.as_os_str().is_empty() { expected.diff_id.to_string() } else { at.display().to_string() };
        Error::BadLayer { layer, reason: error.to_string() }
    };
    let whole = |error| failed(Path::new(""), error);
    let mut shipped = Tap::new(Cancellable { inner: from, cancel: cancel.clone() });
    let mut plain = Tap::new(decompress(shipped.clone()).map_err(whole)?);
    let tree = Tree::open(into).map_err(whole)?;
    let mut applier = Applier::new(tree, Lower::open(lower).map_err(whole)?);
    let mut archive = Archive::new(plain.clone());
    while let Some(entry) = archive.next().map_err(whole)? {
        let path = clean(&entry.path).ok_or_else(|| failed(&entry.path, refused("path out of the image")))?;
        let applied = applier.apply(&path, &entry, &mut archive);
        applied.map_err(|error| failed(&Path::new("/").join(&path), error))?;
    }
    applier.finish().map_err(whole)?;
    check("layer", &expected.diff_id, plain.drain().map_err(whole)?)?;
    match &expected.blob {
        Some(blob) => check("layer blob", blob, shipped.drain().map_err(whole)?),
        None => Ok(()),
    }
}

fn check(what: &str, expected: &Digest, actual: Digest) -> Result<()> {
    if *expected == actual {
        return Ok(());
    }
    Err(Error::DigestMismatch { what: what.to_owned(), expected: expected.clone(), actual })
}

struct Cancellable<R> {
    inner: R,
    cancel: Cancel,
}

impl<R: Read> Read for Cancellable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        self.inner.read(buffer)
    }
}
