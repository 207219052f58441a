//! The state machine of the plane, without a thread, a socket or a clock: a batch of work goes in with the time, one
//! group commit makes it durable, and the new image, the feed and the nodes' sets come out. The writer thread and the
//! simulator drive the same value.

use crate::dispatch::Dispatcher;
use crate::driver::Driver;
use crate::plane::Who;
use crate::service::Encode;
use crate::words::{Word, Words};
use crate::{Call, Services, Workloads};
use base::{Rng, Time};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use store::{Backend, Change, Epoch, Image, Tx};
use workload::{Assign, NodeId};

/// Between tries to keep what a commit did not: a disk is not full for milliseconds only.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Runs on the writer inside the group; what it returns runs once the group is durable (or was not).
pub type Work = Box<dyn FnOnce(&mut Turn<'_>) -> Settle + Send>;
pub type Settle = Box<dyn FnOnce(&Result<(), store::Error>) + Send>;

/// What a piece of work sees.
pub struct Turn<'a> {
    pub tx: &'a mut Tx,
    pub now: Time,
    pub rng: &'a mut Rng,
}

pub struct Core {
    services: Arc<Services>,
    workloads: Option<Workloads>,
    backend: Box<dyn Backend>,
    epoch: Epoch,
    image: Image,
    driver: Driver,
    dispatcher: Dispatcher,
    words: Words,
    /// Nodes that said hello since the last group.
    joining: Vec<NodeId>,
    /// The last group was not kept.
    again_at: Option<Time>,
    rng: Rng,
}

/// What a group did.
#[derive(Default)]
pub struct Outcome {
    pub changes: Vec<Change>,
    /// Nodes whose whole set is now another, or that are to be told theirs because they said hello.
    pub assigns: Vec<(NodeId, Assign)>,
}

impl Core {
    /// Waits until this process leads, then takes over everything there is.
    pub fn open(services: Arc<Services>, mut backend: Box<dyn Backend>, rng: Rng) -> store::Result<Core> {
        let epoch = backend.lead()?;
        let loaded = backend.load()?;
        let image = services.tables().image(loaded.revision, loaded.rows)?;
        Ok(Core::over(services, backend, epoch, image, rng))
    }

    /// Over what a backend that leads has, for whoever has read it.
    pub fn over(services: Arc<Services>, backend: Box<dyn Backend>, epoch: Epoch, image: Image, rng: Rng) -> Core {
        let driver = Driver::new(services.reconcilers(), &image);
        let workloads = services.workloads();
        let mut words = Words::default();
        // Nobody has said hello to this process yet, whoever is said to be connected.
        let connected = workloads.map(|workloads| (workloads.connected)(&image)).unwrap_or_default();
        connected.into_iter().for_each(|node| words.hear(node, Word::Left));
        let (dispatcher, joining, again_at) = (Dispatcher::default(), Vec::new(), None);
        Core { services, workloads, backend, epoch, image, driver, dispatcher, words, joining, again_at, rng }
    }

    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    pub fn image(&self) -> &Image {
        &self.image
    }

    /// When there is something to do again, if nobody asks for anything before.
    pub fn next_wake(&self) -> Option<Time> {
        let now = (!self.words.is_empty()).then_some(Time::ZERO);
        self.again_at.or(now).or_else(|| self.driver.next_wake())
    }

    /// What a node says comes first in the next group, and in those after it until one is kept.
    pub fn hear(&mut self, node: NodeId, word: Word) {
        self.joining.retain(|joining| *joining != node || matches!(word, Word::Report(_)));
        match word {
            Word::Joined(_) => self.joining.push(node.clone()),
            Word::Left | Word::Gone => self.dispatcher.left(&node),
            Word::Report(_) => {}
        }
        self.words.hear(node, word);
    }

    /// One group. Settles are returned, not run, so that the caller publishes the image first: who is answered can read
    /// what was written.
    pub fn run(&mut self, now: Time, batch: Vec<Work>) -> (Outcome, Vec<Settle>, Result<(), store::Error>) {
        let mut tx = Tx::new(self.image.clone());
        let start = tx.savepoint();
        let mut settles = Vec::with_capacity(batch.len());
        if let Some(workloads) = self.workloads.as_ref().filter(|_| !self.words.is_empty()) {
            self.words.apply(workloads, &mut Call::internal(now, self.rng.fork()), &mut tx);
        }
        for work in batch {
            settles.push(work(&mut Turn { tx: &mut tx, now, rng: &mut self.rng }));
        }
        let changes = tx.changes_since(&start);
        self.driver.hint(&tx, &changes);
        self.driver.settle(&mut Call::internal(now, self.rng.fork()), &mut tx);
        let before = self.image.clone();
        let kept = self.commit(tx);
        self.again_at = kept.is_err().then_some(now + TRY_AGAIN);
        if kept.is_ok() {
            self.words.kept();
        }
        let outcome = Outcome { assigns: self.assigns(&before, kept.as_deref().unwrap_or_default()), changes: vec![] };
        match kept {
            Ok(changes) => (Outcome { changes, ..outcome }, settles, Ok(())),
            Err(error) => (outcome, settles, Err(error)),
        }
    }

    fn commit(&mut self, tx: Tx) -> store::Result<Vec<Change>> {
        if tx.is_empty() {
            return Ok(Vec::new());
        }
        let (writes, changes, image) = tx.into_parts();
        match self.backend.commit(self.epoch, &writes) {
            Ok(revision) => {
                self.image = image.published(revision);
                Ok(changes)
            }
            Err(error) => {
                // What was decided on the lost overlay must be decided again.
                self.driver = Driver::new(self.services.reconcilers(), &self.image);
                Err(error)
            }
        }
    }

    fn assigns(&mut self, before: &Image, changes: &[Change]) -> Vec<(NodeId, Assign)> {
        let Some(workloads) = self.workloads else { return Vec::new() };
        let mut assigns = self.dispatcher.changed(&workloads, before, &self.image, changes);
        // Rows that do not know of a node's end yet still give it what ended: it would begin that again.
        let joining = std::mem::take(&mut self.joining).into_iter();
        let (waiting, joining) = joining.partition::<Vec<NodeId>, _>(|node| self.words.tell_the_end_of(node));
        self.joining = waiting;
        for node in joining {
            let assign = self.dispatcher.joined(&workloads, &self.image, &node);
            assigns.push((node, assign));
        }
        assigns
    }
}

/// A handler as work: on an error its own writes are undone, the rest of the group stands. `answer` is given the result once
/// the group is durable.
pub fn transaction(
    who: Who,
    run: impl FnOnce(&mut Call, &mut Tx) -> Result<Encode, wire::Error> + Send + 'static,
    answer: impl FnOnce(Result<Encode, wire::Error>) + Send + 'static,
) -> Work {
    Box::new(move |turn| {
        let mut call = who.call(turn.now, turn.rng.fork());
        let before = turn.tx.savepoint();
        let result = guarded(|| run(&mut call, turn.tx));
        if result.is_err() {
            turn.tx.rollback(before);
        }
        Box::new(move |kept| {
            answer(match kept {
                Ok(()) => result,
                Err(error) => Err(not_kept(error)),
            })
        })
    })
}

/// A bug in one handler is that caller's 500, not everybody's end.
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, wire::Error>) -> Result<T, wire::Error> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        tracing::error!("a handler panicked; its transaction was rolled back");
        Err(wire::Error::receiver("ServerException", "Service Unavailable. Please try again later."))
    })
}

pub(crate) fn not_kept(error: &store::Error) -> wire::Error {
    wire::Error::receiver("ServerException", format!("The change could not be stored: {error}"))
}

pub(crate) fn internal(write: impl FnOnce(&mut Call, &mut Tx) + Send + 'static) -> Work {
    Box::new(move |turn| {
        let mut call = Call::internal(turn.now, turn.rng.fork());
        write(&mut call, turn.tx);
        Box::new(|_| ())
    })
}
