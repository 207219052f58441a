//! Container health, as Docker keeps it (moby `daemon/health.go`): a probe after each interval, `retries` failures in a row
//! make it unhealthy, failures within the start period count for nothing until a first success ends that period.

use super::effect::Effect;
use super::state::{Container, Life, Task};
use base::Time;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use workload::{ContainerSpec, Health, HealthCheck};

/// Docker's default `StartInterval`, which ECS does not let users set: how often it probes within the start period.
const START_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulse {
    pub status: Health,
    pub since: Option<Time>,
    pub failing_streak: u32,
    #[serde(skip)]
    pub next_at: Option<Time>,
    /// When the probe in flight began.
    #[serde(skip)]
    pub probing_since: Option<Time>,
}

impl Pulse {
    pub fn awake(&mut self) {
        (self.next_at, self.probing_since) = (None, None);
    }
}

/// See `clock`.
pub fn not_ahead(spec: &ContainerSpec, container: &mut Container, now: Time) {
    if let Some(check) = &spec.health_check {
        let latest = now + interval(check, container, now);
        container.pulse.next_at = container.pulse.next_at.map(|at| at.min(latest));
    }
}

/// A run begins: nothing is known of it.
pub fn begin(spec: &ContainerSpec, container: &mut Container, started_at: Time) {
    container.pulse = Pulse::default();
    if let Some(check) = &spec.health_check {
        container.pulse.since = Some(started_at);
        container.pulse.next_at = Some(started_at + interval(check, container, started_at));
    }
}

/// The agent was away; what is known stays known.
pub fn resume(spec: &ContainerSpec, container: &mut Container, now: Time) {
    if let Some(check) = &spec.health_check {
        container.pulse.since = container.pulse.since.or(container.started_at);
        container.pulse.next_at = Some(now + interval(check, container, now));
    }
}

pub fn probed(spec: &ContainerSpec, container: &mut Container, healthy: bool, now: Time) {
    let (Some(check), Some(began_at)) = (&spec.health_check, container.pulse.probing_since.take()) else { return };
    if healthy {
        container.pulse.failing_streak = 0;
        turn(&mut container.pulse, Health::Healthy, now);
    } else if !in_start_period(check, container, began_at) {
        container.pulse.failing_streak += 1;
        if container.pulse.failing_streak >= check.retries.max(1) {
            turn(&mut container.pulse, Health::Unhealthy, now);
        }
    }
    container.pulse.next_at = Some(now + interval(check, container, now));
}

/// Probes that are due. A task that stops is not probed any more.
pub fn probes(task: &Task, now: Time) -> Vec<Effect> {
    let due = |(spec, container): (&ContainerSpec, &Container)| {
        let check = spec.health_check.as_ref()?;
        (next_probe_at(container)? <= now).then(|| Effect::Probe {
            task: task.spec.id.clone(),
            container: spec.name.clone(),
            runtime_id: container.runtime_id.clone().unwrap_or_default(),
            command: check.command.clone(),
            timeout: Duration::from_secs(check.timeout_s.into()),
        })
    };
    task.each().filter_map(due).collect()
}

pub fn next_probe_at(container: &Container) -> Option<Time> {
    let idle = container.life == Life::Running && container.pulse.probing_since.is_none();
    container.pulse.next_at.filter(|_| idle)
}

fn turn(pulse: &mut Pulse, to: Health, now: Time) {
    if pulse.status != to {
        (pulse.status, pulse.since) = (to, Some(now));
    }
}

/// Counts until the first success only.
fn in_start_period(check: &HealthCheck, container: &Container, at: Time) -> bool {
    let Some(started_at) = container.started_at else { return false };
    let period = Duration::from_secs(check.start_period_s.into());
    container.pulse.status == Health::Unknown && at.since(started_at) < period
}

fn interval(check: &HealthCheck, container: &Container, at: Time) -> Duration {
    match in_start_period(check, container, at) {
        true => START_INTERVAL,
        false => Duration::from_secs(check.interval_s.into()),
    }
}
