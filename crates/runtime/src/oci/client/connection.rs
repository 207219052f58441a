//! One shim as the agent sees it: numbered requests whose answers may come in any order, and exits as they happen.

use super::burial::Grave;
use crate::oci::dir::Sandbox;
use crate::oci::protocol::{Answer, Failure, Frame, Message, Request, line};
use crate::{ContainerId, Error, Result, RuntimeEvent};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Mutex as AsyncMutex, Notify, oneshot};
use workload::TaskId;

pub struct Shim {
    task: TaskId,
    writer: AsyncMutex<OwnedWriteHalf>,
    state: Mutex<State>,
    gone: Notify,
}

#[derive(Default)]
struct State {
    next_id: u64,
    pending: BTreeMap<u64, oneshot::Sender<std::result::Result<Answer, Failure>>>,
    /// Its end will not be a loss.
    closing: bool,
    gone: bool,
}

/// Through the directory's descriptor: a socket address holds 107 bytes, a data directory's path may be longer.
pub fn connect(sandbox: &Sandbox) -> io::Result<UnixStream> {
    let dir = std::fs::File::open(&sandbox.0)?;
    UnixStream::connect(format!("/proc/self/fd/{}/shim.sock", dir.as_raw_fd()))
}

impl Shim {
    pub fn new(task: TaskId, stream: UnixStream, events: UnboundedSender<RuntimeEvent>, grave: Grave) -> io::Result<Arc<Shim>> {
        stream.set_nonblocking(true)?;
        let (reader, writer) = tokio::net::UnixStream::from_std(stream)?.into_split();
        let shim = Arc::new(Shim { task, writer: AsyncMutex::new(writer), state: Mutex::default(), gone: Notify::new() });
        tokio::spawn(shim.clone().listen(BufReader::new(reader).lines(), events, grave));
        Ok(shim)
    }

    pub fn is_gone(&self) -> bool {
        self.state().gone
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }

    pub async fn request(&self, request: Request) -> Result<std::result::Result<Answer, Failure>> {
        let (id, answer) = self.expect_answer();
        let bytes = line(&Frame { id, request });
        if self.writer.lock().await.write_all(&bytes).await.is_err() {
            return Err(self.died());
        }
        answer.await.map_err(|_| self.died())
    }

    fn expect_answer(&self) -> (u64, oneshot::Receiver<std::result::Result<Answer, Failure>>) {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.next_id += 1;
        let id = state.next_id;
        // Of a shim that is gone nobody will answer: dropping the sender says so.
        if !state.gone {
            state.pending.insert(id, sender);
        }
        (id, receiver)
    }

    fn died(&self) -> Error {
        Error::Shim { task: self.task.clone(), message: "the shim died".to_owned() }
    }

    /// Returns once the process is on its way out and will touch nothing any more.
    pub async fn close(&self) -> Result<std::result::Result<Answer, Failure>> {
        self.state().closing = true;
        let answer = self.request(Request::Close).await;
        match answer {
            // It did not close, so its death would be news again.
            Ok(Err(_)) => self.state().closing = false,
            _ => self.await_end().await,
        }
        match answer {
            // Dead is closed: what is left of it will be cleared.
            Err(_) => Ok(Ok(Answer::Done)),
            answered => answered,
        }
    }

    async fn await_end(&self) {
        let gone = self.gone.notified();
        if !self.is_gone() {
            gone.await;
        }
    }

    async fn listen(
        self: Arc<Self>,
        mut lines: Lines<BufReader<OwnedReadHalf>>,
        events: UnboundedSender<RuntimeEvent>,
        grave: Grave,
    ) {
        while let Ok(Some(text)) = lines.next_line().await {
            match serde_json::from_str(&text) {
                Ok(message) => self.hear(message, &events),
                Err(error) => {
                    tracing::error!(task = %self.task, %error, "a shim speaks nonsense");
                    break;
                }
            }
        }
        self.end(&events, grave).await;
    }

    fn hear(&self, message: Message, events: &UnboundedSender<RuntimeEvent>) {
        match message {
            Message::Reply { id, answer } => {
                // Whoever asked may have given up.
                let _ = self.state().pending.remove(&id).map(|sender| sender.send(answer));
            }
            Message::Exited { container, runtime_id, exit } => {
                let id = ContainerId { task: self.task.clone(), container };
                let _ = events.send(RuntimeEvent::Exited { id, runtime_id, exit });
            }
        }
    }

    async fn end(&self, events: &UnboundedSender<RuntimeEvent>, grave: Grave) {
        let lost = !self.state().closing;
        if lost && let Err(error) = grave.bury().await {
            tracing::error!(task = %self.task, %error, "cannot clear up after a dead shim");
        }
        let mut state = self.state();
        state.gone = true;
        state.pending.clear();
        drop(state);
        self.gone.notify_waiters();
        if lost {
            let _ = events.send(RuntimeEvent::SandboxLost { task: self.task.clone() });
        }
    }
}
