//! A task's row, by itself and against what it was: states, times and reasons.

use super::{Check, violated};
use crate::stage::short;
use base::Time;
use ecs::task::{Last, Task};
use workload::{ContainerPhase, Desired};

pub fn check(task: &Task) -> Check {
    times_are_in_order(task)?;
    super::service::provider_fits(task)?;
    an_end_has_its_reasons(task)
}

fn times_are_in_order(task: &Task) -> Check {
    let status = &task.status;
    let pairs: [(&str, Option<Time>, &str, Option<Time>); 9] = [
        ("createdAt", Some(task.created_at), "startedAt", task.started_at),
        ("createdAt", Some(task.created_at), "stoppingAt", task.stopping_at),
        ("createdAt", Some(task.created_at), "pullStartedAt", status.pull_started_at),
        ("pullStartedAt", status.pull_started_at, "pullStoppedAt", status.pull_stopped_at),
        ("stoppingAt", task.stopping_at, "stoppedAt", task.stopped_at),
        ("startedAt", task.started_at, "stoppedAt", task.stopped_at),
        ("executionStoppedAt", status.execution_stopped_at, "stoppedAt", task.stopped_at),
        ("createdAt", Some(task.created_at), "executionStoppedAt", status.execution_stopped_at),
        ("createdAt", Some(task.created_at), "connectivityAt", task.connectivity_at),
    ];
    for (first, one, second, other) in pairs {
        if one.zip(other).is_some_and(|(one, other)| one > other) {
            return violated("times are in order", format!("{} {first} {one:?}, {second} {other:?}", task.id));
        }
    }
    if task.last == Last::Running && task.started_at.is_none() {
        return violated("times are in order", format!("{} is RUNNING and was never started", task.id));
    }
    Ok(())
}

fn an_end_has_its_reasons(task: &Task) -> Check {
    let has_reason = task.stop_code.is_some() && task.stopped_reason.as_ref().is_some_and(|reason| !reason.is_empty());
    let is_to_end = task.desired == Desired::Stopped;
    if is_to_end != has_reason {
        let (code, reason) = (&task.stop_code, &task.stopped_reason);
        return violated("an end has its reasons", format!("{} {:?}, {code:?}, {reason:?}", task.id, task.desired));
    }
    let ends = task.is_stopped() == task.stopped_at.is_some() && is_to_end == task.stopping_at.is_some();
    if !ends {
        return violated(
            "an end has its times",
            format!("{} {:?} {:?} {:?}", task.id, task.last, task.stopping_at, task.stopped_at),
        );
    }
    let is_late = task.last >= Last::Stopping && !is_to_end;
    if is_late { violated("an end is wished for", format!("{} is {:?}", task.id, task.last)) } else { Ok(()) }
}

/// From one published row to the next.
pub fn check_change(before: &Task, after: &Task) -> Check {
    only_forward(before, after)?;
    what_was_said_stays(before, after)?;
    versions_count_events(before, after)
}

fn only_forward(before: &Task, after: &Task) -> Check {
    let line = |task: &Task| (task.last, task.desired, task.node.clone(), task.version);
    let is_back = after.last < before.last || after.desired < before.desired || after.version < before.version;
    let is_moved = before.node.is_some() && before.node != after.node;
    if is_back || is_moved {
        return violated("states only move forward", format!("{} went from {:?} to {:?}", after.id, line(before), line(after)));
    }
    if before.is_stopped() && (event(before) != event(after) || before.version != after.version) {
        return violated("STOPPED is the end", format!("{} has changed", after.id));
    }
    Ok(())
}

fn what_was_said_stays(before: &Task, after: &Task) -> Check {
    let changed = |one: Option<Time>, other: Option<Time>| one.is_some() && one != other;
    // Not pullStartedAt: a pull that a crash cut off begins again.
    let times = [
        ("startedAt", changed(before.started_at, after.started_at)),
        // It may turn out to have been earlier.
        ("stoppingAt", before.stopping_at.is_some() && after.stopping_at > before.stopping_at),
        ("stoppedAt", changed(before.stopped_at, after.stopped_at)),
        ("connectivityAt", changed(before.connectivity_at, after.connectivity_at)),
        ("executionStoppedAt", changed(before.status.execution_stopped_at, after.status.execution_stopped_at)),
        ("stopCode", before.stop_code.is_some() && before.stop_code != after.stop_code),
        ("stoppedReason", before.stopped_reason.is_some() && before.stopped_reason != after.stopped_reason),
    ];
    match times.iter().find(|(_, changed)| *changed) {
        Some((member, _)) => violated("what was said stays", format!("{member} of {}", after.id)),
        None => Ok(()),
    }
}

fn versions_count_events(before: &Task, after: &Task) -> Check {
    if event(before) != event(after) && before.version == after.version {
        return violated("versions count events", format!("{} changed and is still version {}", after.id, after.version));
    }
    Ok(())
}

/// What a state change event would tell.
fn event(task: &Task) -> impl PartialEq + use<> {
    type Container = (String, ContainerPhase, Option<i32>, Option<String>);
    let containers: Vec<Container> =
        task.status.containers.iter().map(|c| (c.name.clone(), c.phase, c.exit_code, c.runtime_id.clone())).collect();
    // Not told of yet is as good as PENDING.
    let containers: Vec<Container> = containers.into_iter().filter(|c| c.1 != ContainerPhase::Pending).collect();
    (task.last, task.desired, task.stop_code.clone(), task.stopped_reason.clone(), containers)
}

pub fn story(task: &Task) -> String {
    let container = |c: &workload::ContainerStatus| {
        let code = c.exit_code.map(|code| format!(" {code}")).unwrap_or_default();
        format!("{} {:?}{code}", c.name, c.phase)
    };
    let containers: Vec<String> = task.status.containers.iter().map(container).collect();
    let why = task.stopped_reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let (id, family, node) = (short(&task.id), &task.family, task.node.clone().unwrap_or_default());
    format!("{id} {family} on {node} is {} ({}){why}", task.last.as_str(), containers.join(", "))
}
