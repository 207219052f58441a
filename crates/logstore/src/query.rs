//! Reading in order of time over any number of streams. Segments are taken in the order in which they begin; once a page is
//! full and every further segment begins behind its end, it is done.

use crate::frame;
use crate::segment::Segment;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// Where an event stands among all: by time, then by stream, then by arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub timestamp: i64,
    pub stream: Arc<str>,
    pub sequence: u64,
}

impl Key {
    /// Before every event of that time.
    pub fn at(timestamp: i64) -> Key {
        Key { timestamp, ..Key::default() }
    }

    /// Right behind the event that stands at this one.
    pub fn next(&self) -> Key {
        Key { sequence: self.sequence + 1, ..self.clone() }
    }
}

pub struct Query<'a> {
    pub streams: &'a [String],
    pub from: Key,
    /// Not included.
    pub to: Key,
    /// The newest of the range instead of the oldest; in order of time nevertheless.
    pub newest: bool,
    pub limit: usize,
    /// Of messages; one event is always given.
    pub bytes: usize,
    pub wanted: &'a (dyn Fn(&str) -> bool + Sync),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub key: Key,
    pub message: String,
    pub ingested_at: i64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub events: Vec<Found>,
    /// The range may hold more.
    pub more: bool,
}

/// A segment as it was when the reader asked.
pub struct Part {
    stream: Arc<str>,
    path: PathBuf,
    bytes: u64,
    first: u64,
    oldest: i64,
    newest: i64,
}

impl Part {
    pub fn new(stream: &str, segment: &Segment) -> Part {
        Part {
            stream: stream.into(),
            path: segment.path.clone(),
            bytes: segment.bytes,
            first: segment.first,
            oldest: segment.oldest,
            newest: segment.newest,
        }
    }
}

pub fn read(query: &Query<'_>, mut parts: Vec<Part>) -> io::Result<Page> {
    parts.retain(|part| part.newest >= query.from.timestamp && part.oldest <= query.to.timestamp);
    parts.sort_by_key(|part| if query.newest { -i128::from(part.newest) } else { i128::from(part.oldest) });
    let mut page = Page::default();
    for part in parts {
        if page.more && is_behind(query, &page, &part) {
            break;
        }
        scan(query, &part, &mut page.events)?;
        cut(query, &mut page);
    }
    Ok(page)
}

/// Nothing of the part can stand on this page.
fn is_behind(query: &Query<'_>, page: &Page, part: &Part) -> bool {
    match query.newest {
        true => page.events.first().is_some_and(|first| part.newest < first.key.timestamp),
        false => page.events.last().is_some_and(|last| part.oldest > last.key.timestamp),
    }
}

fn scan(query: &Query<'_>, part: &Part, events: &mut Vec<Found>) -> io::Result<()> {
    let bytes = contents(part)?;
    let mut sequence = part.first;
    for (frame, _) in frame::frames(&bytes) {
        for (timestamp, message) in frame.events() {
            let key = Key { timestamp, stream: Arc::clone(&part.stream), sequence };
            sequence += 1;
            if key >= query.from && key < query.to && (query.wanted)(message) {
                events.push(Found { key, message: message.to_owned(), ingested_at: frame.ingested_at });
            }
        }
    }
    Ok(())
}

/// As long as it was: what is being appended is not ours to see yet. One that has expired is empty.
fn contents(part: &Part) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(part.bytes as usize);
    match fs::File::open(&part.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        file => drop(file?.take(part.bytes).read_to_end(&mut bytes)?),
    }
    Ok(bytes)
}

fn cut(query: &Query<'_>, page: &mut Page) {
    page.events.sort_by(|one, other| one.key.cmp(&other.key));
    if query.newest {
        page.events.reverse();
    }
    let mut bytes = 0;
    let fits = page.events.iter().take(query.limit).take_while(|event| {
        bytes += event.message.len();
        bytes <= query.bytes || bytes == event.message.len()
    });
    let fits = fits.count();
    page.more |= fits < page.events.len();
    page.events.truncate(fits);
    if query.newest {
        page.events.reverse();
    }
}
