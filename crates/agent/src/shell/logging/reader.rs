//! Reads one container's output from its files, whole lines, from any place in it, over rotations. Blocking; a reader that
//! is thrown away has changed nothing.

use super::lines::{Dropped, Lines};
use runtime::logfile;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

/// Far above any entry: a shim cuts lines at 16 KiB, and six bytes stand for one at most.
const MOST_BYTES: usize = 256 * 1024;
/// As the shim keeps them where nothing else is said.
const FILES: usize = 3;
/// What an entry has beside its text, at least.
const OVERHEAD: usize = r#"{"time":"2023-11-14T22:13:20.123Z","stream":"stdout","log":"\n"}"#.len() + 1;

pub struct Reader {
    path: PathBuf,
    /// The next byte of the container's output.
    at: u64,
    open: Option<Open>,
    buffer: Vec<u8>,
    /// What nobody can read any more, or nobody will; told with the next lines.
    dropped: Dropped,
}

struct Open {
    file: File,
    inode: u64,
    /// Bytes written before this file.
    start: u64,
}

impl Reader {
    pub fn new(path: PathBuf, at: u64) -> Reader {
        Reader { path, at, open: None, buffer: Vec::new(), dropped: Dropped::default() }
    }

    /// Of the file that is being read.
    pub fn file_start(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.start)
    }

    /// What there is, up to a bound; empty at the end.
    pub fn read(&mut self) -> io::Result<Lines> {
        let mut lines = Lines::default();
        while lines.is_empty() {
            let start = self.fill()?;
            if self.buffer.is_empty() {
                self.buffer = Vec::new();
                break;
            }
            lines.parse(&self.buffer, start);
            lines.dropped = std::mem::take(&mut self.dropped);
        }
        Ok(lines)
    }

    /// Passes over the oldest of what has not been read, until no more than `most` bytes of text are left.
    pub fn drop_all_but(&mut self, most: u64) -> io::Result<()> {
        if self.waiting_at_most()? <= most {
            return Ok(());
        }
        let (mut ahead, mut waiting) = (Reader::new(self.path.clone(), self.at), Dropped::default());
        let mut last_line = 0;
        while let Some(line) = ahead.pass(&mut waiting, u64::MAX)? {
            last_line = line;
        }
        let mut dropped = std::mem::take(&mut self.dropped);
        // A buffer that is empty takes any line.
        let until = dropped.bytes + waiting.bytes.saturating_sub(most.max(last_line));
        while dropped.bytes < until && self.pass(&mut dropped, until)?.is_some() {}
        self.dropped.lines += dropped.lines;
        self.dropped.bytes += dropped.bytes;
        Ok(())
    }

    /// Counts lines and bytes of text, and passes over them, until there are that many bytes. Answers the bytes of the last line.
    fn pass(&mut self, passed: &mut Dropped, until: u64) -> io::Result<Option<u64>> {
        let (mut at, mut last) = (self.fill()?, None);
        for line in self.buffer.split_inclusive(|byte| *byte == b'\n') {
            if passed.bytes >= until {
                break;
            }
            at += line.len() as u64;
            let bytes = line.len().saturating_sub(OVERHEAD) as u64;
            passed.lines += 1;
            passed.bytes += bytes;
            last = Some(bytes);
        }
        self.at = at;
        Ok(last)
    }

    fn waiting_at_most(&self) -> io::Result<u64> {
        let newest = self.kept()?.into_iter().last();
        let end = newest.map(|open| Ok::<_, io::Error>(open.start + open.file.metadata()?.len())).transpose()?;
        Ok(end.unwrap_or_default().saturating_sub(self.at))
    }

    /// Whole lines into the buffer; answers where they begin.
    fn fill(&mut self) -> io::Result<u64> {
        self.buffer.clear();
        loop {
            if self.open.is_none() {
                self.open = self.find()?;
            }
            // Asked before reading: what is in a file that is written no more is all there is.
            let (Some(open), over) = (&self.open, self.is_rotated()?) else { return Ok(self.at) };
            let inode = open.inode;
            let start = self.read_lines(over)?;
            if !self.buffer.is_empty() || !over {
                return Ok(start);
            }
            self.open = self.find()?.filter(|next| next.inode != inode);
            if self.open.is_none() {
                return Ok(start); // the next one has nothing yet
            }
        }
    }

    fn is_rotated(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(newest) => Ok(self.open.as_ref().is_some_and(|open| open.inode != newest.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read_lines(&mut self, over: bool) -> io::Result<u64> {
        let Some(open) = &self.open else { return Ok(self.at) };
        // A file whose disk was full is cut to its whole lines.
        let end = open.start + open.file.metadata()?.len();
        self.at = self.at.min(end);
        let start = self.at;
        // As much as there is: a container that is quiet holds no memory.
        self.buffer.resize(usize::try_from(end - start).unwrap_or(MOST_BYTES).min(MOST_BYTES), 0);
        let read = open.file.read_at(&mut self.buffer, self.at - open.start)?;
        let whole = match self.buffer[..read].iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            // What was torn off in a crash of the machine becomes no line any more.
            None if over || read == MOST_BYTES => read,
            None => 0,
        };
        self.buffer.truncate(whole);
        self.at += whole as u64;
        Ok(start)
    }

    /// The file that has the next byte; if there is none any more, the oldest.
    fn find(&mut self) -> io::Result<Option<Open>> {
        let mut kept = self.kept()?;
        let index = kept.iter().rposition(|open| open.start <= self.at).unwrap_or_default();
        let found = (index < kept.len()).then(|| kept.swap_remove(index));
        if let Some(open) = &found
            && open.start > self.at
        {
            self.dropped.bytes += open.start - self.at;
            self.at = open.start;
        }
        Ok(found)
    }

    /// The oldest first. Looked for from the newest on, in the direction in which they are renamed, so that none is missed.
    fn kept(&self) -> io::Result<Vec<Open>> {
        let mut kept = Vec::new();
        for n in 0..=FILES {
            let file = match File::open(logfile::numbered(&self.path, n)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            if let Some(start) = logfile::from(&file)? {
                kept.push(Open { inode: file.metadata()?.ino(), file, start });
            }
        }
        kept.reverse();
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::Path;

    fn write(path: &Path, start: u64, texts: &[&str]) -> u64 {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        if start > 0 {
            file.write_all(&logfile::header(start)).unwrap();
        }
        for text in texts {
            writeln!(file, r#"{{"time":"2023-11-14T22:13:20.123Z","stream":"stdout","log":"{text}\n"}}"#).unwrap();
        }
        start + file.metadata().unwrap().len()
    }

    fn read(reader: &mut Reader) -> String {
        let lines = reader.read().unwrap();
        let texts: Vec<&str> = lines.iter().map(|line| line.text).collect();
        let dropped = match lines.dropped {
            Dropped { lines: 0, bytes: 0 } => String::new(),
            dropped => format!(" without {}/{}", dropped.lines, dropped.bytes),
        };
        format!("{}{dropped}", texts.join(" "))
    }

    #[test]
    fn lines_are_read_once_over_rotations_and_from_any_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.log");
        let mut reader = Reader::new(path.clone(), 0);
        assert_eq!(read(&mut reader), "");
        let end = write(&path, 0, &["a", "b"]);
        assert_eq!(read(&mut reader), "a b");
        let middle = reader.at;
        write(&path, 0, &["c"]);
        let end = end + (end / 2);
        fs::rename(&path, logfile::numbered(&path, 1)).unwrap();
        assert_eq!(read(&mut reader), "c", "while there is no newer file");
        File::create(&path).unwrap();
        assert_eq!(read(&mut reader), "", "while the newer one has nothing");
        write(&path, end, &["d"]);
        assert_eq!(read(&mut reader), "d");
        let mut another = Reader::new(path.clone(), middle);
        assert_eq!((read(&mut another), read(&mut another), read(&mut another)), ("c".into(), "d".into(), String::new()));
    }

    #[test]
    fn what_is_gone_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.log");
        write(&path, 1000, &["late"]);
        assert_eq!(read(&mut Reader::new(path, 400)), "late without 0/600");
    }

    #[test]
    fn the_oldest_is_dropped_until_what_is_left_fits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.log");
        let long = "x".repeat(1000);
        write(&path, 0, &vec![long.as_str(); 1000]);
        let mut reader = Reader::new(path, 0);
        reader.drop_all_but(1_000_000).unwrap();
        assert_eq!(reader.at, 0);
        reader.drop_all_but(899_500).unwrap();
        assert_eq!(reader.dropped, Dropped { lines: 101, bytes: 101_000 });
        reader.drop_all_but(1).unwrap();
        let lines = reader.read().unwrap();
        assert_eq!((lines.dropped, lines.iter().count()), (Dropped { lines: 999, bytes: 999_000 }, 1));
    }
}
