//! How a deployment stands: begun, complete, failed, on the way back, forgotten; and whether the service is in a steady
//! state. One verdict at a time, each a change of rows that the next verdict sees. Pure.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html

use super::action::{Action, Cause, Ended};
use super::events::REPEAT_AFTER;
use super::members::{Health, Phase};
use super::situation::Situation;
use super::{Deployment, Rollout, Status};
use api_ecs as api;
use api_ecs::StopServiceDeploymentStopType::{Abort, Rollback};
use base::Time;

/// At least as many failures, at most as many, whatever the percentage says.
const BOUNDS: (usize, usize) = (3, 200);
const DEFAULT_PERCENT: usize = 50;

/// In this order, because later ones rest on what earlier ones have written: first what tasks have shown (health forgives
/// failures, so it comes before they are counted), then the end of the service, then how its deployment goes: what somebody
/// asks for before what the circuit breaker has to say, and both before completion. Only what is left then can be steady.
const VERDICTS: [fn(&Situation) -> Option<Action>; 10] =
    [healed, counted, pinned, ended, begun, stopped, broken, complete, forgotten, steadiness];

pub fn judge(situation: &Situation) -> Option<Action> {
    VERDICTS.iter().find_map(|verdict| verdict(situation))
}

/// A task became healthy: what failed before is forgiven.
fn healed(situation: &Situation) -> Option<Action> {
    let mut newest = vec![None; situation.service.deployments.len()];
    for member in situation.live() {
        if let (Some(at), Phase::Running, Health::Healthy(since)) = (member.deployment, member.phase, member.health) {
            newest[at] = newest[at].max(Some(since));
        }
    }
    let mut deployments = situation.service.deployments.iter().zip(newest);
    deployments.find_map(|(deployment, newest)| {
        (newest > deployment.healthy_at).then(|| Action::Heal { deployment: deployment.id.clone(), at: newest })
    })
}

/// Tasks that are over, with what their ends mean for their deployments.
fn counted(situation: &Situation) -> Option<Action> {
    let ended = situation.members.iter().filter_map(|member| match member.phase {
        Phase::Ended { is_failure } => Some(Ended {
            task: member.id.to_owned(),
            failed: member.deployment.filter(|_| is_failure).map(|at| situation.service.deployments[at].id.clone()),
        }),
        _ => None,
    });
    let ended: Vec<Ended> = ended.collect();
    (!ended.is_empty()).then_some(Action::Count(ended))
}

/// What its first task resolved, the deployment keeps to.
fn pinned(situation: &Situation) -> Option<Action> {
    let (deployment, digests) = situation.resolved.clone()?;
    Some(Action::Pin { deployment, digests })
}

/// Deleted, and the last task is gone.
fn ended(situation: &Situation) -> Option<Action> {
    let is_over = situation.service.status == Status::Draining && situation.members.is_empty();
    is_over.then_some(Action::End)
}

fn begun(situation: &Situation) -> Option<Action> {
    let change = situation.change.filter(|_| situation.service.status == Status::Active)?;
    (change.status == api::ServiceDeploymentStatus::Pending).then_some(Action::Begin)
}

/// Somebody asked for the end of the deployment.
fn stopped(situation: &Situation) -> Option<Action> {
    let stop = in_progress(situation).and(situation.change)?.stop.as_ref()?;
    match (stop, last_completed(situation)) {
        (Abort, _) | (_, None) => Some(Action::Fail(Cause::Asked)),
        (Rollback | _, Some(to)) => Some(Action::RollBack { to: to.id.clone(), cause: Cause::Asked }),
    }
}

/// The circuit breaker trips.
fn broken(situation: &Situation) -> Option<Action> {
    let primary = in_progress(situation)?;
    let breaker = breaker(situation)?;
    if (primary.failed_tasks as usize) < threshold(breaker, situation.desired) {
        return None;
    }
    // A rollback that fails has nowhere left to go.
    let is_rollback = situation.change.is_some_and(|change| change.rollback.is_some());
    let to = last_completed(situation).filter(|_| breaker.rollback == Some(true) && !is_rollback);
    Some(match to {
        Some(to) => Action::RollBack { to: to.id.clone(), cause: Cause::Breaker },
        None => Action::Fail(Cause::Breaker),
    })
}

pub fn breaker<'a>(situation: &Situation<'a>) -> Option<&'a api::DeploymentCircuitBreaker> {
    let configuration = situation.service.spec.deployment_configuration.as_ref()?;
    configuration.deployment_circuit_breaker.as_ref().filter(|breaker| breaker.enable == Some(true))
}

/// The latest desired count decides, also of failures before it.
pub fn threshold(breaker: &api::DeploymentCircuitBreaker, desired: usize) -> usize {
    let given = breaker.threshold_configuration.as_ref();
    let value = given.and_then(|given| usize::try_from(given.value?).ok()).unwrap_or(DEFAULT_PERCENT);
    let percent = (desired * value).div_ceil(100);
    match given.and_then(|given| given.r#type.as_ref()) {
        Some(api::ThresholdType::Count) => value.max(1),
        Some(api::ThresholdType::UnboundedPercent) => percent.max(1),
        _ => percent.clamp(BOUNDS.0, BOUNDS.1),
    }
}

fn in_progress<'a>(situation: &Situation<'a>) -> Option<&'a Deployment> {
    let is_active = situation.service.status == Status::Active;
    situation.primary().filter(|primary| is_active && primary.rollout == Rollout::InProgress)
}

fn last_completed<'a>(situation: &Situation<'a>) -> Option<&'a Deployment> {
    situation.service.deployments.iter().skip(1).find(|deployment| deployment.rollout == Rollout::Completed)
}

fn complete(situation: &Situation) -> Option<Action> {
    in_progress(situation)?;
    let is_alone = situation.members.iter().all(|member| situation.is_current(member));
    let is_full = situation.healthy_current() >= situation.desired && situation.current().count() == situation.desired;
    let is_complete = match early(situation) {
        Some(early) => is_early_enough(situation, early, is_alone),
        None => is_full && is_alone,
    };
    is_complete.then_some(Action::Complete)
}

fn early<'a>(situation: &Situation<'a>) -> Option<&'a api::DeploymentEarlySuccessCriteria> {
    let configuration = situation.service.spec.deployment_configuration.as_ref()?;
    configuration.early_success_criteria.as_ref().filter(|early| early.enable == Some(true))
}

/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/early-success-criteria.html
fn is_early_enough(situation: &Situation, early: &api::DeploymentEarlySuccessCriteria, is_alone: bool) -> bool {
    let percent = early.healthy_percent.and_then(|percent| usize::try_from(percent).ok()).unwrap_or(100);
    let enough = (situation.desired * percent).div_ceil(100).max(1).min(situation.desired);
    let may_linger = early.source_service_revision_cleanup == Some(api::ServiceRevisionCleanup::Deferred);
    situation.healthy_current() >= enough && (is_alone || may_linger)
}

/// An older deployment that has no task and that nobody would go back to.
fn forgotten(situation: &Situation) -> Option<Action> {
    let is_complete = situation.primary().is_some_and(|primary| primary.rollout == Rollout::Completed);
    let kept = last_completed(situation).filter(|_| !is_complete).map(|deployment| &deployment.id);
    let has_tasks = |at: usize| situation.members.iter().any(|member| member.deployment == Some(at));
    let mut older = situation.service.deployments.iter().enumerate().skip(1);
    let forgotten = older.find(|(at, deployment)| !has_tasks(*at) && Some(&deployment.id) != kept)?;
    Some(Action::Forget { deployment: forgotten.1.id.clone() })
}

fn steadiness(situation: &Situation) -> Option<Action> {
    match (is_steady(situation), situation.service.steady_since) {
        (true, None) => Some(Action::Steady),
        (true, Some(_)) => repeat_at(situation).filter(|at| *at <= situation.now).map(|_| Action::Steady),
        (false, Some(_)) => Some(Action::Unsteady),
        (false, None) => None,
    }
}

pub fn is_steady(situation: &Situation) -> bool {
    situation.service.status == Status::Active
        && situation.primary().is_some_and(|primary| primary.rollout == Rollout::Completed)
        && situation.members.iter().all(|member| situation.is_current(member) && member.is_healthy())
        && situation.members.len() == situation.desired
}

/// A steady state is said again after a while.
pub fn repeat_at(situation: &Situation) -> Option<Time> {
    situation.service.steady_since?;
    Some(situation.service.steady_said_at? + REPEAT_AFTER)
}
