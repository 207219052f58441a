//! One file of a stream: frames, one behind the other, and what is known of them without reading them again.

use crate::frame::{self, Frame};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A segment that is longer is not appended to any more. It is read whole, so this is also what a reader holds.
pub const BYTES: u64 = 4 << 20;
const SUFFIX: &str = "segment";

#[derive(Clone, Debug)]
pub struct Segment {
    pub path: PathBuf,
    /// Of its first event; also its name.
    pub first: u64,
    pub events: u64,
    /// Up to the end of the last whole frame: what stands behind it is not there.
    pub bytes: u64,
    /// Something does stand there. It is left as it is, and nothing is written behind it.
    pub is_torn: bool,
    pub oldest: i64,
    pub newest: i64,
    pub ingested_at: i64,
    pub mark: Option<Vec<u8>>,
}

impl Segment {
    pub fn new(directory: &Path, first: u64) -> Segment {
        Segment {
            path: directory.join(format!("{first:020}.{SUFFIX}")),
            first,
            events: 0,
            bytes: 0,
            is_torn: false,
            oldest: i64::MAX,
            newest: i64::MIN,
            ingested_at: 0,
            mark: None,
        }
    }

    pub fn add(&mut self, frame: &Frame<'_>) {
        self.bytes += frame.length as u64;
        self.events += u64::from(frame.count);
        self.ingested_at = frame.ingested_at;
        for (timestamp, _) in frame.events() {
            self.oldest = self.oldest.min(timestamp);
            self.newest = self.newest.max(timestamp);
        }
        if !frame.mark.is_empty() {
            self.mark = Some(frame.mark.to_vec());
        }
    }
}

/// The segments of a directory, by age.
pub fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut firsts = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == SUFFIX);
        let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        firsts.extend(first.filter(|_| is_segment));
    }
    firsts.sort_unstable();
    firsts.into_iter().map(|first| scan(Segment::new(directory, first))).collect()
}

/// Without reading them.
pub fn stored_bytes(directory: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

fn scan(mut segment: Segment) -> io::Result<Segment> {
    let bytes = fs::read(&segment.path)?;
    let mut whole = 0;
    for (frame, end) in frame::frames(&bytes) {
        whole += frame.length;
        segment.add(&frame);
        segment.bytes = end as u64;
    }
    segment.is_torn = segment.bytes < bytes.len() as u64;
    if whole < bytes.len() {
        let left_out = bytes.len() - whole;
        tracing::warn!(segment = %segment.path.display(), left_out, "bytes that are no whole batch are left out");
    }
    Ok(segment)
}

/// For appending.
pub fn open(segment: &Segment) -> io::Result<File> {
    let fresh = !segment.path.exists();
    let file = File::options().create(true).append(true).open(&segment.path)?;
    if fresh {
        sync_directory(&segment.path)?;
    }
    Ok(file)
}

/// A new file is there after a crash only if its directory is.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

pub fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
