//! The store as asynchronous callers have it: what may wait for the disk runs where waiting is allowed.

use crate::{EventStore, Tail};
use std::io;
use std::sync::Arc;

#[derive(Clone)]
pub struct Events(Arc<EventStore>);

impl Events {
    pub fn new(store: EventStore) -> Events {
        Events(Arc::new(store))
    }

    pub fn tail(&self) -> Tail {
        self.0.tail()
    }

    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EventStore) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let store = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}
