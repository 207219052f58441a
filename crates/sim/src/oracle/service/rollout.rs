//! How deployments may move, one write of the scheduler at a time: what completes is complete, what fails has failed enough,
//! what is gone back to had worked, and what is forgotten is over.

use super::super::{Check, violated};
use super::fleet::Fleet;
use crate::scheduler::Deed;
use api_ecs::{DeploymentEarlySuccessCriteria, ServiceRevisionCleanup};
use ecs::service::{Action, Deployment, Rollout, Service, Status};
use ecs::service_deployment::ServiceDeployment;
use ecs::service_revision::{self, ServiceRevision};
use ecs::task::Task;
use workload::Desired;

pub fn check(deed: &Deed, before: &Fleet, after: &Fleet) -> Check {
    forgotten_is_over(before, after)?;
    moves_are_allowed(deed, before, after)?;
    match &deed.action {
        Action::Complete => complete_is_complete(before, early_success(before.service)),
        Action::Fail(_) => failed_has_nowhere_to_go(before),
        Action::RollBack { .. } => back_to_what_worked(before, after),
        Action::Steady => steady_is_steady(before),
        _ => Ok(()),
    }
}

fn forgotten_is_over(before: &Fleet, after: &Fleet) -> Check {
    let (was, is) = (before.service, after.service);
    let has_tasks = |deployment: &Deployment| before.tasks.iter().any(|task| is_open(task) && is_of(task, deployment));
    let refuge = newest_completed(was).filter(|_| was.deployments.first().is_some_and(|one| one.rollout != Rollout::Completed));
    for gone in was.deployments.iter().filter(|one| is.deployments.iter().all(|other| other.id != one.id)) {
        let is_needed = has_tasks(gone) || is.status == Status::Active && refuge.is_some_and(|refuge| refuge.id == gone.id);
        if is_needed {
            return violated("what is forgotten is over", format!("{}: {gone:?}", before.name()));
        }
    }
    Ok(())
}

/// Not over, or over and nobody has drawn conclusions.
pub fn is_open(task: &Task) -> bool {
    !task.is_stopped() || task.member.as_ref().is_some_and(|member| !member.is_counted)
}

pub fn is_of(task: &Task, deployment: &Deployment) -> bool {
    task.member.as_ref().is_some_and(|member| member.deployment == deployment.id)
}

fn newest_completed(service: &Service) -> Option<&Deployment> {
    service.deployments.iter().skip(1).find(|deployment| deployment.rollout == Rollout::Completed)
}

fn moves_are_allowed(deed: &Deed, before: &Fleet, after: &Fleet) -> Check {
    let is_rollback = matches!(deed.action, Action::RollBack { .. });
    for is in &after.service.deployments {
        let Some(was) = before.service.deployments.iter().find(|was| was.id == is.id) else { continue };
        let is_allowed = match (was.rollout, is.rollout) {
            (was, is) if was == is => true,
            (Rollout::InProgress, _) => true,
            (Rollout::Completed, Rollout::InProgress) => is_rollback,
            _ => false,
        };
        if !is_allowed {
            let name = before.name();
            return violated("rollouts only move forward", format!("{name}: {:?}, then {:?}", was.rollout, is.rollout));
        }
    }
    Ok(())
}

/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/early-success-criteria.html
fn early_success(service: &Service) -> Option<DeploymentEarlySuccessCriteria> {
    let configuration = service.spec.deployment_configuration.clone().unwrap_or_default();
    configuration.early_success_criteria.filter(|early| early.enable == Some(true))
}

/// All of it, or as much of it as is enough.
fn complete_is_complete(before: &Fleet, early: Option<DeploymentEarlySuccessCriteria>) -> Check {
    let percent = early.as_ref().and_then(|early| early.healthy_percent).unwrap_or(100);
    let least = (before.desired() as f64 * f64::from(percent) / 100.0 - 1e-9).ceil().max(1.0) as usize;
    let (least, most) = match &early {
        Some(_) => (least.min(before.desired()), usize::MAX),
        None => (before.desired(), before.desired()),
    };
    let may_linger = early.is_some_and(|early| early.source_service_revision_cleanup == Some(ServiceRevisionCleanup::Deferred));
    let healthy = before.live().filter(|task| before.is_current(task) && before.is_healthy(task)).count();
    // Who has been stopped of its own revision takes nothing from it.
    let is_other = |task: &&&Task| match task.desired {
        Desired::Running => !before.is_current(task),
        Desired::Stopped => !task.is_stopped() && !before.is_of_primary(task),
    };
    let others = before.tasks.iter().filter(is_other).count();
    if (least..=most).contains(&healthy) && (others == 0 || may_linger) {
        return Ok(());
    }
    violated("what completes is complete", format!("{}: {healthy} of {least}, and {others} others", before.name()))
}

fn steady_is_steady(before: &Fleet) -> Check {
    complete_is_complete(before, None)?;
    match before.service.deployments.first() {
        Some(primary) if primary.rollout == Rollout::Completed => Ok(()),
        other => violated("what completes is complete", format!("{} is said to be steady: {other:?}", before.name())),
    }
}

/// The breaker has reason to trip; with a rollback it only fails what it cannot take back.
fn failed_has_nowhere_to_go(before: &Fleet) -> Check {
    let Some(change) = change(before) else { return Ok(()) };
    if change.stop.is_some() {
        return Ok(());
    }
    breaker_has_reason(before)?;
    let breaker = breaker(before.service);
    let has_refuge = newest_completed(before.service).is_some() && change.rollback.is_none();
    if breaker.rollback == Some(true) && has_refuge {
        return violated("a failed deployment is rolled back", format!("{} just fails", before.name()));
    }
    Ok(())
}

fn back_to_what_worked(before: &Fleet, after: &Fleet) -> Check {
    if change(before).is_some_and(|change| change.stop.is_none()) {
        breaker_has_reason(before)?;
    }
    let (target, refuge) = (after.service.deployments.first(), newest_completed(before.service));
    if target.map(|one| &one.id) != refuge.map(|one| &one.id) || refuge.is_none() {
        return violated("back to what worked", format!("{}: to {target:?}, not {refuge:?}", before.name()));
    }
    capacity_is_gone_back_to(after)?;
    let (spec, of_target) = (&after.service.spec.task_definition, target.map(|one| &one.task_definition));
    if spec.as_ref() != of_target {
        return violated("back to what worked", format!("{} is to run {spec:?}, and runs {of_target:?}", before.name()));
    }
    Ok(())
}

/// What a service runs on goes back with what it runs.
fn capacity_is_gone_back_to(after: &Fleet) -> Check {
    let service = after.service;
    let Some(target) = service.deployments.first() else { return Ok(()) };
    let key = service_revision::key(&service.scope, &service.cluster, &service.name, &target.revision);
    let Some(row) = after.image.get::<ServiceRevision>(key.as_str()) else { return Ok(()) };
    let of_target = (&row.revision.capacity_provider_strategy, &row.revision.launch_type);
    let spec = (&service.spec.capacity_provider_strategy, &service.spec.launch_type);
    if spec == of_target {
        return Ok(());
    }
    violated("back to what worked", format!("{} is to run on {spec:?}, and ran on {of_target:?}", after.name()))
}

/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
fn breaker_has_reason(before: &Fleet) -> Check {
    let breaker = breaker(before.service);
    let threshold = breaker.threshold_configuration.unwrap_or_default();
    let value = f64::from(threshold.value.unwrap_or(50));
    let percent = (before.desired() as f64 * value / 100.0 - 1e-9).ceil();
    let least = match threshold.r#type.as_ref().map(|kind| kind.as_str()) {
        Some("COUNT") => value,
        Some("UNBOUNDED_PERCENT") => percent.max(1.0),
        _ => percent.clamp(3.0, 200.0),
    };
    let failed = before.service.deployments.first().map_or(0, |primary| primary.failed_tasks);
    if breaker.enable == Some(true) && f64::from(failed) >= least {
        return Ok(());
    }
    violated("the breaker trips for a reason", format!("{}: {failed} failures of {least}", before.name()))
}

fn breaker(service: &Service) -> api_ecs::DeploymentCircuitBreaker {
    let configuration = service.spec.deployment_configuration.clone().unwrap_or_default();
    configuration.deployment_circuit_breaker.unwrap_or_default()
}

fn change<'a>(fleet: &Fleet<'a>) -> Option<&'a ServiceDeployment> {
    let id = &fleet.service.deployments.first()?.service_deployment;
    fleet.image.scan::<ServiceDeployment>().find(|row| row.id == *id)
}
