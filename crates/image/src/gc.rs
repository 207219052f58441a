//! Removes what no name and no container refers to. A part is first locked against everybody who could still want it; only
//! then are the names read: an operation holds its parts until its names are written.

use crate::digest::Digest;
use crate::disk::Scratch;
use crate::error::{Context, Result};
use crate::install::{Shelf, blocking};
use crate::store::Store;
use nix::fcntl::{Flock, FlockArg};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub layers: usize,
    pub blobs: usize,
    /// Unfinished downloads.
    pub partials: usize,
}

/// Something nobody holds: it is ours to judge.
struct Candidate {
    digest: Digest,
    _lock: Flock<File>,
}

impl Store {
    /// `in_use`: digests of images that containers run from, as `workload::Image` has them.
    pub async fn gc(&self, in_use: &BTreeSet<String>) -> Result<Collected> {
        let (shelf, in_use) = (self.shelf.clone(), in_use.clone());
        blocking(move || collect(&shelf, &in_use)).await
    }
}

fn collect(shelf: &Shelf, in_use: &BTreeSet<String>) -> Result<Collected> {
    let disk = &shelf.disk;
    let mut layers = candidates(&disk.layers())?;
    let mut blobs = candidates(&disk.blobs())?;
    let partials = candidates(&disk.partials())?;
    let used = used(shelf, in_use)?;
    layers.retain(|layer| !used.contains(&layer.digest));
    blobs.retain(|blob| !used.contains(&blob.digest));
    let trash = disk.scratch()?;
    let mut collected = Collected::default();
    for layer in &layers {
        shelf.layers.forget(disk, &layer.digest)?;
        discard(&disk.layer(&layer.digest), &trash)?;
        collected.layers += 1;
    }
    for blob in &blobs {
        remove(&disk.blob(&blob.digest))?;
        collected.blobs += 1;
    }
    for partial in &partials {
        remove(&disk.partial(&partial.digest))?;
        collected.partials += 1;
    }
    shelf.forget_images();
    forget_unnamed(shelf, &used)?;
    Ok(collected)
}

fn candidates(directory: &Path) -> Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for entry in fs::read_dir(directory).context(directory.display())? {
        let entry = entry.context(directory.display())?;
        let Ok(digest) = Digest::from_hex(&entry.file_name().to_string_lossy()) else {
            continue;
        };
        let Ok(file) = File::open(entry.path()) else {
            continue;
        };
        if let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            candidates.push(Candidate { digest, _lock: lock });
        }
    }
    Ok(candidates)
}

/// The manifests in use, their configurations and their layers.
fn used(shelf: &Shelf, in_use: &BTreeSet<String>) -> Result<BTreeSet<Digest>> {
    let mut used = BTreeSet::new();
    for record in shelf.names.list(&shelf.disk)? {
        if record.is_unnamed() && !in_use.contains(&record.name) {
            continue;
        }
        if let Some((document, configuration)) = shelf.documents(&record.manifest)? {
            used.extend(configuration.chain_ids());
            used.extend([document.config.digest, record.manifest]);
        }
    }
    Ok(used)
}

/// Digests that lead to nothing any more.
fn forget_unnamed(shelf: &Shelf, used: &BTreeSet<Digest>) -> Result<()> {
    let _nobody_writes_names = shelf.disk.names_lock(FlockArg::LockExclusive)?;
    for record in shelf.names.list(&shelf.disk)? {
        if record.is_unnamed() && !used.contains(&record.manifest) && !shelf.disk.blob(&record.manifest).exists() {
            shelf.names.remove(&shelf.disk, &record.name)?;
        }
    }
    Ok(())
}

/// Away from its name at once; its thousands of files go after that.
fn discard(path: &Path, trash: &Scratch) -> Result<()> {
    let name = path.file_name().unwrap_or_default();
    fs::rename(path, trash.path().join(name)).context(path.display())
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).context(path.display())
}
