//! Log events on disk, beside the rows: a directory per stream, in it segment files that are only appended to. A batch is
//! durable before its writer hears of it; what a crash tore off is no part of it, and nothing is written behind that. Events are read in
//! order of time, however late they came, without holding more than a segment and a page in memory. Knows no AWS service.

mod frame;
mod handle;
mod query;
mod segment;
mod stream;
mod tail;
#[cfg(test)]
mod tests;

pub use frame::Batch;
pub use handle::Events;
pub use query::{Found, Key, Page, Query};
pub use tail::{Appended, Gathered, Tail};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stream::Stream;

/// A stream that is written to seldom opens its file again.
const OPEN_FILES: usize = 256;

/// Blocking: callers are on a thread that may wait for the disk.
pub struct EventStore {
    directory: PathBuf,
    segment_bytes: u64,
    streams: Mutex<BTreeMap<String, Arc<Mutex<Stream>>>>,
    /// Streams whose file is open, the one that was opened first in front.
    open: Mutex<VecDeque<String>>,
    appended: tail::Sender,
}

/// What a stream holds. All zero if it holds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub events: u64,
    pub bytes: u64,
    /// Of the oldest and of the newest event.
    pub oldest: i64,
    pub newest: i64,
    /// When the last batch came.
    pub ingested_at: i64,
}

impl EventStore {
    pub fn open(directory: &Path) -> io::Result<EventStore> {
        EventStore::with_segments(directory, segment::BYTES)
    }

    fn with_segments(directory: &Path, segment_bytes: u64) -> io::Result<EventStore> {
        fs::create_dir_all(directory)?;
        Ok(EventStore {
            directory: directory.to_owned(),
            segment_bytes,
            streams: Mutex::default(),
            open: Mutex::default(),
            appended: tail::sender(),
        })
    }

    /// Returns once the whole batch is on disk; after an error none of it will be seen.
    pub fn append(&self, stream: &str, batch: Batch) -> io::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let frame = batch.encode();
        let opened = lock(&self.stream(stream)).append(&frame)?;
        if opened {
            self.close_another(stream);
        }
        tail::tell(&self.appended, stream, frame);
        Ok(())
    }

    /// Of all that is appended from now on.
    pub fn tail(&self) -> Tail {
        Tail::new(&self.appended)
    }

    /// What the last batch that had one was marked with: how far its writer had come.
    pub fn mark(&self, stream: &str) -> io::Result<Option<Vec<u8>>> {
        lock(&self.stream(stream)).mark()
    }

    pub fn summary(&self, stream: &str) -> io::Result<Summary> {
        lock(&self.stream(stream)).summary()
    }

    pub fn read(&self, query: &Query<'_>) -> io::Result<Page> {
        let mut parts = Vec::new();
        for stream in query.streams {
            parts.extend(lock(&self.stream(stream)).parts(stream)?);
        }
        query::read(query, parts)
    }

    /// Gives back the room of segments in which every event is older. Readers must leave out the others themselves.
    pub fn expire(&self, stream: &str, before: i64) -> io::Result<()> {
        lock(&self.stream(stream)).expire(before)
    }

    /// Streams that have something on disk.
    pub fn streams(&self) -> io::Result<BTreeSet<String>> {
        let names = fs::read_dir(&self.directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    pub fn delete(&self, stream: &str) -> io::Result<()> {
        let mut streams = lock(&self.streams);
        streams.remove(stream);
        segment::ignore_missing(fs::remove_dir_all(self.directory.join(stream)))
    }

    /// A host has more streams than a process may have files.
    fn close_another(&self, opened: &str) {
        let mut open = lock(&self.open);
        open.push_back(opened.to_owned());
        let closes = (open.len() > OPEN_FILES).then(|| open.pop_front()).flatten();
        drop(open);
        if let Some(stream) = closes.filter(|stream| stream != opened) {
            lock(&self.stream(&stream)).close();
        }
    }

    /// Of its files: what reading would cost.
    pub fn stored_bytes(&self, stream: &str) -> io::Result<u64> {
        segment::stored_bytes(&self.directory.join(stream))
    }

    fn stream(&self, name: &str) -> Arc<Mutex<Stream>> {
        let open = || Arc::new(Mutex::new(Stream::new(self.directory.join(name), self.segment_bytes)));
        Arc::clone(lock(&self.streams).entry(name.to_owned()).or_insert_with(open))
    }
}

/// A panic leaves a stream to be read again at worst: what is on disk is what counts.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
