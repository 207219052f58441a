//! The shell around `Core`: the one writer thread, its queue, and the published image that readers take without a lock.
//! Work that waits while a group commits becomes the next group.

use crate::core::{self, Core, Settle, Work};
use crate::service::{Answer, EventStream, Prepared, WriteRun};
use crate::{Call, Caller, Services, Word, Workloads};
use arc_swap::ArcSwap;
use base::{Clock, Rng, Scope};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use store::{Backend, Change, Image};
use tokio::sync::{broadcast, oneshot};
use wire::Model;
use workload::{Assign, NodeFacts, NodeId, Report};

/// A group holds at most this many, so that the first does not wait for an endless queue.
const MESSAGES_PER_GROUP: usize = 512;
/// Watchers that fall further behind than this are told so and look at the image again.
const FEED_CAPACITY: usize = 1024;

/// How the writer hands a node its set. Must not block.
pub type SendAssign = Box<dyn Fn(Assign) + Send>;

#[allow(clippy::large_enum_variant)] // short-lived
enum Message {
    Work(Work),
    Joined(NodeFacts, SendAssign),
    Left(NodeId),
    Gone(NodeId),
    Report(NodeId, Report),
    Reset(oneshot::Sender<Result<(), wire::Error>>),
    Stop,
}

/// Cheap to clone; every clone speaks to the same writer.
#[derive(Clone)]
pub struct Plane {
    queue: Sender<Message>,
    published: Arc<ArcSwap<Image>>,
    feed: broadcast::Sender<Arc<Vec<Change>>>,
    services: Arc<Services>,
    clock: Arc<dyn Clock>,
}

impl Plane {
    pub fn start(
        services: Arc<Services>,
        backend: Box<dyn Backend>,
        clock: Arc<dyn Clock>,
        rng: Rng,
    ) -> store::Result<(Plane, std::thread::JoinHandle<()>)> {
        let core = Core::open(Arc::clone(&services), backend, rng)?;
        let (queue, messages) = channel();
        let published = Arc::new(ArcSwap::from_pointee(core.image().clone()));
        let feed = broadcast::channel(FEED_CAPACITY).0;
        let plane = Plane { queue, published, feed, services, clock };
        let writer = Writer { core, plane: plane.clone(), nodes: BTreeMap::new() };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || writer.run(messages));
        Ok((plane, thread.map_err(|e| store::Error::Commit(format!("no writer thread: {e}")))?))
    }

    pub fn image(&self) -> Arc<Image> {
        self.published.load_full()
    }

    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Rows that each commit changed, from now on.
    pub fn feed(&self) -> broadcast::Receiver<Arc<Vec<Change>>> {
        self.feed.subscribe()
    }

    /// As `answer`, of an operation whose answer comes whole.
    pub async fn call(&self, model: &Model, operation: &str, who: Who, body: &[u8]) -> Result<Bytes, wire::Error> {
        match self.answer(model, operation, who, body).await? {
            Reply::Whole(bytes) => Ok(bytes),
            Reply::Stream(_) => Err(wire::Error::internal()),
        }
    }

    /// Runs one operation as `caller` and returns the encoded answer, durable if it wrote anything.
    pub async fn answer(&self, model: &Model, operation: &str, who: Who, body: &[u8]) -> Result<Reply, wire::Error> {
        let service = self.services.of(model).ok_or_else(|| wire::Error::unknown_operation(operation))?;
        let encode = match service.prepare(operation, body)? {
            Prepared::Read(run) => {
                let mut call = who.call(self.clock.now(), Rng::from_os());
                core::guarded(|| run(&mut call, &self.published.load()))?
            }
            Prepared::Write(run) => self.write(who, run).await?,
            Prepared::Data(run) => run(who.call(self.clock.now(), Rng::from_os()), self.image()).await?,
            Prepared::Stream(run) => {
                let (published, call) = (Arc::clone(&self.published), who.call(self.clock.now(), Rng::from_os()));
                return run(call, Arc::new(move || published.load_full())).map(Reply::Stream);
            }
        };
        encode().map(Reply::Whole)
    }

    async fn write(&self, who: Who, run: WriteRun) -> Answer {
        let (answer, answered) = oneshot::channel();
        // A client that has gone away is no error: what it asked for is done.
        let work = core::transaction(who, run, move |result| drop(answer.send(result)));
        self.send(Message::Work(work));
        answered.await.unwrap_or_else(|_| Err(wire::Error::receiver("ServerException", "The server is shutting down.")))
    }

    /// Writes that no caller asked for, e.g. what the configuration says.
    pub fn internal(&self, write: impl FnOnce(&mut Call, &mut store::Tx) + Send + 'static) {
        self.send(Message::Work(core::internal(write)));
    }

    /// A node said hello. Its set is sent through `send` now and whenever it changes.
    pub fn joined(&self, facts: NodeFacts, send: SendAssign) {
        self.send(Message::Joined(facts, send));
    }

    pub fn left(&self, node: NodeId) {
        self.send(Message::Left(node));
    }

    /// A node is known to be dead, with all that it ran.
    pub fn gone(&self, node: NodeId) {
        self.send(Message::Gone(node));
    }

    pub fn report(&self, node: NodeId, report: Report) {
        self.send(Message::Report(node, report));
    }

    /// Forgets every row; connected nodes join again. Their containers are in no set any more, so they end.
    pub async fn reset(&self) -> Result<(), wire::Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Reset(answer));
        answered.await.unwrap_or_else(|_| Err(wire::Error::internal()))
    }

    /// After what is queued. The writer thread ends.
    pub fn stop(&self) {
        self.send(Message::Stop);
    }

    fn send(&self, message: Message) {
        // The writer is gone only while the process ends; then nobody waits for an answer but `write`, which sees it.
        let _ = self.queue.send(message);
    }
}

/// How an answer comes.
pub enum Reply {
    Whole(Bytes),
    Stream(EventStream),
}

/// On whose behalf a call runs.
#[derive(Clone, Debug)]
pub struct Who {
    pub scope: Scope,
    pub caller: Caller,
    pub request_id: String,
}

impl Who {
    pub fn call(self, now: base::Time, rng: Rng) -> Call {
        Call { scope: self.scope, caller: self.caller, now, rng, request_id: self.request_id }
    }
}

struct Writer {
    core: Core,
    plane: Plane,
    /// Connected nodes, with what they said of themselves: a reset lets them join anew.
    nodes: BTreeMap<NodeId, (NodeFacts, SendAssign)>,
}

impl Writer {
    fn run(mut self, messages: Receiver<Message>) {
        // What a crash left undecided is decided before the first request.
        self.group(Vec::new());
        loop {
            let Some(first) = self.wait(&messages) else { return };
            let mut works = Vec::new();
            let (mut next, mut taken) = (first, 0);
            while let Some(message) = next {
                if !self.take(message, &mut works) {
                    self.group(works);
                    return;
                }
                taken += 1;
                next = if taken < MESSAGES_PER_GROUP { messages.try_recv().ok() } else { None };
            }
            self.group(works);
        }
    }

    /// `Some(None)`: a wake is due. `None`: nobody is left to speak.
    fn wait(&self, messages: &Receiver<Message>) -> Option<Option<Message>> {
        let Some(wake) = self.core.next_wake() else { return messages.recv().ok().map(Some) };
        match messages.recv_timeout(wake.since(self.plane.clock.now())) {
            Ok(message) => Some(Some(message)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// `false` when the writer is to stop.
    fn take(&mut self, message: Message, works: &mut Vec<Work>) -> bool {
        match message {
            Message::Work(work) => works.push(work),
            Message::Joined(facts, send) => {
                self.nodes.insert(facts.id.clone(), (facts.clone(), send));
                self.core.hear(facts.id.clone(), Word::Joined(facts));
            }
            Message::Left(node) => {
                self.nodes.remove(&node);
                self.core.hear(node, Word::Left);
            }
            Message::Gone(node) => {
                self.nodes.remove(&node);
                self.core.hear(node, Word::Gone);
            }
            Message::Report(node, report) => self.core.hear(node, Word::Report(report)),
            Message::Reset(answer) => {
                let nodes: Vec<NodeFacts> = self.nodes.values().map(|(facts, _)| facts.clone()).collect();
                works.push(forget_everything(self.plane.services.workloads(), nodes.clone(), answer));
                // They are told that they have nothing to run any more.
                nodes.into_iter().for_each(|facts| self.core.hear(facts.id.clone(), Word::Joined(facts)));
            }
            Message::Stop => return false,
        }
        true
    }

    fn group(&mut self, works: Vec<Work>) {
        let (outcome, settles, kept) = self.core.run(self.plane.clock.now(), works);
        if let Err(error) = &kept {
            tracing::error!(%error, "a group was not kept");
        }
        if !outcome.changes.is_empty() {
            self.plane.published.store(Arc::new(self.core.image().clone()));
            // No watcher is no error.
            let _ = self.plane.feed.send(Arc::new(outcome.changes));
        }
        for (node, assign) in outcome.assigns {
            self.assign(&node, assign);
        }
        settles.into_iter().for_each(|settle: Settle| settle(&kept));
    }

    fn assign(&self, node: &NodeId, assign: Assign) {
        if let Some((_, send)) = self.nodes.get(node) {
            send(assign);
        }
    }
}

/// But not who is connected.
fn forget_everything(
    workloads: Option<Workloads>,
    nodes: Vec<NodeFacts>,
    answer: oneshot::Sender<Result<(), wire::Error>>,
) -> Work {
    Box::new(move |turn| {
        turn.tx.clear();
        let mut call = Call::internal(turn.now, turn.rng.fork());
        workloads.iter().for_each(|workloads| nodes.iter().for_each(|facts| (workloads.joined)(&mut call, turn.tx, facts)));
        Box::new(move |kept: &Result<(), store::Error>| {
            // Nobody waits for the answer of a caller that has gone away.
            let _ = answer.send(kept.as_ref().copied().map_err(core::not_kept));
        })
    })
}
