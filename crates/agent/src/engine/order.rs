//! Whose turn it is. At start a container waits for what it depends on; at the end it is stopped after all that depend on it.
//! Conditions and sentences are the stock agent's (`agent/engine/dependencygraph/graph.go`).

use super::mutation::{Mutation, mutated};
use super::state::{Container, Life, Task};
use base::Time;
use std::time::Duration;
use workload::{Condition, ContainerSpec, Health};

#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    Now,
    Wait,
    /// It never comes, and why: the container's `reason`.
    Never(String),
}

/// What one container needs of another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    Condition(Condition),
    /// `links`: its address goes into the hosts file, so it has to run.
    Link,
    /// `volumesFrom`: its mounts have to be there; it may have ended.
    Volumes,
}

pub fn turn(task: &Task, index: usize, now: Time) -> Turn {
    let (spec, container) = (&task.spec.containers[index], &task.containers[index]);
    if container.has_started() || mutated(Mutation::DependenciesIgnored) {
        return Turn::Now; // "confirmed only at task startup": a restart waits for nobody
    }
    let turns = needs(spec).map(|(name, need)| one(task, &spec.name, name, need, now));
    turns.fold(Turn::Now, worse)
}

/// When a container that waits gives up, if nothing happens before.
pub fn gives_up_at(task: &Task, index: usize) -> Option<Time> {
    if mutated(Mutation::TimeoutsForgotten) {
        return None;
    }
    let times = needs(&task.spec.containers[index]).filter_map(|(name, need)| {
        let (spec, container) = task.container(name)?;
        timeout(spec, container, need)
    });
    times.min()
}

/// Whether a container may be stopped: all that depend on it have ended. Links and volumes do not count, as in ECS.
pub fn may_stop(task: &Task, index: usize) -> bool {
    let name = &task.spec.containers[index].name;
    let depends = |spec: &ContainerSpec| spec.depends_on.iter().any(|d| &d.container == name);
    mutated(Mutation::StopOrderIgnored) || task.each().all(|(spec, container)| container.life == Life::Ended || !depends(spec))
}

fn needs(spec: &ContainerSpec) -> impl Iterator<Item = (&str, Need)> {
    let depends_on = spec.depends_on.iter().map(|d| (d.container.as_str(), Need::Condition(d.condition)));
    let links = spec.links.iter().map(|l| (linked(l).0, Need::Link));
    let volumes = spec.volumes_from.iter().map(|v| (v.container.as_str(), Need::Volumes));
    depends_on.chain(links).chain(volumes)
}

/// `container:alias` or `container`, which is then its own alias.
pub fn linked(link: &str) -> (&str, &str) {
    link.split_once(':').unwrap_or((link, link))
}

fn worse(a: Turn, b: Turn) -> Turn {
    match (a, b) {
        (Turn::Never(why), _) | (_, Turn::Never(why)) => Turn::Never(why),
        (Turn::Wait, _) | (_, Turn::Wait) => Turn::Wait,
        (Turn::Now, Turn::Now) => Turn::Now,
    }
}

fn one(task: &Task, target: &str, name: &str, need: Need, now: Time) -> Turn {
    let Some((spec, container)) = task.container(name) else {
        return never(name, target, "as it is no container of the task");
    };
    if met(container, need) {
        return Turn::Now;
    }
    if let Some(why) = hopeless(spec, container, need) {
        return match need {
            Need::Link => Turn::Never(cannot_link(name, target)),
            _ => never(name, target, why),
        };
    }
    match timeout(spec, container, need) {
        Some(at) if at <= now => Turn::Never(timed_out(name, target)),
        _ => Turn::Wait,
    }
}

fn met(container: &Container, need: Need) -> bool {
    let ended = container.life == Life::Ended;
    let exit_code = container.exit_code.filter(|_| ended && container.has_started());
    match need {
        Need::Condition(Condition::Start) | Need::Volumes => container.has_started(),
        Need::Condition(Condition::Complete) => exit_code.is_some(),
        Need::Condition(Condition::Success) => exit_code == Some(0),
        Need::Condition(Condition::Healthy) => !ended && container.pulse.status == Health::Healthy,
        Need::Link => container.life == Life::Running,
    }
}

/// Why a need that is not met never will be.
fn hopeless(spec: &ContainerSpec, container: &Container, need: Need) -> Option<&'static str> {
    let ended = container.life == Life::Ended;
    match need {
        _ if ended && !container.has_started() => Some("because dependency will never start"),
        Need::Condition(Condition::Success) if ended => Some("as dependency did not exit successfully"),
        Need::Condition(Condition::Healthy) if ended => Some("as dependency exited before it was healthy"),
        Need::Condition(Condition::Healthy) if container.pulse.status == Health::Unhealthy => Some("as dependency is unhealthy"),
        Need::Condition(Condition::Healthy) if spec.health_check.is_none() => Some("as dependency has no health check"),
        _ if ended => Some("as dependency has exited"),
        _ => None,
    }
}

/// `startTimeout` is the dependency's and runs from its start; START itself cannot time out.
fn timeout(spec: &ContainerSpec, container: &Container, need: Need) -> Option<Time> {
    let Need::Condition(Condition::Complete | Condition::Success | Condition::Healthy) = need else { return None };
    if met(container, need) {
        return None;
    }
    let timeout = Duration::from_secs(spec.start_timeout_s.filter(|s| *s > 0)?.into());
    Some(container.started_at? + timeout)
}

fn never(name: &str, target: &str, why: &str) -> Turn {
    Turn::Never(format!(
        "CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [{name}] for target [{target}] {why}"
    ))
}

fn timed_out(name: &str, target: &str) -> String {
    format!(
        "CannotStartContainerError: dependency graph: container ordering dependency [{name}] for target [{target}] has timed out."
    )
}

/// Docker's sentence.
fn cannot_link(name: &str, target: &str) -> String {
    format!(
        "CannotCreateContainerError: Error response from daemon: Cannot link to a non running container: /{name} AS /{target}/{name}"
    )
}
