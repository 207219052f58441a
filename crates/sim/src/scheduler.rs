//! The service scheduler, watched: the real one, with the rows from before and after each of its writes kept for the oracles.
//! Mutations change what it sees, what it says or what it writes (`faults`); its own code has no switch.

mod faults;

use crate::mutation::Mutation;
use crate::stage::{brief, short};
use base::Time;
use ecs::service::{Action, Deployment, Scheduler, Service};
use kernel::{Call, Plan, Reconciler};
use std::cell::RefCell;
use store::{Change, Image, Key, Tx};

/// One write of the scheduler.
pub struct Deed {
    pub service: Key,
    pub at: Time,
    pub action: Action,
    pub before: Image,
    pub after: Image,
}

#[derive(Default)]
struct Watch {
    mutation: Option<Mutation>,
    deeds: Vec<Deed>,
}

// Reconcilers have no value of their own to keep this in; a simulation is one thread.
thread_local! {
    static WATCH: RefCell<Watch> = RefCell::default();
}

pub fn watch(mutation: Option<Mutation>) {
    WATCH.with(|watch| *watch.borrow_mut() = Watch { mutation, deeds: Vec::new() });
}

/// What it did since this was asked last.
pub fn deeds() -> Vec<Deed> {
    WATCH.with(|watch| std::mem::take(&mut watch.borrow_mut().deeds))
}

pub struct Watched;

impl Reconciler for Watched {
    const NAME: &'static str = Scheduler::NAME;
    type Action = Action;

    fn keys(image: &Image) -> Vec<Key> {
        Scheduler::keys(image)
    }

    fn concerns(image: &Image, change: &Change) -> Vec<Key> {
        Scheduler::concerns(image, change)
    }

    fn decide(image: &Image, key: &Key, now: Time) -> Plan<Action> {
        let Some(mutation) = WATCH.with(|watch| watch.borrow().mutation) else { return Scheduler::decide(image, key, now) };
        let seen = faults::seen(image, key, mutation);
        let mut plan = Scheduler::decide(&seen, key, now);
        if let Some(service) = image.get::<Service>(key.as_str()) {
            faults::misjudge(&mut plan.actions, service, mutation);
        }
        plan
    }

    fn apply(call: &mut Call, tx: &mut Tx, key: &Key, action: Action) {
        let before = Image::clone(tx);
        Scheduler::apply(call, tx, key, action.clone());
        let mutation = WATCH.with(|watch| watch.borrow().mutation);
        if let Some(mutation) = mutation {
            faults::miswrite(tx, key, &action, &before, mutation);
        }
        let deed = Deed { service: key.clone(), at: call.now, action, before, after: Image::clone(tx) };
        WATCH.with(|watch| watch.borrow_mut().deeds.push(deed));
    }
}

/// One line of what it did.
pub fn story(deed: &Deed) -> String {
    let name = deed.service.as_str().rsplit('/').next().unwrap_or_default();
    let rows = deed.after.get::<Service>(deed.service.as_str());
    let rollouts: Vec<String> = rows.into_iter().flat_map(|row| &row.deployments).map(rollout).collect();
    format!("service {name} [{}]: {}", rollouts.join(" "), brief(&format!("{:?}", deed.action)))
}

fn rollout(deployment: &Deployment) -> String {
    let (id, definition) = (short(&deployment.id), deployment.task_definition.rsplit('/').next().unwrap_or_default());
    format!("{id} {definition} {:?}", deployment.rollout)
}
