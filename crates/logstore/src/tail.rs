//! What is being appended, for those who listen. Without anybody it costs nothing; whoever is slow misses some and is told.

use crate::frame;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;

/// Batches that a slow listener can be behind.
const BEHIND: usize = 256;
const SECOND: Duration = Duration::from_secs(1);

pub type Sender = broadcast::Sender<Arc<Appended>>;

/// One batch, on disk by now.
pub struct Appended {
    pub stream: String,
    frame: Vec<u8>,
}

impl Appended {
    /// When they came, and each one's time and message.
    pub fn events(&self) -> impl Iterator<Item = (i64, i64, &str)> {
        let frames = frame::frames(&self.frame);
        frames.flat_map(|(frame, _)| {
            let ingested_at = frame.ingested_at;
            frame.events().map(move |(timestamp, message)| (ingested_at, timestamp, message))
        })
    }
}

pub fn sender() -> Sender {
    broadcast::channel(BEHIND).0
}

pub fn tell(sender: &Sender, stream: &str, frame: Vec<u8>) {
    if sender.receiver_count() > 0 {
        // Whoever listened a moment ago may have gone.
        let _ = sender.send(Arc::new(Appended { stream: stream.to_owned(), frame }));
    }
}

pub struct Tail {
    receiver: broadcast::Receiver<Arc<Appended>>,
    since: Instant,
}

/// What came, in order.
#[derive(Default)]
pub struct Gathered {
    pub batches: Vec<Arc<Appended>>,
    /// Some are not among them.
    pub missed: bool,
    /// Of the tail's life, counted from 0.
    pub second: u64,
}

impl Tail {
    pub fn new(sender: &Sender) -> Tail {
        Tail { receiver: sender.subscribe(), since: Instant::now() }
    }

    /// All there is as soon as there is something, or nothing at the end of a second; none when the store is closed.
    pub async fn gather(&mut self) -> Option<Gathered> {
        let mut gathered = Gathered { second: self.since.elapsed().as_secs(), ..Gathered::default() };
        let end_of_second = self.since + SECOND * u32::try_from(gathered.second + 1).unwrap_or(u32::MAX);
        match tokio::time::timeout_at(end_of_second, self.receiver.recv()).await {
            Err(_) => gathered.second += 1,
            Ok(Ok(appended)) => gathered.batches.push(appended),
            Ok(Err(RecvError::Lagged(_))) => gathered.missed = true,
            Ok(Err(RecvError::Closed)) => return None,
        }
        while gathered.batches.len() < BEHIND {
            match self.receiver.try_recv() {
                Ok(appended) => gathered.batches.push(appended),
                Err(TryRecvError::Lagged(_)) => gathered.missed = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Some(gathered)
    }
}
