//! The files of a container's output, as its shim writes them and others read them: `c.log`, before it `c.log.1`, and so on.
//! Where lines are sent on, a file that follows another begins with how many bytes were written before it, so that a place in
//! the whole output keeps its number while files are renamed and removed.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A header is shorter.
const HEADER_BYTES: usize = 64;

#[derive(Serialize, Deserialize)]
struct Header {
    from: u64,
}

pub fn path(logs: &Path, task: &str, container: &str) -> PathBuf {
    logs.join(task).join(format!("{container}.log"))
}

/// The file that was written to `n` rotations ago.
pub fn numbered(path: &Path, n: usize) -> PathBuf {
    if n == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

/// The first line of a file before which `from` bytes were written.
pub fn header(from: u64) -> Vec<u8> {
    let mut line = serde_json::to_vec(&Header { from }).expect("a number always serialises");
    line.push(b'\n');
    line
}

/// How many bytes were written before this file; none while it is empty, when nobody can know.
pub fn from(file: &File) -> io::Result<Option<u64>> {
    let mut start = [0; HEADER_BYTES];
    let read = file.read_at(&mut start, 0)?;
    let line = start[..read].split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok((read > 0).then(|| serde_json::from_slice::<Header>(line).map_or(0, |header| header.from)))
}
