//! What follows from what happened, without any effect: who will never start, whether and why the task stops, how far it is.

use super::clock;
use super::mutation::{Mutation, mutated};
use super::order::{self, Turn};
use super::state::{Life, Step, Task};
use super::stop;
use base::Time;
use workload::{Desired, StopCause, TaskPhase};

/// What the stock agent says for a container that was never started: nobody sent it SIGTERM, but something must be said.
const NEVER_STARTED: i32 = 143;

pub fn settle(task: &mut Task, now: Time) {
    clock::not_ahead(task, now);
    // Before those that follow from it: what a task says is why the first container did not start.
    let first = cause(task);
    while task.cause.is_none() && give_up(task, now) {}
    task.cause = task.cause.take().or(first).or_else(|| cause(task));
    if task.cause.is_some() {
        task.stopping_at.get_or_insert(now);
        end_idle(task);
    }
    note_execution_stopped(task, now);
    advance(task, now);
}

/// Ends one container whose turn never comes; others may depend on it.
fn give_up(task: &mut Task, now: Time) -> bool {
    let waiting = |index: &usize| task.containers[*index].life == Life::Waiting;
    let never = (0..task.containers.len()).filter(waiting).find_map(|index| match order::turn(task, index, now) {
        Turn::Never(why) => Some((index, why)),
        _ => None,
    });
    let Some((index, why)) = never else { return false };
    let container = &mut task.containers[index];
    container.fail(why);
    container.exit_code = Some(NEVER_STARTED);
    true
}

fn cause(task: &Task) -> Option<StopCause> {
    if task.orphan || task.spec.desired == Desired::Stopped {
        return Some(StopCause::Asked);
    }
    let ended = |essential: bool| task.each().filter(move |(s, c)| s.essential >= essential && c.life == Life::Ended);
    let essential = ended(true).find(|(_, c)| c.has_started());
    let failed = ended(true).find(|(_, c)| !c.has_started());
    match (essential, failed) {
        (None, Some((_, container))) => Some(StopCause::FailedToStart(container.reason.clone().unwrap_or_default())),
        (Some(_), _) => Some(StopCause::EssentialContainerExited),
        (None, None) => (ended(false).count() == task.containers.len()).then_some(StopCause::EssentialContainerExited),
    }
}

/// Containers of a task that stops which have no life to end.
fn end_idle(task: &mut Task) {
    for container in &mut task.containers {
        let idle = match container.life {
            Life::Waiting => true,
            Life::Starting => mutated(Mutation::OwnStartNotCounted),
            Life::Restarting => container.removal != Step::Doing,
            _ => false,
        };
        if idle {
            container.life = Life::Ended;
        }
    }
}

/// When an essential container ended for good, or all did (the agent's `RecordExecutionStoppedAt`).
fn note_execution_stopped(task: &mut Task, now: Time) {
    let ended = task.each().filter(|(spec, c)| spec.essential && c.life == Life::Ended);
    let first = ended.map(|(_, c)| c.stopped_at.unwrap_or(now)).min();
    let at = first.or_else(|| task.all(Life::Ended).then_some(now));
    task.execution_stopped_at = task.execution_stopped_at.or(at);
}

fn advance(task: &mut Task, now: Time) {
    task.phase = match mutated(Mutation::PhaseMayGoBack) {
        true if task.any(Life::Restarting) => TaskPhase::Activating,
        true => phase(task),
        false => task.phase.max(phase(task)),
    };
    if task.phase == TaskPhase::Running {
        let last = task.containers.iter().filter_map(|c| c.started_at).max();
        task.started_at = task.started_at.or(last).or(Some(now));
    }
    if task.phase == TaskPhase::Stopped {
        task.stopped_at.get_or_insert(now);
    }
}

fn phase(task: &Task) -> TaskPhase {
    match task.cause {
        Some(_) if stop::is_over(task) => TaskPhase::Stopped,
        Some(_) => TaskPhase::Stopping,
        None if task.containers.iter().all(|c| c.has_begun()) => TaskPhase::Running,
        None => TaskPhase::Activating,
    }
}
