//! A service's tasks as its scheduler sees them: of which deployment, how far, how well, and where.

use super::Deployment;
use crate::task::{Last, Task};
use api_ecs as api;
use base::Time;
use std::collections::BTreeSet;
use std::time::Duration;
use workload::{Desired, Health as Said};

/// One task that is not over, or whose end nobody has drawn conclusions from.
#[derive(Clone, Debug, PartialEq)]
pub struct Member<'a> {
    pub id: &'a str,
    /// Its place in the service's deployments; none if that deployment is forgotten.
    pub deployment: Option<usize>,
    pub phase: Phase,
    pub health: Health,
    /// Its container instance is DRAINING.
    pub is_draining: bool,
    /// It is on its way to an end that will be counted as a failure, and has not been yet.
    pub is_failing: bool,
    /// From scale-in and deployments; none if that is over.
    pub protected_until: Option<Time>,
    /// Started to even out zones, beside those that are desired.
    pub is_extra: bool,
    /// It is unhealthy, and another one was started in its place.
    pub is_replaced: bool,
    pub zone: &'a str,
    pub instance: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Running,
    Stopping,
    /// STOPPED: as somebody wished, or a failure.
    Ended {
        is_failure: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    Unhealthy,
    /// Nothing is known; time alone makes it known then.
    Unknown(Option<Time>),
    /// Since then.
    Healthy(Time),
}

impl Member<'_> {
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Running)
    }

    pub fn is_healthy(&self) -> bool {
        self.phase == Phase::Running && matches!(self.health, Health::Healthy(_))
    }

    pub fn is_unhealthy(&self) -> bool {
        self.is_live() && self.health == Health::Unhealthy
    }

    pub fn is_protected(&self) -> bool {
        self.protected_until.is_some()
    }

    pub fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }
}

/// How health is judged: by the essential containers that have a health check, or by time where none has.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    containers: Vec<String>,
    pub healthy_after: Duration,
    /// After its start a task's failed checks do not count for as long.
    pub grace: Duration,
}

impl Checks {
    pub fn of(definition: &api::TaskDefinition, healthy_after: Duration, grace: Duration) -> Checks {
        let containers = definition.container_definitions.iter().flatten();
        let checked = containers.filter(|container| container.essential != Some(false) && container.health_check.is_some());
        Checks { containers: checked.filter_map(|container| container.name.clone()).collect(), healthy_after, grace }
    }

    fn health(&self, task: &Task, now: Time) -> Health {
        let Some(started_at) = task.started_at else { return Health::Unknown(None) };
        if self.containers.is_empty() {
            let healthy_at = started_at + self.healthy_after;
            return if healthy_at <= now { Health::Healthy(healthy_at) } else { Health::Unknown(Some(healthy_at)) };
        }
        match self.said(task) {
            Said::Healthy => Health::Healthy(self.healthy_since(task).unwrap_or(started_at)),
            Said::Unknown => Health::Unknown(None),
            Said::Unhealthy if started_at + self.grace > now => Health::Unknown(Some(started_at + self.grace)),
            Said::Unhealthy => Health::Unhealthy,
        }
    }

    /// The worst.
    fn said(&self, task: &Task) -> Said {
        let of = |name: &String| task.status.containers.iter().find(|status| status.name == *name).map(|status| status.health);
        self.containers.iter().map(|name| of(name).unwrap_or_default()).max().unwrap_or_default()
    }

    fn healthy_since(&self, task: &Task) -> Option<Time> {
        let checked = task.status.containers.iter().filter(|status| self.containers.contains(&status.name));
        checked.filter_map(|status| status.health_since).max()
    }

    /// A task that nobody wished to end failed if it never ran, or was not healthy yet, or any more.
    fn is_failure(&self, task: &Task) -> bool {
        let stopped_at = task.stopping_at.or(task.stopped_at).unwrap_or_default();
        let wished =
            matches!(task.stop_code, Some(api::TaskStopCode::UserInitiated | api::TaskStopCode::ServiceSchedulerInitiated));
        // Those the scheduler ended for their health failed, the others were just superfluous.
        if wished {
            return self.health(task, stopped_at) == Health::Unhealthy;
        }
        !matches!(task.stop_code, Some(api::TaskStopCode::TerminationNotice | api::TaskStopCode::SpotInterruption))
            && !matches!(self.health(task, stopped_at), Health::Healthy(_))
    }
}

/// `draining` are the ids of instances.
pub fn member<'a>(
    task: &'a Task,
    deployments: &[Deployment],
    checks: &[Checks],
    draining: &BTreeSet<&str>,
    now: Time,
) -> Member<'a> {
    let theirs = task.member.as_ref().map(|member| &member.deployment);
    let deployment = deployments.iter().position(|deployment| Some(&deployment.id) == theirs);
    let unknown = Checks::default();
    let checks = deployment.and_then(|at| checks.get(at)).unwrap_or(&unknown);
    let phase = phase(task, checks);
    Member {
        id: &task.id,
        deployment,
        phase,
        is_failing: phase == Phase::Stopping && checks.is_failure(task),
        health: checks.health(task, now),
        is_draining: task.container_instance.as_deref().is_some_and(|instance| draining.contains(instance)),
        protected_until: task.protected_until.filter(|_| task.is_protected(now)),
        is_extra: task.member.as_ref().is_some_and(|member| member.is_extra),
        is_replaced: task.member.as_ref().is_some_and(|member| member.is_replaced),
        zone: task.availability_zone.as_deref().unwrap_or_default(),
        instance: task.container_instance.as_deref().or(task.node.as_deref()).unwrap_or_default(),
    }
}

fn phase(task: &Task, checks: &Checks) -> Phase {
    match task.last {
        Last::Stopped => Phase::Ended { is_failure: checks.is_failure(task) },
        _ if task.desired == Desired::Stopped => Phase::Stopping,
        Last::Running => Phase::Running,
        last if last > Last::Running => Phase::Stopping,
        _ => Phase::Starting,
    }
}
