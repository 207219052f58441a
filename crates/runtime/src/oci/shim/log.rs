//! A container's output as JSON lines on disk, in the shape of Docker's json-file driver, rotated by size. Lines are
//! written before more output is read, so that a slow disk slows the container down and loses nothing.

use crate::oci::dir::ignore_missing;
use base::Time;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use workload::LogSpec;

/// Docker splits longer lines.
const LONGEST_LINE: usize = 16 * 1024;
const DEFAULT_MAX_BYTES: u64 = 10 * 1024 * 1024;
const DEFAULT_MAX_FILES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
}

#[derive(Serialize)]
struct Entry<'a> {
    time: &'a str,
    stream: Stream,
    log: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

/// Cuts one stream into lines; keeps the beginning of the one that is not complete yet.
pub struct Lines {
    stream: Stream,
    rest: Vec<u8>,
}

impl Lines {
    pub fn new(stream: Stream) -> Lines {
        Lines { stream, rest: Vec::new() }
    }

    /// Appends an entry to `out` for every line that is complete or too long.
    pub fn feed(&mut self, bytes: &[u8], now: Time, out: &mut Vec<u8>) {
        let time = rfc3339(now);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut piece = piece;
            while self.rest.len() + piece.len() > LONGEST_LINE {
                let (fits, more) = piece.split_at(LONGEST_LINE - self.rest.len());
                self.rest.extend_from_slice(fits);
                piece = more;
                self.emit(&time, true, out);
            }
            self.rest.extend_from_slice(piece);
            if self.rest.ends_with(b"\n") {
                self.emit(&time, false, out);
            }
        }
    }

    /// The stream ended: what is left is a line too.
    pub fn finish(&mut self, now: Time, out: &mut Vec<u8>) {
        if !self.rest.is_empty() {
            self.emit(&rfc3339(now), false, out);
        }
        self.rest = Vec::new();
    }

    fn emit(&mut self, time: &str, partial: bool, out: &mut Vec<u8>) {
        let entry = Entry { time, stream: self.stream, log: String::from_utf8_lossy(&self.rest), partial };
        serde_json::to_writer(&mut *out, &entry).expect("a Vec takes everything");
        out.push(b'\n');
        self.rest.clear();
    }
}

/// As many digits each time, so that times sort as text.
fn rfc3339(now: Time) -> String {
    jiff::Timestamp::from_millisecond(now.millis() as i64).map(|t| format!("{t:.3}")).unwrap_or_default()
}

/// Where the lines go.
pub enum Log {
    /// Driver `none`.
    Discard,
    Rotated(Rotated),
}

impl Log {
    pub fn open(path: PathBuf, spec: &LogSpec) -> io::Result<Log> {
        if spec.driver == "none" {
            return Ok(Log::Discard);
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let (max_bytes, max_files) = limits(&spec.options);
        Rotated::open(path, max_bytes, max_files).map(Log::Rotated)
    }

    /// A full disk loses lines, as it does in Docker; the shim's own log says so.
    pub fn write(&mut self, entries: &[u8]) {
        if let Log::Rotated(file) = self
            && let Err(error) = file.write(entries)
        {
            super::complain(format_args!("{}: {error}", file.path.display()));
        }
    }
}

fn limits(options: &BTreeMap<String, String>) -> (u64, usize) {
    let max_bytes = options.get("max-size").and_then(|text| human_size(text)).unwrap_or(DEFAULT_MAX_BYTES);
    let max_files = options.get("max-file").and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_MAX_FILES);
    (max_bytes, max_files.max(1))
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
    max_bytes: u64,
    max_files: usize,
}

impl Rotated {
    fn open(path: PathBuf, max_bytes: u64, max_files: usize) -> io::Result<Rotated> {
        let file = append(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Rotated { path, file, bytes, max_bytes, max_files })
    }

    fn write(&mut self, mut entries: &[u8]) -> io::Result<()> {
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
        let room = usize::try_from(self.max_bytes.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
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
        if let Err(error) = self.file.write_all(entries) {
            // Half an entry would spoil the next.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += entries.len() as u64;
        Ok(())
    }

    /// `x.log` becomes `x.log.1`, that `x.log.2`, and so on; the oldest goes.
    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |n: usize| if n == 0 { self.path.clone() } else { suffixed(&self.path, n) };
        for n in (1..self.max_files).rev() {
            ignore_missing(fs::rename(numbered(n - 1), numbered(n)))?;
        }
        if self.max_files == 1 {
            fs::remove_file(&self.path)?;
        }
        self.file = append(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

fn suffixed(path: &Path, n: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn lines(chunks: &[&[u8]]) -> String {
        let (mut lines, mut out) = (Lines::new(Stream::Stdout), Vec::new());
        for chunk in chunks {
            lines.feed(chunk, Time(1_700_000_000_123), &mut out);
        }
        lines.finish(Time(1_700_000_000_500), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_one_entry_however_it_arrives() {
        expect![[r#"
            {"time":"2023-11-14T22:13:20.123Z","stream":"stdout","log":"one\n"}
            {"time":"2023-11-14T22:13:20.123Z","stream":"stdout","log":"two\n"}
            {"time":"2023-11-14T22:13:20.500Z","stream":"stdout","log":"end"}
        "#]]
        .assert_eq(&lines(&[b"one\ntw", b"o\nend"]));
    }

    #[test]
    fn a_long_line_is_cut_and_marked() {
        let long = [vec![b'x'; 20 * 1024], vec![b'\n']].concat();
        let text = lines(&[&long[..100], &long[100..]]);
        let entries: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let summary: Vec<_> =
            entries.iter().map(|e| (e["log"].as_str().unwrap().len(), e["partial"].as_bool().unwrap_or(false))).collect();
        assert_eq!(summary, [(16 * 1024, true), (4 * 1024 + 1, false)]);
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
        let mut log = Rotated::open(dir.path().join("c.log"), 10, 3).unwrap();
        log.write(b"one\ntwo\nlonger than a file\nend\n").unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
        let kept = (read("c.log"), read("c.log.1"), read("c.log.2"));
        assert_eq!(kept, ("end\n".into(), "longer than a file\n".into(), "one\ntwo\n".into()));
    }

    #[test]
    fn rotation_keeps_the_newest_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Rotated::open(dir.path().join("c.log"), 10, 3).unwrap();
        for n in 0..5 {
            log.write(format!("entry {n}\n").as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
        assert_eq!(
            (read("c.log"), read("c.log.1"), read("c.log.2"), read("c.log.3")),
            ("entry 4\n".into(), "entry 3\n".into(), "entry 2\n".into(), String::new())
        );
    }
}
