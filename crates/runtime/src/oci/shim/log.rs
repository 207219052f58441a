//! A container's output as JSON lines on disk, in the shape of Docker's json-file driver, rotated by size. Lines are
//! written before more output is read, so that a slow disk slows the container down and loses nothing.

mod rotated;

use base::Time;
use rotated::Rotated;
use serde::Serialize;
use std::fs;
use std::io;
use std::path::PathBuf;
use workload::LogSpec;

/// Docker splits longer lines.
const LONGEST_LINE: usize = 16 * 1024;

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
            if self.rest.is_empty() && piece.len() <= LONGEST_LINE && piece.ends_with(b"\n") {
                emit(self.stream, piece, &time, false, out);
                continue;
            }
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
        emit(self.stream, &self.rest, time, partial, out);
        self.rest.clear();
    }
}

fn emit(stream: Stream, text: &[u8], time: &str, partial: bool, out: &mut Vec<u8>) {
    let entry = Entry { time, stream, log: String::from_utf8_lossy(text), partial };
    serde_json::to_writer(&mut *out, &entry).expect("a Vec takes everything");
    out.push(b'\n');
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
        Rotated::open(path, rotated::Limits::of(spec)).map(Log::Rotated)
    }

    pub fn has_room(&self) -> bool {
        match self {
            Log::Discard => true,
            Log::Rotated(file) => file.has_room(),
        }
    }

    /// What was written before this byte has been read.
    pub fn taken(&mut self, upto: u64) {
        if let Log::Rotated(file) = self {
            file.taken(upto);
        }
    }

    /// A full disk loses lines, as it does in Docker; the shim's own log says so.
    pub fn write(&mut self, entries: &[u8]) {
        if let Log::Rotated(file) = self
            && let Err(error) = file.write(entries)
        {
            super::complain(format_args!("{}: {error}", file.path().display()));
        }
    }
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
}
