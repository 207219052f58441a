//! The service scheduler, watched: the real one, with the rows from before and after each of its writes kept for the oracles.
//! Mutations change what it sees, what it says or what it writes; its own code has no switch.

use crate::mutation::Mutation;
use crate::stage::{brief, short};
use base::Time;
use ecs::service::{Action, Deployment, Rollout, Scheduler, Service};
use ecs::state_events::{self, Event};
use ecs::task::Task;
use kernel::{Call, Plan, Reconciler};
use std::cell::RefCell;
use store::{Change, Image, Key, Record, Tx};
use workload::Desired;

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
        let seen = seen(image, key, mutation);
        let mut plan = Scheduler::decide(&seen, key, now);
        if let Some(service) = image.get::<Service>(key.as_str()) {
            misjudge(&mut plan.actions, service, mutation);
        }
        plan
    }

    fn apply(call: &mut Call, tx: &mut Tx, key: &Key, action: Action) {
        let before = Image::clone(tx);
        Scheduler::apply(call, tx, key, action.clone());
        let mutation = WATCH.with(|watch| watch.borrow().mutation);
        if let Some(mutation) = mutation {
            miswrite(tx, key, &action, &before, mutation);
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

/// Rows as a scheduler with that fault takes them to be.
fn seen(image: &Image, key: &Key, mutation: Mutation) -> Image {
    let mut tx = Tx::new(image.clone());
    let Some(mut service) = tx.get::<Service>(key.as_str()).cloned() else { return image.clone() };
    let tasks: Vec<Task> = tx.by::<Task>("service", service.path()).cloned().collect();
    let stopping = tasks.iter().filter(|task| task.desired == Desired::Stopped && !task.is_stopped()).map(Task::key);
    match mutation {
        Mutation::FloorIgnored => {
            let mut configuration = service.spec.deployment_configuration.take().unwrap_or_default();
            configuration.minimum_healthy_percent = Some(0);
            service.spec.deployment_configuration = Some(configuration);
            tx.put(service);
        }
        Mutation::StoppingNotCounted if !service.is_daemon() => stopping.for_each(|key| _ = tx.delete::<Task>(key.as_str())),
        Mutation::DaemonTwice if service.is_daemon() => stopping.for_each(|key| _ = tx.delete::<Task>(key.as_str())),
        Mutation::ProtectionIgnored => {
            tasks.into_iter().for_each(|task| tx.put(Task { protected_until: None, ..task }));
        }
        Mutation::ThrottleOff => {
            service.deployments.iter_mut().for_each(|deployment| deployment.throttled_until = None);
            tx.put(service);
        }
        Mutation::HealthyAtOnce => tx.put(ecs::service::Pace { healthy_after_ms: 0 }),
        _ => return image.clone(),
    }
    Image::clone(&tx)
}

fn misjudge(actions: &mut Vec<Action>, service: &Service, mutation: Mutation) {
    let Some(primary) = service.primary() else { return };
    let start = |deployment: &Deployment| Action::Start { deployment: deployment.id.clone(), count: 1, on: Vec::new() };
    match mutation {
        Mutation::FailedGoesOn if primary.rollout == Rollout::Failed && actions.is_empty() && !service.is_daemon() => {
            actions.push(start(primary));
        }
        Mutation::RollbackAnywhere => {
            let broken = service.deployments.iter().skip(1).find(|deployment| deployment.rollout != Rollout::Completed);
            for action in actions {
                if let (Action::RollBack { cause, .. } | Action::Fail(cause), Some(to)) = (&action, broken) {
                    *action = Action::RollBack { to: to.id.clone(), cause: *cause };
                }
            }
        }
        Mutation::ForgetsEarly if actions.is_empty() && service.deployments.len() > 1 => {
            let deployment = service.deployments[1].id.clone();
            actions.push(Action::Forget { deployment });
        }
        _ => {}
    }
}

fn miswrite(tx: &mut Tx, key: &Key, action: &Action, before: &Image, mutation: Mutation) {
    let told = state_events::after(tx, state_events::newest(before)).next().cloned();
    match (mutation, action) {
        (Mutation::CountsForgotten, Action::Count(ended)) => {
            let prefix = key.as_str().rsplit_once('/').map_or("", |(prefix, _)| prefix);
            for ended in ended {
                let task = format!("{prefix}/{}", ended.task);
                tx.update::<Task>(&task, |task| task.member.iter_mut().for_each(|member| member.is_counted = false));
            }
        }
        (Mutation::RolledBackInName, Action::RollBack { .. }) => {
            let was = before.get::<Service>(key.as_str()).and_then(|service| service.spec.task_definition.clone());
            tx.update::<Service>(key.as_str(), |service| service.spec.task_definition = was);
        }
        (Mutation::EventLost, _) => {
            if let Some(event) = told {
                tx.delete::<Event>(event.key().as_str());
            }
        }
        (Mutation::EventTwice, _) => {
            if let Some(event) = told {
                let sequence = state_events::newest(tx) + 1;
                tx.put(Event { sequence, ..event });
            }
        }
        _ => {}
    }
}
