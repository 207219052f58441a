//! The segments of one stream. They are read when the stream is first asked for, and again after a write that failed.

use crate::Summary;
use crate::frame;
use crate::query::Part;
use crate::segment::{self, Segment};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

pub struct Stream {
    directory: PathBuf,
    segment_bytes: u64,
    segments: Option<Vec<Segment>>,
    /// The last segment, if it has been appended to.
    file: Option<File>,
}

impl Stream {
    pub fn new(directory: PathBuf, segment_bytes: u64) -> Stream {
        Stream { directory, segment_bytes, segments: None, file: None }
    }

    pub fn close(&mut self) {
        self.file = None;
    }

    /// A whole frame. Answers whether a file had to be opened for it.
    pub fn append(&mut self, frame: &[u8]) -> io::Result<bool> {
        let was_open = self.file.is_some();
        let written = self.write(frame);
        if written.is_err() {
            // How much of it is on disk is not known: what is whole is found by looking.
            (self.segments, self.file) = (None, None);
        }
        written.map(|()| !was_open)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.make_room()?;
        let (Some(last), Some(file)) = (self.segments.as_mut().and_then(|all| all.last_mut()), &mut self.file) else {
            return Err(io::Error::other("there is room in no segment"));
        };
        file.write_all(bytes).and_then(|()| file.sync_data()).inspect_err(|_| drop(file.set_len(last.bytes)))?;
        last.add(&frame::decode(bytes).expect("what was encoded is a frame"));
        Ok(())
    }

    /// An open segment with room, the last one or a new one.
    fn make_room(&mut self) -> io::Result<()> {
        let segment_bytes = self.segment_bytes;
        let directory = self.directory.clone();
        let segments = self.load()?;
        let full = segments.last().is_none_or(|last| last.bytes >= segment_bytes || last.is_torn);
        if full {
            let first = segments.last().map_or(0, |last| last.first + last.events.max(1));
            segments.push(Segment::new(&directory, first));
        } else if self.file.is_some() {
            return Ok(());
        }
        if !self.directory.exists() {
            fs::create_dir(&self.directory)?;
            segment::sync_directory(&self.directory)?;
        }
        let last = self.segments.as_ref().and_then(|all| all.last());
        self.file = last.map(segment::open).transpose()?;
        Ok(())
    }

    fn load(&mut self) -> io::Result<&mut Vec<Segment>> {
        let loaded = match self.segments.take() {
            Some(segments) => segments,
            None => segment::list(&self.directory)?,
        };
        Ok(self.segments.insert(loaded))
    }

    pub fn mark(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.load()?.iter().rev().find_map(|segment| segment.mark.clone()))
    }

    pub fn summary(&mut self) -> io::Result<Summary> {
        let held: Vec<&Segment> = self.load()?.iter().filter(|segment| segment.events > 0).collect();
        Ok(Summary {
            events: held.iter().map(|segment| segment.events).sum(),
            bytes: held.iter().map(|segment| segment.bytes).sum(),
            oldest: held.iter().map(|segment| segment.oldest).min().unwrap_or_default(),
            newest: held.iter().map(|segment| segment.newest).max().unwrap_or_default(),
            ingested_at: held.last().map(|segment| segment.ingested_at).unwrap_or_default(),
        })
    }

    pub fn parts(&mut self, name: &str) -> io::Result<Vec<Part>> {
        let held = self.load()?.iter().filter(|segment| segment.events > 0);
        Ok(held.map(|segment| Part::new(name, segment)).collect())
    }

    /// The last segment stays: it says which sequence comes next and where the writer was.
    pub fn expire(&mut self, before: i64) -> io::Result<()> {
        let segments = self.load()?;
        let mut index = 0;
        while index + 1 < segments.len() {
            if segments[index].newest < before {
                segment::ignore_missing(fs::remove_file(&segments[index].path))?;
                segments.remove(index);
            } else {
                index += 1;
            }
        }
        Ok(())
    }
}
