//! The state machine of the plane, without a thread, a socket or a clock: a batch of work goes in with the time, one
//! group commit makes it durable, and the new image, the feed and the nodes' sets come out. The writer thread and the
//! simulator drive the same value.

use crate::dispatch::Dispatcher;
use crate::driver::Driver;
use crate::plane::Who;
use crate::service::Encode;
use crate::{Call, Services, Workloads};
use base::{Rng, Time};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use store::{Backend, Change, Epoch, Image, Tx};
use workload::{Assign, NodeFacts, NodeId, Report};

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
    rng: Rng,
}

/// What a group did.
#[derive(Default)]
pub struct Outcome {
    pub changes: Vec<Change>,
    /// Nodes whose whole set is now another.
    pub assigns: Vec<(NodeId, Assign)>,
}

impl Core {
    /// Waits until this process leads, then takes over everything there is.
    pub fn open(services: Arc<Services>, mut backend: Box<dyn Backend>, rng: Rng) -> store::Result<Core> {
        let epoch = backend.lead()?;
        let loaded = backend.load()?;
        let image = services.tables().image(loaded.revision, loaded.rows)?;
        let driver = Driver::new(services.reconcilers(), &image);
        let (workloads, dispatcher) = (services.workloads(), Dispatcher::default());
        Ok(Core { services, workloads, backend, epoch, image, driver, dispatcher, rng })
    }

    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    pub fn image(&self) -> &Image {
        &self.image
    }

    pub fn next_wake(&self) -> Option<Time> {
        self.driver.next_wake()
    }

    /// One group. Settles are returned, not run, so that the caller publishes the image first: who is answered can read
    /// what was written.
    pub fn run(&mut self, now: Time, batch: Vec<Work>) -> (Outcome, Vec<Settle>, Result<(), store::Error>) {
        let mut tx = Tx::new(self.image.clone());
        let start = tx.savepoint();
        let mut settles = Vec::with_capacity(batch.len());
        for work in batch {
            settles.push(work(&mut Turn { tx: &mut tx, now, rng: &mut self.rng }));
        }
        let changes = tx.changes_since(&start);
        self.driver.hint(&tx, &changes);
        self.driver.settle(&mut Call::internal(now, self.rng.fork()), &mut tx);
        let kept = self.commit(tx);
        let outcome = Outcome { assigns: self.assigns(kept.as_deref().unwrap_or_default()), changes: vec![] };
        match kept {
            Ok(changes) => (Outcome { changes, ..outcome }, settles, Ok(())),
            Err(error) => (outcome, settles, Err(error)),
        }
    }

    /// A node said hello: the writer's `joined` has run; this is the whole set it must have.
    pub fn joined(&mut self, node: &NodeId) -> Option<Assign> {
        let workloads = self.workloads?;
        Some(self.dispatcher.joined(&workloads, &self.image, node))
    }

    pub fn left(&mut self, node: &NodeId) {
        self.dispatcher.left(node);
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

    fn assigns(&mut self, changes: &[Change]) -> Vec<(NodeId, Assign)> {
        let Some(workloads) = self.workloads else { return Vec::new() };
        self.dispatcher.changed(&workloads, &self.image, changes)
    }
}

/// Work that a node's words become.
pub fn report(workloads: Workloads, node: NodeId, report: Report) -> Work {
    internal(move |call, tx| (workloads.report)(call, tx, &node, &report))
}

pub fn joined(workloads: Workloads, facts: NodeFacts) -> Work {
    internal(move |call, tx| (workloads.joined)(call, tx, &facts))
}

pub fn left(workloads: Workloads, node: NodeId) -> Work {
    internal(move |call, tx| (workloads.left)(call, tx, &node))
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
    tracing::error!(%error, "a group was not kept");
    wire::Error::receiver("ServerException", format!("The change could not be stored: {error}"))
}

pub(crate) fn internal(write: impl FnOnce(&mut Call, &mut Tx) + Send + 'static) -> Work {
    Box::new(move |turn| {
        let mut call = Call::internal(turn.now, turn.rng.fork());
        write(&mut call, turn.tx);
        Box::new(|_| ())
    })
}
