//! A batch as bytes: length, checksum, and what both are of. A frame is whole or it is not there.

const HEAD_BYTES: usize = 8;
/// Far above any batch: what claims to be longer is no frame.
const LONGEST: usize = 64 << 20;

/// Events on their way to disk, in the bytes they will be there: nothing is allotted for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// A frame whose count, length and checksum are not known yet.
    bytes: Vec<u8>,
    count: u32,
}

const COUNT_AT: usize = HEAD_BYTES + 8;

impl Batch {
    /// `mark` is the writer's own: kept with the batch or not at all, so that a writer that starts again knows where it was.
    pub fn new(ingested_at: i64, mark: &[u8]) -> Batch {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes.extend(ingested_at.to_le_bytes());
        bytes.extend(length(0));
        bytes.extend(length(mark.len()));
        bytes.extend(mark);
        Batch { bytes, count: 0 }
    }

    /// `timestamp` in milliseconds since the epoch.
    pub fn push(&mut self, timestamp: i64, message: &str) {
        self.bytes.extend(timestamp.to_le_bytes());
        self.bytes.extend(length(message.len()));
        self.bytes.extend(message.as_bytes());
        self.count += 1;
    }

    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Whether there is anything to keep.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.bytes[COUNT_AT + 4..COUNT_AT + 8] == length(0)
    }

    pub fn encode(mut self) -> Vec<u8> {
        self.bytes[COUNT_AT..COUNT_AT + 4].copy_from_slice(&self.count.to_le_bytes());
        let (head, body) = self.bytes.split_at_mut(HEAD_BYTES);
        head[..4].copy_from_slice(&length(body.len()));
        head[4..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        self.bytes
    }
}

/// A frame that has been found whole.
pub struct Frame<'a> {
    pub ingested_at: i64,
    pub mark: &'a [u8],
    pub count: u32,
    events: &'a [u8],
    /// Behind it, the next one begins.
    pub length: usize,
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("callers bound their batches").to_le_bytes()
}

/// Every whole frame, with where it ends. One whose checksum is wrong is passed over if its length leads to others: a disk that
/// has forgotten a bit is no torn end, behind which there is nothing.
pub fn frames(bytes: &[u8]) -> impl Iterator<Item = (Frame<'_>, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            if let Some(frame) = decode(&bytes[at..]) {
                at += frame.length;
                return Some((frame, at));
            }
            at = at.saturating_add(HEAD_BYTES + Cursor(&bytes[at..]).u32()? as usize);
        }
        None
    })
}

/// The frame that `bytes` begin with; none if they end before it does or are not what was written.
pub fn decode(bytes: &[u8]) -> Option<Frame<'_>> {
    let mut head = Cursor(bytes);
    let (length, sum) = (head.u32()? as usize, head.u32()?);
    if length > LONGEST {
        return None;
    }
    let mut body = Cursor(head.take(length)?);
    if crc32fast::hash(body.0) != sum {
        return None;
    }
    let (ingested_at, count) = (body.i64()?, body.u32()?);
    let mark = body.u32()? as usize;
    let mark = body.take(mark)?;
    Some(Frame { ingested_at, mark, count, events: body.0, length: HEAD_BYTES + length })
}

impl<'a> Frame<'a> {
    /// Timestamps and messages, in the order they were given.
    pub fn events(&self) -> impl Iterator<Item = (i64, &'a str)> + use<'a> {
        let mut rest = Cursor(self.events);
        std::iter::from_fn(move || {
            let (timestamp, length) = (rest.i64()?, rest.u32()? as usize);
            Some((timestamp, std::str::from_utf8(rest.take(length)?).ok()?))
        })
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn i64(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}
