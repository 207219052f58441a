//! What keeps a service from its steady state, said of the same situation that decisions are made of: no second scheduler,
//! only words for what the first one sees. Pure.

use super::decide::missing;
use super::members::{Health, Member, Phase};
use super::sentences::STUCK;
use super::situation::Situation;
use super::{Rollout, Status, rollout};
use base::Time;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    pub reason: &'static str,
    pub detail: String,
    /// When time alone ends it; in seconds, as the API has times.
    pub until: Option<f64>,
}

impl Wait {
    fn for_time(self, until: Option<Time>) -> Wait {
        Wait { until: until.map(Time::seconds_f64), ..self }
    }
}

/// In the order in which somebody would look for them.
const ALL: [fn(&Situation) -> Option<Wait>; 14] = [
    deleted, failed, throttled, unplaced, full, stuck, starting, unproven, unhealthy, draining, older, protected, stopping,
    counted,
];

/// None of a service that is steady.
pub fn waits(situation: &Situation) -> Vec<Wait> {
    if rollout::is_steady(situation) {
        return Vec::new();
    }
    ALL.iter().filter_map(|wait| wait(situation)).collect()
}

fn wait(reason: &'static str, detail: impl Into<String>) -> Wait {
    Wait { reason, detail: detail.into(), until: None }
}

/// How many live tasks are so; none if none is.
fn some(situation: &Situation, is: impl Fn(&Member) -> bool) -> Option<usize> {
    let count = situation.live().filter(|member| is(member)).count();
    (count > 0).then_some(count)
}

fn deleted(situation: &Situation) -> Option<Wait> {
    let is_draining = situation.service.status == Status::Draining;
    is_draining.then(|| wait("DELETION", format!("it is deleted once its {} tasks have stopped", situation.present())))
}

fn failed(situation: &Situation) -> Option<Wait> {
    let primary = situation.primary().filter(|primary| primary.rollout == Rollout::Failed)?;
    Some(wait("FAILED", format!("{} It starts no more tasks.", primary.reason)))
}

fn throttled(situation: &Situation) -> Option<Wait> {
    let is_throttled = |until: &Time| *until > situation.now;
    let mut deployments = situation.service.deployments.iter();
    let deployment = deployments.find(|deployment| deployment.throttled_until.as_ref().is_some_and(is_throttled))?;
    let detail = format!("{} starts nothing: that failed {} times in a row", deployment.name(), deployment.setbacks);
    Some(wait("THROTTLING", detail).for_time(deployment.throttled_until))
}

fn unplaced(situation: &Situation) -> Option<Wait> {
    let missing = missing(situation);
    let is_waiting = situation.primary().is_some_and(|primary| situation.is_waiting_for_place(primary));
    (is_waiting && missing > 0).then(|| wait("PLACE", format!("{missing} tasks have no place")))
}

/// Nothing starts for `maximumPercent`, though something should.
fn full(situation: &Situation) -> Option<Wait> {
    let (missing, present, ceiling) = (missing(situation), situation.present(), situation.ceiling);
    let detail = || format!("{missing} tasks are missing; {present} are there, and there may be no more than {ceiling}");
    (missing > 0 && present >= ceiling).then(|| wait("MAXIMUM", detail()))
}

fn stuck(situation: &Situation) -> Option<Wait> {
    let complaint = situation.service.complaint.as_ref().filter(|complaint| complaint.cause == STUCK)?;
    Some(wait("BOUNDS", format!("it {}", complaint.cause)))
}

fn starting(situation: &Situation) -> Option<Wait> {
    let starting = some(situation, |member| member.phase == Phase::Starting)?;
    Some(wait("START", format!("{starting} tasks are starting")))
}

fn unproven(situation: &Situation) -> Option<Wait> {
    let is_unproven = |member: &Member| member.phase == Phase::Running && matches!(member.health, Health::Unknown(_));
    let unproven = some(situation, is_unproven)?;
    let until = situation.live().filter(|member| is_unproven(member)).map(|member| match member.health {
        Health::Unknown(until) => until,
        _ => None,
    });
    let until: Option<Vec<Time>> = until.collect();
    let until = until.and_then(|until| until.into_iter().max());
    Some(wait("HEALTH", format!("{unproven} tasks run and do not count as healthy yet")).for_time(until))
}

fn unhealthy(situation: &Situation) -> Option<Wait> {
    let unhealthy = some(situation, |member| member.is_unhealthy())?;
    Some(wait("UNHEALTHY", format!("{unhealthy} tasks fail their health checks and are to be replaced")))
}

fn draining(situation: &Situation) -> Option<Wait> {
    let draining = some(situation, |member| member.is_draining)?;
    Some(wait("DRAINING", format!("{draining} tasks are on instances that drain")))
}

fn older(situation: &Situation) -> Option<Wait> {
    let older = some(situation, |member| member.deployment != Some(0))?;
    let detail = format!("{older} tasks of older deployments are left; {} healthy tasks are needed", situation.floor);
    Some(wait("OLDER TASKS", detail))
}

/// Tasks that would go if they might. Those of a deleted service may.
fn protected(situation: &Situation) -> Option<Wait> {
    if situation.service.status != Status::Active {
        return None;
    }
    let is_surplus = situation.live().count() > situation.desired;
    let is_kept = |member: &Member| member.is_protected() && (is_surplus || !situation.is_current(member));
    let kept = some(situation, is_kept)?;
    let until = situation.live().filter(|member| is_kept(member)).filter_map(|member| member.protected_until).max();
    Some(wait("PROTECTION", format!("{kept} tasks are protected from scale-in")).for_time(until))
}

fn stopping(situation: &Situation) -> Option<Wait> {
    let stopping = situation.stopping();
    (stopping > 0).then(|| wait("STOP", format!("{stopping} tasks are stopping")))
}

/// What failed so far, and what that comes to.
fn counted(situation: &Situation) -> Option<Wait> {
    let primary = situation.primary().filter(|primary| primary.rollout == Rollout::InProgress && primary.failed_tasks > 0)?;
    let failed = primary.failed_tasks;
    let Some(breaker) = rollout::breaker(situation) else {
        return Some(wait("FAILURES", format!("{failed} tasks failed; there is no circuit breaker to end that")));
    };
    let threshold = rollout::threshold(breaker, situation.desired);
    Some(wait("CIRCUIT BREAKER", format!("{failed} tasks failed, at {threshold} the deployment does")))
}
