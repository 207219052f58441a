//! A streamed answer of one JSON document a line.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

pub struct Lines {
    body: Incoming,
    buffered: Vec<u8>,
}

impl Lines {
    pub fn new(body: Incoming) -> Lines {
        Lines { body, buffered: Vec::new() }
    }

    /// `None` at the end of the stream.
    pub async fn next<T: DeserializeOwned>(&mut self) -> anyhow::Result<Option<T>> {
        loop {
            if let Some(end) = self.buffered.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffered.split_off(end + 1);
                let line = std::mem::replace(&mut self.buffered, rest);
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => self.buffered.extend(frame?.into_data().unwrap_or_default()),
            }
        }
    }
}
