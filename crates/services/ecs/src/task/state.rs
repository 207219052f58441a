//! The state machine of a task: wishes of the plane and words of its node go in, the row's new state comes out. Pure.
//! `last` only moves forward, a task that is STOPPED never changes, and `version` grows with what an event would tell.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html

use super::{Last, Task};
use api_ecs as api;
use base::Time;
use workload::{ContainerPhase, ContainerStatus, Desired, StopCause, TaskPhase, TaskStatus};

/// Nobody on AWS is told this: there a task cannot get lost without its host.
const LOST: &str = "The node that the task was placed on does not have it any more";

/// Someone wants it stopped; the first to say so gives the reason. A task that no node has is STOPPED at once.
pub fn ask_to_stop(task: &mut Task, code: api::TaskStopCode, reason: String, now: Time) -> bool {
    if task.is_stopped() || task.desired == Desired::Stopped {
        return false;
    }
    wind_down(task);
    task.stop_code = Some(code);
    task.stopped_reason = Some(reason);
    task.stopping_at = Some(now);
    if task.node.is_none() {
        end(task, now, now);
    }
    task.version += 1;
    true
}

/// What the node says of it. False if that is nothing new.
pub fn observe(task: &mut Task, said: &TaskStatus, now: Time) -> bool {
    // A message that was overtaken on its way says less than what is known.
    if task.is_stopped() || *said == task.status || said.phase < task.status.phase {
        return false;
    }
    let before = told(task);
    task.connectivity_at = task.connectivity_at.or(Some(now));
    let (last, is_ending) = (last_of(said.phase), said.phase >= TaskPhase::Stopping);
    if said.phase == TaskPhase::Running || said.started_at.is_some() {
        task.started_at = task.started_at.or(said.started_at).or(Some(now));
    }
    if is_ending {
        task.stopping_at = task.stopping_at.or(said.stopping_at).or(Some(now));
        blame(task, said);
    }
    task.status = said.clone();
    match last {
        Last::Stopped => end(task, said.stopped_at.unwrap_or(now), now),
        last => task.advance(last),
    }
    if told(task) != before {
        task.version += 1;
    }
    true
}

/// The node has been told of the task and does not have it.
pub fn lose(task: &mut Task, now: Time) {
    let code = match task.started_at {
        None => api::TaskStopCode::TaskFailedToStart,
        Some(_) => api::TaskStopCode::InfrastructureHealth,
    };
    task.stop_code.get_or_insert(code);
    task.stopped_reason.get_or_insert_with(|| LOST.to_owned());
    task.stopping_at = task.stopping_at.or(Some(now));
    end(task, now, now);
    task.version += 1;
}

/// The node is known to be dead.
pub fn lose_host(task: &mut Task, reason: &str, now: Time) {
    if task.stop_code.is_none() {
        task.stop_code = Some(api::TaskStopCode::TerminationNotice);
        task.stopped_reason = Some(reason.to_owned());
    }
    task.stopping_at = task.stopping_at.or(Some(now));
    end(task, now, now);
    task.version += 1;
}

/// What is to stop is protected from nothing any more.
fn wind_down(task: &mut Task) {
    task.desired = Desired::Stopped;
    task.protected_until = None;
}

fn end(task: &mut Task, at: Time, now: Time) {
    wind_down(task);
    task.stopped_at = Some(at);
    // It may have been over before anybody asked for its end.
    task.stopping_at = task.stopping_at.map(|stopping_at| stopping_at.min(at));
    task.stop_recorded_at = Some(now);
    task.advance(Last::Stopped);
    for container in &mut task.status.containers {
        container.phase = ContainerPhase::Stopped;
    }
}

/// Why it ends, if nobody asked for that before.
fn blame(task: &mut Task, said: &TaskStatus) {
    wind_down(task);
    if task.stop_code.is_some() {
        return;
    }
    let (code, reason) = match &said.cause {
        Some(StopCause::FailedToStart(reason)) => (api::TaskStopCode::TaskFailedToStart, reason.as_str()),
        Some(StopCause::EssentialContainerExited) => {
            (api::TaskStopCode::EssentialContainerExited, "Essential container in task exited")
        }
        // It will say why when it knows.
        Some(StopCause::Asked) | None => return,
    };
    task.stop_code = Some(code);
    task.stopped_reason = Some(reason.to_owned());
}

fn last_of(phase: TaskPhase) -> Last {
    match phase {
        TaskPhase::Pending => Last::Pending,
        TaskPhase::Activating => Last::Activating,
        TaskPhase::Running => Last::Running,
        TaskPhase::Stopping => Last::Stopping,
        TaskPhase::Stopped => Last::Stopped,
    }
}

/// What an event would tell of it: everything but health and pull times.
fn told(task: &Task) -> impl PartialEq + use<> {
    type Told = (String, ContainerPhase, Option<i32>, Option<String>, Option<String>, Vec<workload::Binding>, u32);
    let container = |c: &ContainerStatus| -> Told {
        let (name, reason, runtime_id) = (c.name.clone(), c.reason.clone(), c.runtime_id.clone());
        (name, c.phase, c.exit_code, reason, runtime_id, c.bindings.clone(), c.restart_count)
    };
    let containers: Vec<Told> = task.status.containers.iter().map(container).collect();
    let stop = (task.desired, task.stop_code.clone(), task.stopped_reason.clone());
    (task.last, stop, task.status.address.clone(), task.connectivity_at, containers)
}
