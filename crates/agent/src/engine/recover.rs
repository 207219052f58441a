//! An agent comes back: its memory, laid over what the runtime and the network still hold. What runs is adopted, what ended
//! meanwhile has ended, what nobody remembers is given back.

use super::apply;
use super::event::{Inventory, Observed};
use super::health;
use super::network;
use super::state::{Container, Life, Step, Task};
use base::Time;
use std::collections::BTreeMap;
use std::sync::Arc;
use workload::{Desired, StopCause, TaskId, TaskPhase, TaskSpec};

const LOST: &str = "ResourceInitializationError: the node lost its record of this task";

pub fn recover(inventory: Inventory, now: Time) -> BTreeMap<TaskId, Task> {
    let remembered = inventory.tasks.into_iter().map(|task| (task.spec.id.clone(), task.awake()));
    let mut tasks: BTreeMap<TaskId, Task> = remembered.collect();
    let holders = inventory.sandboxes.iter().chain(inventory.containers.iter().map(|o| &o.task)).map(String::as_str);
    for id in holders.chain(inventory.attachments.iter().map(|(id, _)| network::owner(id))) {
        tasks.entry(id.to_owned()).or_insert_with(|| ghost(id));
    }
    for (id, attachment) in inventory.attachments {
        let task = tasks.get_mut(network::owner(&id)).expect("every owner has an entry by now");
        let network = task.networks.entry(id).or_default();
        (network.attach, network.attachment) = (Step::Done, Some(attachment));
    }
    for (id, task) in &mut tasks {
        let open = inventory.sandboxes.contains(id);
        adopt(task, open, &inventory.containers, now);
    }
    tasks
}

/// Something is held for a task that nobody remembers: it is only to be given back.
fn ghost(id: &str) -> Task {
    let spec = TaskSpec { id: id.to_owned(), desired: Desired::Stopped, ..TaskSpec::default() };
    Task { orphan: true, ..Task::new(Arc::new(spec)) }
}

pub fn is_ghost(task: &Task) -> bool {
    task.spec.containers.is_empty()
}

/// The plane still counts on a ghost. Whether it ran to its end is not known, so it is not run again.
pub fn lost(ghost: &Task, spec: Arc<TaskSpec>) -> Task {
    let container = Container { life: Life::Ended, ..Container::default() };
    Task {
        containers: spec.containers.iter().map(|_| container.clone()).collect(),
        spec,
        orphan: false,
        cause: Some(StopCause::FailedToStart(LOST.to_owned())),
        ..ghost.clone()
    }
}

fn adopt(task: &mut Task, open: bool, containers: &[Observed], now: Time) {
    // Asked for again also when it is there: its shim may be dead, or it was left half open, without the task's limits.
    task.sandbox = Step::Todo;
    task.close = if task.phase == TaskPhase::Stopped && !open { Step::Done } else { Step::Todo };
    for index in 0..task.containers.len() {
        match apply::find(task, index, containers) {
            Some(seen) => found(task, index, seen, now),
            None => missing(task, index, now),
        }
    }
}

fn found(task: &mut Task, index: usize, seen: &Observed, now: Time) {
    let container = &task.containers[index];
    let known = container.runtime_id.as_ref() == Some(&seen.runtime_id);
    match container.life {
        Life::Ended => {}
        Life::Running if known => {
            apply::still_runs(task, index, Some(seen), now);
            health::resume(&task.spec.containers[index], &mut task.containers[index], now);
        }
        Life::Restarting | Life::Waiting if known => task.containers[index].life = Life::Restarting,
        Life::Running | Life::Restarting | Life::Waiting | Life::Starting => apply::discovered(task, index, seen),
    }
}

fn missing(task: &mut Task, index: usize, now: Time) {
    match task.containers[index].life {
        Life::Running => apply::still_runs(task, index, None, now),
        Life::Restarting => task.containers[index].life = Life::Waiting,
        Life::Waiting | Life::Starting | Life::Ended => {}
    }
}
