//! One blob onto the disk, resumed where an earlier attempt ended, this process's or another's, and checked while it comes.
//! What came stays when the pull is given up; it goes when it is wrong, or when the disk is full.

use super::Layer;
use super::fault::{Attempts, Fault};
use super::registry::Registry;
use crate::digest::{Digest, Hasher};
use crate::disk::{Scratch, is_still, lock};
use crate::document::Descriptor;
use crate::error::{Context, Error, Result};
use crate::install::{Shelf, Shipped, blocking};
use crate::progress::{Event, Progress};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Pieces between network and disk: a slow disk holds the network back.
const PIECES_AHEAD: usize = 16;
const TELL_EVERY: u64 = 256 * 1024;

/// A whole, checked blob, out of everybody's way: whoever waited for it while it waits for its turn to be unpacked could
/// be the one it waits for. Given up, it goes back to where the next pull finds it.
pub struct Download {
    path: PathBuf,
    scratch: Scratch,
    resumable: Option<PathBuf>,
}

impl Shipped for Download {
    fn open(&self) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(&self.path).context(self.path.display())?))
    }

    fn used(&mut self) {
        self.resumable = None;
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let Some(partial) = &self.resumable
            && let Err(error) = fs::rename(&self.path, partial)
        {
            tracing::warn!(path = %self.scratch.path().display(), %error, "cannot keep a download");
        }
    }
}

/// The unfinished file and the hash of what is in it.
struct Partial {
    path: PathBuf,
    file: Flock<File>,
    hasher: Hasher,
}

pub async fn download(
    shelf: &Arc<Shelf>,
    registry: &Registry,
    layer: &Layer,
    attempts: &Attempts,
    progress: &Progress,
) -> Result<Download> {
    let blob = &layer.blob;
    let (path, size) = (shelf.disk.partial(&blob.digest), blob.size);
    let tell = |done| progress.tell(&Event::Downloading { layer: layer.number, layers: layer.of, done, total: size });
    let mut partial = blocking(move || Partial::open(path, size)).await?;
    let mut failed = 0;
    loop {
        let before = partial.hasher.length;
        let (after, fault) = attempt(registry, blob, partial, &tell).await?;
        partial = after;
        let Some(fault) = fault else {
            let shelf = shelf.clone();
            return blocking(move || partial.finish(&shelf)).await;
        };
        // As long as each attempt brings something it is worth another.
        failed = if partial.hasher.length > before { 1 } else { failed + 1 };
        let Some(pause) = attempts.pause(failed).filter(|_| fault.passing) else {
            return Err(fault.error);
        };
        progress.tell(&Event::Retrying { reason: fault.error.to_string() });
        tokio::time::sleep(pause).await;
    }
}

/// Removes an unfinished download that nobody is at.
pub fn discard(shelf: &Shelf, blob: &Digest) {
    let path = shelf.disk.partial(blob);
    if let Ok(file) = File::open(&path)
        && Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok()
        && let Err(error) = fs::remove_file(&path)
    {
        tracing::warn!(path = %path.display(), %error, "cannot remove");
    }
}

/// Fetches what is missing. An error is the disk's; the registry's are faults, after which there may be more than before.
async fn attempt(
    registry: &Registry,
    blob: &Descriptor,
    mut partial: Partial,
    tell: &impl Fn(u64),
) -> Result<(Partial, Option<Fault>)> {
    tell(partial.hasher.length);
    let mut fault = None;
    if partial.hasher.length < blob.size || blob.size == 0 {
        let (response, offset) = match registry.open(blob, partial.hasher.length).await {
            Ok(opened) => opened,
            Err(fault) => return Ok((partial, Some(fault))),
        };
        if offset == 0 {
            partial = blocking(move || partial.restart()).await?;
        }
        (partial, fault) = receive(registry, blob, partial, response, tell).await?;
    }
    if partial.hasher.length < blob.size {
        let short = || registry.broken_off(&registry.blob_url(blob), &io::Error::from(io::ErrorKind::UnexpectedEof));
        return Ok((partial, Some(fault.unwrap_or_else(short))));
    }
    let actual = partial.hasher.digest();
    if partial.hasher.length == blob.size && actual == blob.digest {
        return Ok((partial, None));
    }
    // Also when an older part was wrong: the next attempt begins anew.
    let partial = blocking(move || partial.restart()).await?;
    Ok((partial, Some(wrong(registry, blob, actual))))
}

fn wrong(registry: &Registry, blob: &Descriptor, actual: Digest) -> Fault {
    Fault::passing(Error::DigestMismatch { what: registry.blob_url(blob), expected: blob.digest.clone(), actual })
}

async fn receive(
    registry: &Registry,
    blob: &Descriptor,
    partial: Partial,
    mut response: reqwest::Response,
    tell: &impl Fn(u64),
) -> Result<(Partial, Option<Fault>)> {
    let (pieces, received) = mpsc::channel(PIECES_AHEAD);
    let mut done = partial.hasher.length;
    let mut told = done;
    let writer = tokio::task::spawn_blocking(move || partial.write(received));
    let mut fault = None;
    // One byte too many is enough to know that the blob is wrong.
    while done <= blob.size {
        let piece = match response.chunk().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => {
                fault = Some(registry.broken_off(&registry.blob_url(blob), &error));
                break;
            }
        };
        done += piece.len() as u64;
        if pieces.send(piece).await.is_err() {
            break; // the writer ended, and says why below
        }
        if done - told >= TELL_EVERY || done == blob.size {
            told = done;
            tell(done);
        }
    }
    drop(pieces);
    let partial = writer.await.map_err(|gone| Error::Io { context: "image store".to_owned(), reason: gone.to_string() })??;
    Ok((partial, fault))
}

impl Partial {
    /// Waits for whoever else is fetching the blob, then takes what they left.
    fn open(path: PathBuf, size: u64) -> Result<Partial> {
        let file = loop {
            let locked = lock(&path, FlockArg::LockExclusive)?;
            if is_still(&locked, &path) {
                break locked;
            }
        };
        let mut partial = Partial { path, file, hasher: Hasher::default() };
        partial.read_back().context(partial.path.display())?;
        if partial.hasher.length > size { partial.restart() } else { Ok(partial) }
    }

    fn read_back(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match (&*self.file).read(&mut buffer)? {
                0 => return Ok(()),
                count => self.hasher.update(&buffer[..count]),
            }
        }
    }

    fn finish(self, shelf: &Shelf) -> Result<Download> {
        let scratch = shelf.disk.scratch()?;
        let path = scratch.path().join("blob");
        fs::rename(&self.path, &path).context(self.path.display())?;
        Ok(Download { path, scratch, resumable: Some(self.path) })
    }

    fn restart(mut self) -> Result<Partial> {
        self.file.set_len(0).context(self.path.display())?;
        self.hasher = Hasher::default();
        Ok(self)
    }

    fn write(mut self, mut pieces: mpsc::Receiver<impl AsRef<[u8]>>) -> Result<Partial> {
        while let Some(piece) = pieces.blocking_recv() {
            if let Err(error) = (&*self.file).write_all(piece.as_ref()) {
                fs::remove_file(&self.path).context(self.path.display())?;
                return Err(Error::io(self.path.display().to_string(), &error));
            }
            self.hasher.update(piece.as_ref());
        }
        Ok(self)
    }
}
