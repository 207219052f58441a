//! CloudWatch Logs, as far as a node needs it. Whoever implements this knows the API; the node knows no AWS type.

use async_trait::async_trait;
use std::error::Error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub account: String,
    pub region: String,
    pub group: String,
    pub stream: String,
    pub create_group: bool,
}

/// A stream that is there.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Of this very stream: one that is made again under its name has another.
    pub id: String,
    /// What the last batch that was taken was marked with.
    pub mark: Option<u64>,
}

/// Why a stream cannot be had: the error's code, a colon, the service's sentence.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to create Cloudwatch log group: {0}")]
    Group(String),
    #[error("failed to create Cloudwatch log stream: {0}")]
    Stream(String),
}

#[async_trait]
pub trait CloudWatchLogs: Send + Sync {
    /// The stream, made if it is missing; its group too, if that is wanted.
    async fn open(&self, destination: &Destination) -> Result<Opened, OpenError>;

    /// Durable with its mark when this returns. An error may also mean that the stream is there no more.
    async fn put(
        &self,
        destination: &Destination,
        id: &str,
        events: Events,
        mark: u64,
    ) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Events in the order in which they were written, packed: one text for all of them.
#[derive(Debug, Default)]
pub struct Events {
    text: String,
    /// The time of each in milliseconds, and where its message ends.
    entries: Vec<(i64, usize)>,
}

impl Events {
    pub fn push(&mut self, time_ms: i64, message: &str) {
        self.text.push_str(message);
        self.entries.push((time_ms, self.text.len()));
    }

    pub fn iter(&self) -> impl Iterator<Item = (i64, &str)> {
        let mut start = 0;
        self.entries.iter().map(move |(time_ms, end)| (*time_ms, &self.text[std::mem::replace(&mut start, *end)..*end]))
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Of their messages.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}
