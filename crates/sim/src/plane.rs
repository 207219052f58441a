//! The plane as the world sees it: the real `Core` over a memory that survives it.

use crate::Mutation;
use base::{Rng, Scope, Time};
use bytes::Bytes;
use kernel::core::{Outcome, Work, joined, left, report};
use kernel::plane::Who;
use kernel::service::Prepared;
use kernel::{Caller, Core, Services};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use store::backend::mem::Mem;
use store::{Backend, Epoch, Image, Loaded, Write};
use workload::{Assign, NodeFacts, NodeId, Report};

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "us-east-1";

pub struct Plane {
    services: Arc<Services>,
    disk: Disk,
    core: Option<Core>,
    mutation: Option<Mutation>,
}

/// `CommitLost`: what was acknowledged last is not there any more after a crash.
#[derive(Clone)]
struct Disk {
    rows: Mem,
    lossy: bool,
    unwritten: Arc<Mutex<Option<Vec<Write>>>>,
}

impl Backend for Disk {
    fn lead(&mut self) -> store::Result<Epoch> {
        *self.unwritten() = None;
        self.rows.lead()
    }

    fn load(&mut self) -> store::Result<Loaded> {
        self.rows.load()
    }

    fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> store::Result<u64> {
        if !self.lossy {
            return self.rows.commit(epoch, writes);
        }
        let previous = self.unwritten().replace(writes.to_vec()).unwrap_or_default();
        self.rows.commit(epoch, &previous)
    }
}

impl Disk {
    fn unwritten(&self) -> std::sync::MutexGuard<'_, Option<Vec<Write>>> {
        self.unwritten.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

pub type Answer = Result<Value, wire::Error>;

impl Plane {
    pub fn new(rng: Rng, mutation: Option<Mutation>) -> Plane {
        let lossy = mutation == Some(Mutation::CommitLost);
        let disk = Disk { rows: Mem::new(), lossy, unwritten: Arc::default() };
        let mut plane = Plane { services: Arc::new(Services::new(vec![ecs::service()])), disk, core: None, mutation };
        plane.recover(rng);
        plane
    }

    pub fn crash(&mut self) {
        self.core = None;
    }

    pub fn recover(&mut self, rng: Rng) {
        let core = Core::open(Arc::clone(&self.services), Box::new(self.disk.clone()), rng);
        self.core = Some(core.unwrap_or_else(|error| panic!("the plane does not come back: {error}")));
    }

    /// The next commit is refused, as by a full disk.
    pub fn fill_disk(&self) {
        self.disk.rows.fail_next();
    }

    pub fn image(&self) -> Option<&Image> {
        self.core.as_ref().map(Core::image)
    }

    pub fn next_wake(&self) -> Option<Time> {
        let muted = self.mutation == Some(Mutation::NoWakes);
        self.core.as_ref().filter(|_| !muted)?.next_wake()
    }

    pub fn tick(&mut self, now: Time) -> Outcome {
        self.work(now, vec![])
    }

    pub fn joined(&mut self, now: Time, facts: NodeFacts) -> Option<(Outcome, Assign)> {
        let node = facts.id.clone();
        let outcome = self.work(now, vec![joined(self.services.workloads()?, facts)]);
        Some((outcome, self.core.as_mut()?.joined(&node)?))
    }

    pub fn left(&mut self, now: Time, node: &NodeId) -> Option<Outcome> {
        self.core.as_mut()?.left(node);
        Some(self.work(now, vec![left(self.services.workloads()?, node.clone())]))
    }

    pub fn report(&mut self, now: Time, node: &NodeId, said: Report) -> Option<Outcome> {
        Some(self.work(now, vec![report(self.services.workloads()?, node.clone(), said)]))
    }

    fn work(&mut self, now: Time, batch: Vec<Work>) -> Outcome {
        let Some(core) = &mut self.core else { return Outcome::default() };
        let (outcome, settles, kept) = core.run(now, batch);
        settles.into_iter().for_each(|settle| settle(&kept));
        outcome
    }

    /// One API call; `None` if the plane is down.
    pub fn call(&mut self, now: Time, operation: &str, input: &Value) -> Option<(Outcome, Answer)> {
        let core = self.core.as_mut()?;
        let services = Arc::clone(&self.services);
        let service = services.iter().next()?;
        let body = serde_json::to_vec(input).unwrap_or_default();
        let run = match service.prepare(operation, &body) {
            Err(error) => return Some((Outcome::default(), Err(error))),
            Ok(Prepared::Read(run)) => {
                let mut call = who().call(now, Rng::from_seed(now.millis()));
                let answer = run(&mut call, core.image()).and_then(|encode| encode());
                return Some((Outcome::default(), parsed(answer)));
            }
            Ok(Prepared::Write(run)) => run,
        };
        let slot: Arc<Mutex<Option<Result<Bytes, wire::Error>>>> = Arc::default();
        let filled = Arc::clone(&slot);
        let work = kernel::core::transaction(who(), run, move |result| {
            *filled.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(result.and_then(|encode| encode()));
        });
        let outcome = self.work(now, vec![work]);
        let answer = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        Some((outcome, parsed(answer.unwrap_or_else(|| Err(wire::Error::internal())))))
    }
}

fn who() -> Who {
    let scope = Scope::new(ACCOUNT, REGION);
    Who { scope, caller: Caller::default(), request_id: String::new() }
}

fn parsed(answer: Result<Bytes, wire::Error>) -> Answer {
    answer.map(|body| serde_json::from_slice(&body).unwrap_or_default())
}
