//! A batch as bytes: length, checksum, and what both are of. A frame is whole or it is not there.

const HEAD_BYTES: usize = 8;
/// Far above any batch: what claims to be longer is no frame.
const LONGEST: usize = 64 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub ingested_at: i64,
    pub events: Vec<Event>,
    /// The writer's own: kept with the batch or not at all, so that a writer that starts again knows where it was.
    pub mark: Vec<u8>,
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

pub fn encode(batch: &Batch) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(batch.ingested_at.to_le_bytes());
    body.extend(length(batch.events.len()));
    body.extend(length(batch.mark.len()));
    body.extend(&batch.mark);
    for event in &batch.events {
        body.extend(event.timestamp.to_le_bytes());
        body.extend(length(event.message.len()));
        body.extend(event.message.as_bytes());
    }
    let mut frame = Vec::with_capacity(HEAD_BYTES + body.len());
    frame.extend(length(body.len()));
    frame.extend(crc32fast::hash(&body).to_le_bytes());
    frame.extend(body);
    frame
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("callers bound their batches").to_le_bytes()
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
