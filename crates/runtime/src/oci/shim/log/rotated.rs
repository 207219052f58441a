//! Files of bounded size, the newest kept. Where lines are sent on and whoever writes is to wait for that, the oldest is not
//! thrown away before it has been read: until then there is no room.

use crate::logfile::{header, numbered};
use crate::{logfile, oci::dir::ignore_missing};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use workload::LogSpec;

const MAX_BYTES: u64 = 10 * 1024 * 1024;
const MAX_FILES: usize = 3;

#[derive(Clone, Copy)]
pub struct Limits {
    pub bytes: u64,
    pub files: usize,
    /// A file says how much was written before it.
    pub numbered: bool,
    /// What has not been read is kept.
    pub waits: bool,
}

impl Limits {
    pub fn of(spec: &LogSpec) -> Limits {
        let bytes = spec.options.get("max-size").and_then(|text| human_size(text)).unwrap_or(MAX_BYTES);
        let files = spec.options.get("max-file").and_then(|text| text.parse().ok()).unwrap_or(MAX_FILES);
        let numbered = spec.is_shipped();
        Limits { bytes, files: files.max(1), numbered, waits: numbered && spec.is_blocking() }
    }
}

/// `10m`, `512k`: powers of 1000, as in Docker.
fn human_size(text: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (digits, factor) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 1000),
        'm' => (&text[..text.len() - 1], 1_000_000),
        'g' => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(factor).filter(|bytes| *bytes > 0)
}

pub struct Rotated {
    path: PathBuf,
    file: File,
    bytes: u64,
    limits: Limits,
    /// How much was written before each kept file, the oldest first; the last one is being written.
    starts: VecDeque<u64>,
    taken: u64,
}

impl Rotated {
    pub fn open(path: PathBuf, limits: Limits) -> io::Result<Rotated> {
        let starts = starts(&path, limits)?;
        let file = append(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Rotated { path, file, bytes, limits, starts, taken: 0 })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn has_room(&self) -> bool {
        !self.limits.waits || self.bytes < self.limits.bytes || self.may_rotate()
    }

    pub fn taken(&mut self, upto: u64) {
        self.taken = self.taken.max(upto);
    }

    /// Nobody misses the file that would have to go.
    fn may_rotate(&self) -> bool {
        let full = self.starts.len() >= self.limits.files;
        let end_of_oldest = self.starts.get(1).copied().unwrap_or_else(|| self.end());
        !full || self.taken >= end_of_oldest
    }

    fn start(&self) -> u64 {
        self.starts.back().copied().unwrap_or_default()
    }

    fn end(&self) -> u64 {
        self.start() + self.bytes
    }

    pub fn write(&mut self, entries: &[u8]) -> io::Result<()> {
        match self.limits.waits {
            true => self.write_whole(entries),
            false => self.write_parted(entries),
        }
    }

    /// All of it, room or not: it has been taken from the container already.
    fn write_whole(&mut self, entries: &[u8]) -> io::Result<()> {
        if self.bytes >= self.limits.bytes && self.may_rotate() {
            self.rotate()?;
        }
        self.append(entries)
    }

    fn write_parted(&mut self, mut entries: &[u8]) -> io::Result<()> {
        while !entries.is_empty() {
            let (now, later) = entries.split_at(self.fitting(entries));
            self.append(now)?;
            entries = later;
            if !entries.is_empty() {
                self.rotate()?;
            }
        }
        Ok(())
    }

    /// How many bytes of whole entries the file has room for; an empty one takes an entry however long it is.
    fn fitting(&self, entries: &[u8]) -> usize {
        let room = usize::try_from(self.limits.bytes.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        if entries.len() <= room {
            return entries.len();
        }
        let is_end = |byte: &u8| *byte == b'\n';
        match entries[..room].iter().rposition(is_end) {
            Some(last) => last + 1,
            None if self.bytes > 0 => 0,
            None => entries.iter().position(is_end).map_or(entries.len(), |end| end + 1),
        }
    }

    fn append(&mut self, entries: &[u8]) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut written = self.bytes;
        let result = self.begin(&mut written).and_then(|()| self.file.write_all(entries));
        if let Err(error) = result {
            // Half an entry would spoil the next.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes = written + entries.len() as u64;
        Ok(())
    }

    /// With the first entry, so that a file that has something has its header.
    fn begin(&mut self, written: &mut u64) -> io::Result<()> {
        if self.limits.numbered && *written == 0 && self.start() > 0 {
            let header = header(self.start());
            self.file.write_all(&header)?;
            *written = header.len() as u64;
        }
        Ok(())
    }

    /// `x.log` becomes `x.log.1`, that `x.log.2`, and so on; the oldest goes.
    fn rotate(&mut self) -> io::Result<()> {
        for n in (1..self.limits.files).rev() {
            ignore_missing(fs::rename(numbered(&self.path, n - 1), numbered(&self.path, n)))?;
        }
        if self.limits.files == 1 {
            fs::remove_file(&self.path)?;
        }
        self.file = append(&self.path)?;
        self.starts.push_back(self.end());
        self.bytes = 0;
        while self.starts.len() > self.limits.files {
            self.starts.pop_front();
        }
        Ok(())
    }
}

/// Of the files that are there, and of the one that is to be written: one that is empty follows the one before it.
fn starts(path: &Path, limits: Limits) -> io::Result<VecDeque<u64>> {
    let (mut starts, mut end) = (VecDeque::new(), 0);
    for n in (0..limits.files).rev() {
        match File::open(numbered(path, n)) {
            Ok(file) => {
                let start = logfile::from(&file)?.unwrap_or(end);
                starts.push_back(start);
                end = start + file.metadata()?.len();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && n > 0 => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => starts.push_back(end),
            Err(error) => return Err(error),
        }
    }
    Ok(starts)
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(files: usize) -> Limits {
        Limits { bytes: 10, files, numbered: false, waits: false }
    }

    fn kept(dir: &Path) -> [String; 4] {
        ["c.log", "c.log.1", "c.log.2", "c.log.3"].map(|name| fs::read_to_string(dir.join(name)).unwrap_or_default())
    }

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        let cases = [
            ("10m", Some(10_000_000)),
            ("512k", Some(512_000)),
            ("1gb", Some(1_000_000_000)),
            ("77", Some(77)),
            ("x", None),
            ("0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(human_size(text), expected, "{text}");
        }
    }

    #[test]
    fn entries_written_at_once_are_parted_where_the_file_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Rotated::open(dir.path().join("c.log"), limits(3)).unwrap();
        log.write(b"one\ntwo\nlonger than a file\nend\n").unwrap();
        assert_eq!(kept(dir.path()), ["end\n", "longer than a file\n", "one\ntwo\n", ""]);
    }

    #[test]
    fn rotation_keeps_the_newest_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Rotated::open(dir.path().join("c.log"), limits(3)).unwrap();
        for n in 0..5 {
            log.write(format!("entry {n}\n").as_bytes()).unwrap();
        }
        assert_eq!(kept(dir.path()), ["entry 4\n", "entry 3\n", "entry 2\n", ""]);
    }

    #[test]
    fn files_say_how_much_was_written_before_them_also_when_they_are_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..4 {
            let numbered = Limits { numbered: true, ..limits(3) };
            let mut log = Rotated::open(dir.path().join("c.log"), numbered).unwrap();
            log.write(format!("entry {n}\n").as_bytes()).unwrap();
        }
        let expected = ["{\"from\":47}\nentry 3\n", "{\"from\":27}\nentry 2\n", "{\"from\":8}\nentry 1\n", ""];
        assert_eq!(kept(dir.path()), expected);
    }

    #[test]
    fn what_has_not_been_read_is_kept_and_leaves_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let waits = Limits { numbered: true, waits: true, ..limits(2) };
        let mut log = Rotated::open(dir.path().join("c.log"), waits).unwrap();
        let mut room = Vec::new();
        for n in 0..3 {
            log.write(format!("long entry {n}\n").as_bytes()).unwrap();
            room.push(log.has_room());
        }
        assert_eq!(room, [true, false, false], "also what was written without room is kept");
        assert_eq!(kept(dir.path()), ["{\"from\":13}\nlong entry 1\nlong entry 2\n", "long entry 0\n", "", ""]);
        log.taken(12);
        assert!(!log.has_room());
        log.taken(13);
        assert!(log.has_room());
        log.write(b"x\n").unwrap();
        assert_eq!(kept(dir.path())[0], "{\"from\":51}\nx\n");
    }
}
