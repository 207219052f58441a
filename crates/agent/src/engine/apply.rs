//! What happened to a task, noted in its state. Results of effects that no longer matter change nothing.

use super::event::{Attachment, Exit, Observed, Outcome, Run};
use super::mutation::{Mutation, mutated};
use super::settle::settle;
use super::state::{Life, Step, Task};
use super::{health, network, restart, stop};
use base::Time;
use std::sync::Arc;
use workload::{Image, StopCause, TaskPhase};

const OUT_OF_MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";
const VANISHED: &str = "ContainerVanishedError: No container matching saved ID found";

pub fn opened(task: &mut Task, result: Outcome<()>) {
    task.sandbox = Step::Done;
    fail_all(task, result);
}

pub fn volumes_ready(task: &mut Task, result: Outcome<()>) {
    task.volumes = Step::Done;
    fail_all(task, result);
}

pub fn fetched(task: &mut Task, result: Outcome<()>) {
    task.fetch = Step::Done;
    fail_all(task, result);
}

pub fn attached(task: &mut Task, id: &str, result: Outcome<Attachment>) {
    let network = task.networks.entry(id.to_owned()).or_default();
    network.attach = Step::Done;
    match (result, network::container(id)) {
        (Ok(attachment), _) => network.attachment = Some(attachment),
        (Err(reason), Some(container)) => fail_one(task, container, reason),
        (Err(reason), None) => fail_all(task, Err(reason)),
    }
}

pub fn pulled(task: &mut Task, index: usize, result: Outcome<Image>, now: Time) {
    task.pull_stopped_at = task.pull_stopped_at.max(Some(now));
    let container = &mut task.containers[index];
    container.pull = Step::Done;
    match result {
        _ if container.life != Life::Waiting => {} // it was stopped meanwhile
        Ok(image) => container.image = Some(Arc::new(image)),
        Err(reason) => container.fail(reason),
    }
}

pub fn started(task: &mut Task, index: usize, result: Outcome<Run>, now: Time) {
    let container = &mut task.containers[index];
    if container.life != Life::Starting {
        return;
    }
    let early_exit = container.early_exit.take();
    match result {
        Err(reason) => container.fail(reason),
        Ok(run) => {
            runs(task, index, run);
            if let Some((runtime_id, exit)) = early_exit {
                settle(task, now); // it did run: the task may have been RUNNING for that moment
                exited(task, index, &runtime_id, exit);
            }
        }
    }
}

fn runs(task: &mut Task, index: usize, run: Run) {
    let (spec, container) = (&task.spec.containers[index], &mut task.containers[index]);
    container.life = Life::Running;
    container.runtime_id = Some(run.runtime_id);
    container.started_at = Some(run.at);
    // Only now: a restart that fails leaves a container that ended as its last run did.
    (container.exit_code, container.reason, container.stopped_at) = (None, None, None);
    health::begin(spec, container, run.at);
}

pub fn exited(task: &mut Task, index: usize, runtime_id: &str, exit: Exit) {
    let wanted = task.wanted();
    let (spec, container) = (&task.spec.containers[index], &mut task.containers[index]);
    if container.life == Life::Starting && !mutated(Mutation::EarlyExitLost) {
        container.early_exit = Some((runtime_id.to_owned(), exit));
        return;
    }
    if container.life != Life::Running || container.runtime_id.as_deref() != Some(runtime_id) {
        return;
    }
    if wanted && restart::comes_back(spec, container, &exit) {
        (container.life, container.removal) = (Life::Restarting, Step::Todo);
        container.restart_count += 1;
    } else {
        container.life = Life::Ended;
    }
    container.exit_code = Some(exit.code);
    container.stopped_at = Some(exit.at);
    container.reason = exit.oom_killed.then(|| OUT_OF_MEMORY.to_owned());
}

pub fn probed(task: &mut Task, index: usize, runtime_id: &str, healthy: bool, now: Time) {
    let (spec, container) = (&task.spec.containers[index], &mut task.containers[index]);
    if container.life == Life::Running && container.runtime_id.as_deref() == Some(runtime_id) {
        health::probed(spec, container, healthy, now);
    }
}

pub fn removed(task: &mut Task, index: usize, result: Outcome<()>, now: Time) {
    let container = &mut task.containers[index];
    container.removal = step(result, now);
    if container.life == Life::Restarting && container.removal == Step::Done {
        container.life = Life::Waiting;
    }
}

pub fn detached(task: &mut Task, id: &str, result: Outcome<()>, now: Time) {
    task.networks.entry(id.to_owned()).or_default().detach = step(result, now);
}

pub fn closed(task: &mut Task, result: Outcome<()>, now: Time) {
    task.close = step(result, now);
}

fn step(result: Outcome<()>, now: Time) -> Step {
    match result {
        Ok(()) => Step::Done,
        Err(_) if mutated(Mutation::CleanupNotRepeated) => Step::Doing,
        Err(_) => Step::Again(now + stop::RETRY),
    }
}

/// The runtime has exactly these containers of the task: what ran and is not there is gone without a word. Its sandbox is
/// opened again before anything is started in it.
pub fn observed(task: &mut Task, seen: &[Observed], now: Time) {
    if task.sandbox == Step::Done {
        task.sandbox = Step::Todo;
    }
    for index in 0..task.containers.len() {
        if task.containers[index].life == Life::Running {
            still_runs(task, index, find(task, index, seen), now);
        }
    }
}

pub fn find<'a>(task: &Task, index: usize, seen: &'a [Observed]) -> Option<&'a Observed> {
    let name = &task.spec.containers[index].name;
    if mutated(Mutation::FoundIsForgotten) {
        return None;
    }
    seen.iter().find(|o| o.task == task.spec.id && &o.container == name)
}

/// A container that was known to run.
pub fn still_runs(task: &mut Task, index: usize, seen: Option<&Observed>, now: Time) {
    let container = &mut task.containers[index];
    match seen.filter(|o| container.runtime_id.as_ref() == Some(&o.runtime_id)) {
        None => {
            container.stopped_at = Some(now);
            container.fail(VANISHED.to_owned());
        }
        Some(Observed { exit: None, .. }) => {}
        Some(Observed { exit: Some(exit), runtime_id, .. }) => exited(task, index, runtime_id, exit.clone()),
    }
}

/// A container that was not known to run, and does or did.
pub fn discovered(task: &mut Task, index: usize, seen: &Observed) {
    runs(task, index, Run { runtime_id: seen.runtime_id.clone(), at: seen.started_at });
    if let Some(exit) = &seen.exit {
        exited(task, index, &seen.runtime_id, exit.clone());
    }
}

/// Something that the whole task needs cannot be had.
fn fail_all(task: &mut Task, result: Outcome<()>) {
    let Err(reason) = result else { return };
    if task.cause.is_none() && task.phase < TaskPhase::Running {
        task.cause = Some(StopCause::FailedToStart(reason));
        return;
    }
    for container in task.containers.iter_mut().filter(|c| c.life == Life::Waiting) {
        container.fail(reason.clone());
    }
}

fn fail_one(task: &mut Task, container: &str, reason: String) {
    let Some(index) = task.index(container) else { return };
    if task.containers[index].life == Life::Waiting {
        task.containers[index].fail(reason);
    }
}
