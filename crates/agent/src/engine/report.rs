//! What the plane is told of a task: its state in the plane's words, and which changes are worth telling at once.

use super::network;
use super::state::{Container, Life, Task};
use workload::{ContainerPhase, ContainerSpec, ContainerStatus, Health, NetworkMode, StopCause, TaskPhase, TaskStatus};

/// News when it changes. The rest of a status (addresses, digests, times of pulls) rides along: each report is a durable
/// transaction of the plane.
#[derive(Debug, PartialEq)]
pub struct Essence {
    phase: TaskPhase,
    cause: Option<StopCause>,
    containers: Vec<(ContainerPhase, Health, Option<String>, u32)>,
}

pub fn essence(task: &Task) -> Essence {
    let container = |c: &Container| (phase(c), c.pulse.status, c.runtime_id.clone(), c.restart_count);
    let containers = task.containers.iter().map(container).collect();
    Essence { phase: task.phase, cause: task.cause.clone(), containers }
}

pub fn status(task: &Task) -> TaskStatus {
    let shared = (task.spec.network_mode == NetworkMode::Awsvpc).then(|| task.networks.get(&task.spec.id)).flatten();
    TaskStatus {
        id: task.spec.id.clone(),
        phase: task.phase,
        cause: task.cause.clone(),
        containers: task.each().map(|(spec, container)| container_status(task, spec, container)).collect(),
        address: shared.and_then(|n| n.attachment.as_ref()?.address.clone()),
        pull_started_at: task.pull_started_at,
        pull_stopped_at: task.pull_stopped_at,
        started_at: task.started_at,
        stopping_at: task.stopping_at,
        execution_stopped_at: task.execution_stopped_at,
        stopped_at: task.stopped_at,
    }
}

fn container_status(task: &Task, spec: &ContainerSpec, container: &Container) -> ContainerStatus {
    let attachment = network::plug_id(&task.spec, &spec.name).and_then(|id| task.networks.get(&id)?.attachment.as_ref());
    let bindings = match task.spec.network_mode {
        NetworkMode::Host => network::host_bindings(spec),
        _ => attachment.map(|a| a.bindings.clone()).unwrap_or_default(),
    };
    let ended = container.life == Life::Ended;
    ContainerStatus {
        name: spec.name.clone(),
        phase: phase(container),
        exit_code: container.exit_code.filter(|_| ended),
        reason: container.reason.clone().filter(|_| ended),
        health: container.pulse.status,
        health_since: container.pulse.since,
        runtime_id: container.runtime_id.clone(),
        image_digest: container.image.as_ref().map(|image| image.digest.clone()),
        bindings,
        address: attachment.and_then(|a| a.address.clone()),
        started_at: container.started_at,
        stopped_at: container.stopped_at.filter(|_| ended),
        restart_count: container.restart_count,
    }
}

/// A container on its way back has not stopped.
fn phase(container: &Container) -> ContainerPhase {
    match container.life {
        Life::Ended => ContainerPhase::Stopped,
        Life::Running | Life::Restarting => ContainerPhase::Running,
        Life::Waiting | Life::Starting if container.has_started() => ContainerPhase::Running,
        Life::Waiting | Life::Starting => ContainerPhase::Pending,
    }
}
