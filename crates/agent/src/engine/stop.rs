//! How a task is brought to its end: its containers are signalled in reverse order of their dependencies, killed when their
//! time is up, and then everything the task holds is given back.

use super::effect::Effect;
use super::mutation::{Mutation, mutated};
use super::order;
use super::signal;
use super::state::{Container, Life, Step, Task};
use base::Time;
use std::sync::Arc;
use std::time::Duration;
use workload::ContainerSpec;

/// ECS_CONTAINER_STOP_TIMEOUT's default.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// A kill that shows no effect is repeated: it may have been lost with a shim.
const KILL_AGAIN: Duration = Duration::from_secs(10);
/// A cleanup that fails has to succeed in the end: the task's ports and memory are not free before.
pub const RETRY: Duration = Duration::from_secs(5);

pub fn steps(task: &Task, now: Time) -> Vec<Effect> {
    let mut effects: Vec<Effect> = (0..task.containers.len()).filter_map(|index| signal(task, index, now)).collect();
    effects.extend(cleanup(task, now));
    effects
}

/// What `steps` waits for, if it waits for time.
pub fn wakes_at(task: &Task) -> Option<Time> {
    let stopping = |index: &usize| stoppable(task, *index);
    let kills = (0..task.containers.len()).filter(stopping).filter_map(|index| {
        let (spec, container) = (&task.spec.containers[index], &task.containers[index]);
        kill_at(spec, container)
    });
    let retries = task.networks.values().filter_map(|n| n.detach.retry_at()).chain(task.close.retry_at());
    kills.chain(retries).min()
}

pub fn is_over(task: &Task) -> bool {
    let given_back = task.networks.values().all(|n| n.detach == Step::Done || n.attach == Step::Todo);
    task.all(Life::Ended) && (task.close == Step::Done && given_back || mutated(Mutation::StoppedBeforeCleanup))
}

fn stoppable(task: &Task, index: usize) -> bool {
    task.containers[index].life == Life::Running && order::may_stop(task, index)
}

fn signal(task: &Task, index: usize, now: Time) -> Option<Effect> {
    let (spec, container) = (&task.spec.containers[index], &task.containers[index]);
    if !stoppable(task, index) {
        return None;
    }
    let signal = match kill_at(spec, container) {
        None => signal::stop_signal(container.image.as_deref()),
        Some(at) if at <= now && !mutated(Mutation::NeverKilled) => signal::SIGKILL,
        Some(_) => return None,
    };
    Some(Effect::Signal { task: task.spec.id.clone(), container: spec.name.clone(), signal })
}

/// `None` before the first signal.
fn kill_at(spec: &ContainerSpec, container: &Container) -> Option<Time> {
    let timeout = spec.stop_timeout_s.map_or(STOP_TIMEOUT, |s| Duration::from_secs(s.into()));
    match container.killed_at {
        None if mutated(Mutation::NoStopTimeout) => container.signalled_at,
        Some(at) => Some(at + KILL_AGAIN),
        None => container.signalled_at.map(|at| at + timeout),
    }
}

/// Only when nothing lives and nothing that would make something is in flight.
fn cleanup(task: &Task, now: Time) -> Vec<Effect> {
    let mut effects = vec![];
    if !task.all(Life::Ended) {
        return effects;
    }
    for (id, network) in &task.networks {
        if !matches!(network.attach, Step::Todo | Step::Doing) && network.detach.due(now) {
            effects.push(Effect::Detach { task: task.spec.id.clone(), id: id.clone() });
        }
    }
    let making = [task.sandbox, task.volumes, task.fetch].contains(&Step::Doing);
    if !making && task.close.due(now) {
        effects.push(Effect::Close(Arc::clone(&task.spec)));
    }
    effects
}
