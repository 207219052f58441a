//! The network of this host's kernel: a namespace per attachment with a routed veth pair, one nf_tables map for the
//! published ports. All of it is done by one thread that owns the state; what is here hands it messages. Attachments
//! outlive the process, see `record`. Never runs a tool: everything is said over netlink.

mod config;
mod conntrack;
mod context;
mod hold;
mod link;
mod lock;
mod neighbours;
mod netlink;
mod netns;
mod nft;
mod pool;
mod record;
mod route;
mod sysctl;
mod worker;

pub use config::{Config, Metadata};
pub use neighbours::{Neighbours, Range};

use crate::{Attach, Attachment, Error, Network, Result};
use async_trait::async_trait;
use context::Context;
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use worker::{Message, Reply, Worker};

pub struct LinuxNetwork {
    messages: mpsc::Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl LinuxNetwork {
    /// Takes up what an earlier process left in the state directory. Serves the calling thread's network namespace.
    pub fn new(config: Config) -> Result<LinuxNetwork> {
        let (messages, inbox) = mpsc::channel();
        let (opened, outcome) = mpsc::channel();
        let built = messages.clone();
        let run = move || match Worker::open(config, built) {
            Ok(worker) => {
                let _ = opened.send(Ok(()));
                worker.run(inbox);
            }
            Err(error) => {
                let _ = opened.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("network".into()).spawn(run).context(|| "starting the network thread")?;
        outcome.recv().unwrap_or_else(|_| Err(gone()))?;
        Ok(LinuxNetwork { messages, thread: Some(thread) })
    }

    /// Leaves the host as it was before the first `new`: no namespace, link, route, table or file of ours.
    pub async fn teardown_all(self) -> Result<()> {
        self.call(Message::TearDown).await
    }

    async fn call<T>(&self, message: impl FnOnce(Reply<T>) -> Message) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.messages.send(message(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

#[async_trait]
impl Network for LinuxNetwork {
    async fn list(&self) -> Result<Vec<Attachment>> {
        self.call(Message::List).await
    }

    async fn attach(&self, attach: Attach) -> Result<Attachment> {
        self.call(|reply| Message::Attach(attach, reply)).await
    }

    async fn detach(&self, id: &str) -> Result<()> {
        self.call(|reply| Message::Detach(id.to_owned(), reply)).await
    }
}

/// Waits for the thread, so that the state directory is free for a successor.
impl Drop for LinuxNetwork {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn gone() -> Error {
    Error::Kernel { context: "network thread".into(), message: "has ended".into() }
}

#[cfg(test)]
mod tests;
