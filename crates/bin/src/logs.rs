//! Reads what the shims wrote: the kept lines of a task's containers in order of time, then, following, new ones as inotify
//! tells of them. Knows the files only; when a task is over is said to it.

use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchMask};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::sync::{mpsc, watch};

/// A line as a reader of logs gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    #[serde(default)]
    pub container: String,
    pub time: String,
    pub stream: String,
    /// With its line end, unless the program wrote none.
    pub log: String,
}

/// Sends every line of `containers` (all if empty) under `directory`; with `ended`, goes on until it says true and what was
/// written before that has been sent. Ends early when the receiver is gone.
pub async fn send(
    directory: &Path,
    containers: &[String],
    ended: Option<watch::Receiver<bool>>,
    lines: &mpsc::Sender<Line>,
) -> io::Result<()> {
    // Watching before reading: what is written in between is seen twice by inotify, but read once.
    let changes = ended.as_ref().map(|_| Changes::watch(directory)).transpose()?;
    let mut tails = Tails { directory: directory.to_owned(), containers: containers.to_vec(), tails: BTreeMap::new() };
    if !forward(tails.read(true)?, lines).await {
        return Ok(());
    }
    let (Some(mut changes), Some(mut ended)) = (changes, ended) else { return Ok(()) };
    loop {
        let over = *ended.borrow_and_update();
        if !forward(tails.read(false)?, lines).await || over {
            return Ok(());
        }
        tokio::select! {
            changed = changes.next() => changed?,
            _ = ended.changed() => {}
            _ = lines.closed() => return Ok(()),
        }
    }
}

async fn forward(batch: Vec<Line>, lines: &mpsc::Sender<Line>) -> bool {
    for line in batch {
        if lines.send(line).await.is_err() {
            return false;
        }
    }
    true
}

struct Changes(EventStream<[u8; 4096]>);

impl Changes {
    fn watch(directory: &Path) -> io::Result<Changes> {
        std::fs::create_dir_all(directory)?;
        let inotify = Inotify::init()?;
        inotify.watches().add(directory, WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVED_TO)?;
        Ok(Changes(inotify.into_event_stream([0; 4096])?))
    }

    async fn next(&mut self) -> io::Result<()> {
        self.0.next().await.transpose().map(drop)
    }
}

struct Tails {
    directory: PathBuf,
    containers: Vec<String>,
    tails: BTreeMap<String, Tail>,
}

impl Tails {
    /// What is there since the last read, in order of time.
    fn read(&mut self, history: bool) -> io::Result<Vec<Line>> {
        self.find()?;
        let mut batch = Vec::new();
        for tail in self.tails.values_mut() {
            if history {
                tail.history(&mut batch)?;
            }
            tail.read(&mut batch)?;
        }
        // RFC 3339 in UTC with as many digits each sorts as text.
        batch.sort_by(|a, b| a.time.cmp(&b.time));
        Ok(batch)
    }

    fn find(&mut self) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".log")) else { continue };
            if self.containers.is_empty() || self.containers.iter().any(|wanted| wanted == name) {
                self.tails.entry(name.to_owned()).or_insert_with(|| Tail::new(name, path.clone()));
            }
        }
        Ok(())
    }
}

struct Tail {
    container: String,
    path: PathBuf,
    open: Option<(u64, BufReader<File>)>,
    partial: Vec<u8>,
}

impl Tail {
    fn new(container: &str, path: PathBuf) -> Tail {
        Tail { container: container.to_owned(), path, open: None, partial: Vec::new() }
    }

    /// Rotated files, oldest first: `name.log.2`, `name.log.1`.
    fn history(&mut self, batch: &mut Vec<Line>) -> io::Result<()> {
        let path = self.path.display().to_string();
        let rotated = |n: u32| PathBuf::from(format!("{path}.{n}"));
        let oldest = (1..).take_while(|n| rotated(*n).exists()).last().unwrap_or(0);
        for n in (1..=oldest).rev() {
            let mut reader = BufReader::new(File::open(rotated(n))?);
            self.drain(&mut reader, batch)?;
        }
        Ok(())
    }

    fn read(&mut self, batch: &mut Vec<Line>) -> io::Result<()> {
        loop {
            let Some((inode, mut reader)) = self.open.take().map_or_else(|| open(&self.path), |o| Ok(Some(o)))? else {
                return Ok(());
            };
            self.drain(&mut reader, batch)?;
            // Rotation renames the file under us: what was left of it is read, then the new one.
            let current = std::fs::metadata(&self.path).map(|meta| meta.ino()).ok();
            if current.is_none_or(|current| current == inode) {
                self.open = Some((inode, reader));
                return Ok(());
            }
            self.drain(&mut reader, batch)?;
        }
    }

    fn drain(&mut self, reader: &mut BufReader<File>, batch: &mut Vec<Line>) -> io::Result<()> {
        while reader.read_until(b'\n', &mut self.partial)? > 0 {
            if self.partial.last() != Some(&b'\n') {
                return Ok(());
            }
            // A torn line after a crash of the machine is skipped, not fatal.
            if let Ok(line) = serde_json::from_slice::<Line>(&self.partial) {
                batch.push(Line { container: self.container.clone(), ..line });
            }
            self.partial.clear();
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<Option<(u64, BufReader<File>)>> {
    match File::open(path) {
        Ok(file) => Ok(Some((file.metadata()?.ino(), BufReader::new(file)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn write(path: &Path, lines: &[(&str, &str)]) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        for (time, log) in lines {
            writeln!(file, r#"{{"time":"2026-01-01T00:00:{time}Z","stream":"stdout","log":"{log}\n"}}"#).unwrap();
        }
    }

    async fn next(lines: &mut mpsc::Receiver<Line>) -> String {
        lines.recv().await.map(|l| format!("{} {}", l.container, l.log.trim_end())).unwrap_or("end".into())
    }

    #[tokio::test]
    async fn kept_lines_come_in_order_of_time_over_rotations_and_containers() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("web.log.1"), &[("01", "a")]);
        write(&dir.path().join("web.log"), &[("03", "c")]);
        write(&dir.path().join("db.log"), &[("02", "b")]);
        let (sender, mut lines) = mpsc::channel(10);
        send(dir.path(), &[], None, &sender).await.unwrap();
        drop(sender);
        let mut all = Vec::new();
        while let Some(line) = lines.recv().await {
            all.push(format!("{} {}", line.container, line.log.trim_end()));
        }
        assert_eq!(all, ["web a", "db b", "web c"]);
    }

    #[tokio::test]
    async fn following_sees_new_lines_new_files_and_rotation_and_ends_with_the_task() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        let (over, ended) = watch::channel(false);
        let (sender, mut lines) = mpsc::channel(10);
        let directory = dir.path().to_owned();
        let task = tokio::spawn(async move { send(&directory, &[], Some(ended), &sender).await });
        write(&path, &[("01", "a")]);
        assert_eq!(next(&mut lines).await, "web a");
        write(&path, &[("02", "b")]);
        std::fs::rename(&path, dir.path().join("web.log.1")).unwrap();
        write(&path, &[("03", "c")]);
        assert_eq!((next(&mut lines).await, next(&mut lines).await), ("web b".into(), "web c".into()));
        write(&path, &[("04", "d")]);
        over.send(true).unwrap();
        assert_eq!((next(&mut lines).await, next(&mut lines).await), ("web d".into(), "end".into()));
        task.await.unwrap().unwrap();
    }
}
