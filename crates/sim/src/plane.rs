//! The plane: the real `Core` over a disk that survives it. What comes in waits until the writer takes its turn and is one
//! group then; a crash in the middle of a commit leaves it durable or not, and tells nobody.

use crate::disk::{Dies, Disk};
use crate::mutation::Mutation;
use crate::scheduler::{self, Deed, Watched};
use base::{Rng, Scope, Time};
use bytes::Bytes;
use ecs::node::Gone;
use kernel::core::Work;
use kernel::plane::Who;
use kernel::service::Prepared;
use kernel::{Call, Caller, Core, Services, Word};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Change, Image};
use workload::{Assign, NodeId};

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "us-east-1";

pub type Answer = Result<Value, wire::Error>;
type Answers = Arc<Mutex<Vec<(u64, Result<Bytes, wire::Error>)>>>;

pub struct Plane {
    services: Arc<Services>,
    disk: Disk,
    core: Option<Core>,
    inbox: Vec<Work>,
    /// Somebody has asked for something or said something since the last group.
    is_asked: bool,
    answers: Answers,
    mutation: Option<Mutation>,
}

/// What one group led to.
#[derive(Default)]
pub struct Turned {
    pub changes: Vec<Change>,
    pub assigns: Vec<(NodeId, Assign)>,
    pub answers: Vec<(u64, Answer)>,
    /// Of the service scheduler, kept or not.
    pub deeds: Vec<Deed>,
    pub is_kept: bool,
    pub was_asked: bool,
}

impl Plane {
    pub fn new(rng: Rng, mutation: Option<Mutation>) -> Plane {
        let services = Arc::new(Services::new(vec![ecs::service().reconcile_instead::<Watched>()]));
        let disk = Disk::new(Arc::clone(&services), mutation);
        scheduler::watch(mutation);
        let mut plane =
            Plane { services, disk, core: None, inbox: Vec::new(), is_asked: false, answers: Arc::default(), mutation };
        plane.recover(rng);
        plane
    }

    pub fn is_up(&self) -> bool {
        self.core.is_some()
    }

    pub fn image(&self) -> Option<&Image> {
        self.core.as_ref().map(Core::image)
    }

    /// When the writer has something to do.
    pub fn due_at(&self) -> Option<Time> {
        let wake = self.core.as_ref()?.next_wake();
        if self.inbox.is_empty() {
            wake.filter(|wake| *wake == Time::ZERO || !self.is_mutated(Mutation::NoWakes))
        } else {
            Some(Time::ZERO)
        }
    }

    fn is_mutated(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    pub fn crash(&mut self) {
        self.core = None;
        self.inbox.clear();
        lock(&self.answers).clear();
        self.disk.dies(None);
    }

    pub fn recover(&mut self, rng: Rng) {
        let (epoch, image) = self.disk.read().unwrap_or_else(|error| panic!("the plane does not come back: {error}"));
        self.core = Some(Core::over(Arc::clone(&self.services), Box::new(self.disk.clone()), epoch, image, rng));
    }

    pub fn fill_disk(&self, is_full: bool) {
        self.disk.fill(is_full);
    }

    /// In its next commit, before or after that is durable.
    pub fn die_in_commit(&self, point: Dies) {
        self.disk.dies(Some(point));
    }

    pub fn spare(&self) {
        self.disk.dies(None);
    }

    #[cfg(test)]
    pub fn read_both_ways(&mut self) -> [std::collections::BTreeMap<(String, String), Vec<u8>>; 2] {
        self.disk.read_both_ways()
    }

    pub fn hear(&mut self, node: &NodeId, word: Word) {
        self.is_asked = true;
        if let Some(core) = &mut self.core {
            core.hear(node.clone(), word);
        }
    }

    /// As whoever starts the server says.
    pub fn set_healthy_after(&mut self, after: Duration) {
        self.inbox.push(Box::new(move |turn| {
            ecs::service::set_healthy_after(turn.tx, after);
            Box::new(|_| ())
        }));
    }

    /// The node is known to be gone for good.
    pub fn bury(&mut self, node: &NodeId) {
        let node = node.clone();
        self.is_asked = true;
        self.inbox.push(Box::new(move |turn| {
            let mut call = Call::internal(turn.now, turn.rng.fork());
            ecs::node::gone(&mut call, turn.tx, &node, Gone::Terminated);
            Box::new(|_| ())
        }));
    }

    /// `None`: the plane died in it.
    pub fn turn(&mut self, now: Time) -> Option<Turned> {
        let was_asked = std::mem::take(&mut self.is_asked);
        let core = self.core.as_mut()?;
        let (outcome, settles, kept) = core.run(now, std::mem::take(&mut self.inbox));
        let deeds = scheduler::deeds();
        if self.disk.has_died() {
            return None;
        }
        settles.into_iter().for_each(|settle| settle(&kept));
        let answers = std::mem::take(&mut *lock(&self.answers));
        let answers = answers.into_iter().map(|(call, answer)| (call, parsed(answer))).collect();
        let is_kept = kept.is_ok();
        Some(Turned { changes: outcome.changes, assigns: outcome.assigns, answers, deeds, is_kept, was_asked })
    }

    /// Reads are answered at once, writes with their group.
    pub fn call(&mut self, call: u64, now: Time, operation: &str, input: &Value) -> Option<Answer> {
        let services = Arc::clone(&self.services);
        let service = services.iter().next()?;
        let mut input = input.clone();
        match (self.mutation, operation) {
            (Some(Mutation::TokensIgnored), "RunTask") => input["clientToken"] = Value::Null,
            (Some(Mutation::StopsForgotten), "StopTask") => return Some(Ok(json!({}))),
            (Some(Mutation::DrainsForgotten), "UpdateContainerInstancesState") => return Some(Ok(json!({}))),
            _ => {}
        }
        let body = serde_json::to_vec(&input).unwrap_or_default();
        let run = match service.prepare(operation, &body) {
            Err(error) => return Some(Err(error)),
            Ok(Prepared::Read(run)) => {
                let mut caller = who().call(now, Rng::from_seed(call));
                return Some(parsed(run(&mut caller, self.image()?).and_then(|encode| encode())));
            }
            Ok(Prepared::Write(run)) => run,
            Ok(Prepared::Data(_) | Prepared::Stream(_)) => unreachable!("all that ECS keeps is rows"),
        };
        let answers = Arc::clone(&self.answers);
        let answer = move |result: Result<kernel::service::Encode, wire::Error>| {
            lock(&answers).push((call, result.and_then(|encode| encode())));
        };
        self.is_asked = true;
        self.inbox.push(kernel::core::transaction(who(), run, answer));
        None
    }
}

fn who() -> Who {
    Who { scope: Scope::new(ACCOUNT, REGION), caller: Caller::default(), request_id: String::new() }
}

fn parsed(answer: Result<Bytes, wire::Error>) -> Answer {
    answer.map(|body| serde_json::from_slice(&body).unwrap_or_default())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
