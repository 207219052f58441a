//! What a verdict about a deployment, or about the service, writes.

use super::action::Cause;
use super::events::{Events, say};
use super::{Complaint, Deployment, Rollout, Service, Status, rebalance, revised, rollout, sentences, tell};
use crate::capacity_provider;
use crate::service_deployment::{self, ServiceDeployment};
use crate::service_revision::{self, ServiceRevision};
use crate::state_events::{Action, ServiceAction};
use api_ecs as api;
use api_ecs::ServiceDeploymentStatus as Stage;
use base::Time;
use kernel::Call;
use store::{Key, Record, Tx};

pub fn heal(tx: &mut Tx, mut service: Service, deployment: &str, at: Option<Time>) {
    let configuration = service.spec.deployment_configuration.as_ref();
    let breaker = configuration.and_then(|configuration| configuration.deployment_circuit_breaker.as_ref());
    let resets = breaker.and_then(|breaker| breaker.reset_on_healthy_task) != Some(false);
    for deployment in service.deployments.iter_mut().filter(|each| each.id == deployment) {
        deployment.healthy_at = at;
        (deployment.setbacks, deployment.throttled_until) = (0, None);
        if resets {
            deployment.failed_tasks = 0;
        }
    }
    tx.put(service);
}

pub fn begin(call: &mut Call, tx: &mut Tx, service: &Service) {
    let now = call.now;
    change(tx, service, |change| {
        (change.status, change.started_at, change.updated_at) = (Stage::InProgress, Some(now), now);
    });
    service_deployment::settle(tx, service, now);
    tell::deployment(call, tx, service);
}

pub fn complete(call: &mut Call, tx: &mut Tx, mut service: Service) {
    let now = call.now;
    let Some(primary) = service.deployments.first_mut() else { return };
    primary.reason = sentences::completed_reason(primary);
    (primary.rollout, primary.updated_at) = (Rollout::Completed, now);
    let failed_tasks = primary.failed_tasks;
    service.complaint = None;
    let threshold = threshold(&service);
    change(tx, &service, |change| {
        change.status = if change.rollback.is_some() { Stage::RollbackSuccessful } else { Stage::Successful };
        (change.finished_at, change.updated_at) = (Some(now), now);
        // Of a rollback what counts is what made it begin.
        if change.rollback.is_none() {
            (change.failure_count, change.threshold) = (failed_tasks, threshold);
        }
    });
    tx.put(service.clone());
    if let Some(primary) = service.primary() {
        say(call, tx, &service, &sentences::completed(primary));
    }
    tell::deployment(call, tx, &service);
}

/// It starts no more tasks; those that are healthy stay.
pub fn fail(call: &mut Call, tx: &mut Tx, mut service: Service, cause: Cause) {
    let now = call.now;
    let Some(primary) = service.deployments.first_mut() else { return };
    primary.reason = sentences::failed_reason(cause);
    (primary.rollout, primary.updated_at) = (Rollout::Failed, now);
    let (reason, failed_tasks) = (primary.reason.clone(), primary.failed_tasks);
    let threshold = threshold(&service);
    change(tx, &service, |change| {
        change.status = if change.rollback.is_some() { Stage::RollbackFailed } else { Stage::Stopped };
        (change.stop, change.reason, change.stopped_at) = (None, Some(reason), Some(now));
        (change.finished_at, change.updated_at) = (Some(now), now);
        (change.failure_count, change.threshold) = (failed_tasks, threshold);
    });
    tx.put(service.clone());
    say_failed(call, tx, &service, cause);
    tell::deployment(call, tx, &service);
}

/// The deployment that worked becomes the PRIMARY one again, and what the service is to be is what it was then.
pub fn roll_back(call: &mut Call, tx: &mut Tx, mut service: Service, to: &str, cause: Cause) {
    let Some(at) = service.deployments.iter().position(|deployment| deployment.id == to) else { return };
    say_failed(call, tx, &service, cause);
    let target = service.deployments.remove(at);
    give_up(&mut service.deployments[0], &target, cause, call.now);
    tell::deployment(call, tx, &service);
    let target = again(target, &service.deployments[0], call.now);
    say(call, tx, &service, &sentences::rolling_back(&target));
    let revision = target.revision.clone();
    service.deployments.insert(0, target);
    let mut service = revised::at(tx, &service, &revision);
    (service.complaint, service.steady_since) = (None, None);
    change_direction(tx, &service, call.now);
    tx.put(service.clone());
    tell::deployment(call, tx, &service);
}

fn give_up(failed: &mut Deployment, target: &Deployment, cause: Cause, now: Time) {
    failed.reason = sentences::rolling_back_reason(cause, target);
    (failed.rollout, failed.updated_at) = (Rollout::Failed, now);
}

/// As one that begins, within the service deployment that failed.
fn again(target: Deployment, failed: &Deployment, now: Time) -> Deployment {
    Deployment {
        reason: sentences::in_progress_reason(&target),
        service_deployment: failed.service_deployment.clone(),
        rollout: Rollout::InProgress,
        updated_at: now,
        failed_tasks: 0,
        setbacks: 0,
        throttled_until: None,
        unplaced: None,
        ..target
    }
}

/// The service deployment of the one that failed is on its way back to the one that is PRIMARY now.
fn change_direction(tx: &mut Tx, service: &Service, now: Time) {
    let [target, failed, ..] = &service.deployments[..] else { return };
    let revision_arn = service_revision::arn(&service.scope, &service.cluster, &service.name, &target.revision);
    let (reason, threshold) = (Some(failed.reason.clone()), threshold(service));
    change(tx, service, |change| {
        change.status = Stage::RollbackInProgress;
        (change.stop, change.reason, change.updated_at) = (None, reason.clone(), now);
        (change.failure_count, change.threshold) = (failed.failed_tasks, threshold);
        change.rollback = Some(api::Rollback { reason, started_at: Some(now.into()), service_revision_arn: Some(revision_arn) });
    });
}

pub fn forget(tx: &mut Tx, mut service: Service, deployment: &str) {
    service.deployments.retain(|each| each.id != deployment);
    tx.put(service);
}

pub fn steady(call: &mut Call, tx: &mut Tx, mut service: Service) {
    service.steady_since = service.steady_since.or(Some(call.now));
    if let Some(sentence) = rebalance::balanced(tx, &service) {
        say(call, tx, &service, &sentence);
        tell::action(call, tx, &service, Action::RebalancingCompleted);
    }
    (service.steady_said_at, service.complaint) = (Some(call.now), None);
    service.deployments.iter_mut().for_each(|deployment| deployment.unplaced = None);
    service.unhealthy_gone = 0;
    tx.put(service.clone());
    say(call, tx, &service, sentences::STEADY);
    tell::action(call, tx, &service, Action::SteadyState);
    tell_providers(call, tx, &service);
}

fn tell_providers(call: &mut Call, tx: &mut Tx, service: &Service) {
    let names = service.spec.capacity_provider_strategy.iter().flatten().filter_map(|item| item.capacity_provider.as_ref());
    let capacity_provider_arns: Vec<String> = names.map(|name| capacity_provider::provider_arn(&service.scope, name)).collect();
    if !capacity_provider_arns.is_empty() {
        let more = ServiceAction { capacity_provider_arns, ..ServiceAction::default() };
        tell::action_of(call, tx, service, Action::CapacityProviderSteadyState, &more);
    }
}

pub fn unsteady(tx: &mut Tx, mut service: Service) {
    service.steady_since = None;
    tx.put(service);
}

/// What DescribeServices still tells for a while; deployments and revisions go with the service.
pub fn end(call: &mut Call, tx: &mut Tx, mut service: Service) {
    let prefix = format!("{}/", service.key().as_str());
    let deployments: Vec<Key> = tx.prefix::<ServiceDeployment>(&prefix).map(Record::key).collect();
    for key in deployments {
        tx.delete::<ServiceDeployment>(key.as_str());
    }
    let revisions: Vec<Key> = tx.prefix::<ServiceRevision>(&prefix).map(Record::key).collect();
    for key in revisions {
        tx.delete::<ServiceRevision>(key.as_str());
    }
    service.deployments.clear();
    (service.status, service.ended_at, service.steady_since) = (Status::Inactive, Some(call.now), None);
    service.complaint = None;
    tx.put(service);
}

/// Deletes what is left of an INACTIVE service.
pub fn delete(tx: &mut Tx, key: &Key) {
    tx.delete::<Events>(key.as_str());
    tx.delete::<Service>(key.as_str());
}

pub fn complain(call: &mut Call, tx: &mut Tx, mut service: Service, sentence: String) {
    say(call, tx, &service, &sentence);
    if sentence.starts_with(sentences::UNBALANCED) {
        tell::action(call, tx, &service, Action::RebalancingStarted);
    }
    service.complaint = Some(Complaint { cause: sentence, said_at: call.now });
    tx.put(service);
}

fn say_failed(call: &mut Call, tx: &mut Tx, service: &Service, cause: Cause) {
    if let Some(primary) = service.primary() {
        say(call, tx, service, &sentences::failed(primary, cause));
    }
}

/// How many failures the circuit breaker takes, enabled or not.
pub fn threshold(service: &Service) -> Option<u32> {
    let breaker = service.spec.deployment_configuration.as_ref()?.deployment_circuit_breaker.as_ref()?;
    u32::try_from(rollout::threshold(breaker, service.desired_count())).ok()
}

/// The service deployment that the PRIMARY deployment is of.
fn change(tx: &mut Tx, service: &Service, write: impl FnOnce(&mut ServiceDeployment)) {
    let Some(primary) = service.primary() else { return };
    let key = primary.change_key(service);
    if tx.get::<ServiceDeployment>(key.as_str()).is_some() {
        tx.update::<ServiceDeployment>(key.as_str(), write);
    }
}
