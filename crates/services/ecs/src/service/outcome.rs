//! What a verdict about a deployment, or about the service, writes.

use super::events::{Events, UNBALANCED, say};
use super::reconcile::Cause;
use super::{Complaint, Deployment, Rollout, Service, Status, rebalance, revised, rollout};
use crate::capacity_provider;
use crate::service_deployment::{self, ServiceDeployment};
use crate::service_revision::{self, ServiceRevision};
use crate::state_events::{self, ServiceAction};
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
    tell(call, tx, service);
}

pub fn complete(call: &mut Call, tx: &mut Tx, mut service: Service) {
    let now = call.now;
    let Some(primary) = service.deployments.first_mut() else { return };
    primary.reason = format!("ECS deployment {} completed.", primary.name());
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
        say(call, tx, &service, &format!("(deployment {}) deployment completed.", primary.name()));
    }
    tell(call, tx, &service);
}

/// It starts no more tasks; those that are healthy stay.
pub fn fail(call: &mut Call, tx: &mut Tx, mut service: Service, cause: Cause) {
    let now = call.now;
    let Some(primary) = service.deployments.first_mut() else { return };
    primary.reason = failure(cause).to_owned();
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
    tell(call, tx, &service);
}

/// The deployment that worked becomes the PRIMARY one again, and what the service is to be is what it was then.
pub fn roll_back(call: &mut Call, tx: &mut Tx, mut service: Service, to: &str, cause: Cause) {
    let now = call.now;
    let Some(at) = service.deployments.iter().position(|deployment| deployment.id == to) else { return };
    say_failed(call, tx, &service, cause);
    let mut target = service.deployments.remove(at);
    let failed = &mut service.deployments[0];
    failed.reason = format!("{} rolling back to deploymentId {}.", failure_prefix(cause), target.name());
    (failed.rollout, failed.updated_at) = (Rollout::Failed, now);
    target.reason = format!("ECS deployment {} in progress.", target.name());
    target.service_deployment = failed.service_deployment.clone();
    (target.rollout, target.updated_at) = (Rollout::InProgress, now);
    (target.failed_tasks, target.setbacks, target.throttled_until, target.unplaced) = (0, 0, None, None);
    let (reason, failed_tasks) = (failed.reason.clone(), failed.failed_tasks);
    tell(call, tx, &service);
    let target_revision = target.revision.clone();
    service.deployments.insert(0, target);
    let mut service = revised::at(tx, &service, &target_revision);
    (service.complaint, service.steady_since) = (None, None);
    let (threshold, revision_arn) =
        (threshold(&service), service_revision::arn(&service.scope, &service.cluster, &service.name, &target_revision));
    change(tx, &service, |change| {
        change.status = Stage::RollbackInProgress;
        (change.stop, change.reason, change.updated_at) = (None, Some(reason.clone()), now);
        (change.failure_count, change.threshold) = (failed_tasks, threshold);
        let (reason, started_at) = (Some(reason.clone()), Some(now.into()));
        change.rollback = Some(api::Rollback { reason, started_at, service_revision_arn: Some(revision_arn) });
    });
    tx.put(service.clone());
    if let Some(primary) = service.primary() {
        say(call, tx, &service, &format!("rolling back to deployment {}.", primary.name()));
    }
    tell(call, tx, &service);
}

pub fn forget(tx: &mut Tx, mut service: Service, deployment: &str) {
    service.deployments.retain(|each| each.id != deployment);
    tx.put(service);
}

pub fn steady(call: &mut Call, tx: &mut Tx, mut service: Service) {
    service.steady_since = service.steady_since.or(Some(call.now));
    if let Some(sentence) = rebalance::balanced(tx, &service) {
        say(call, tx, &service, &sentence);
        let balanced = state_events::Action::RebalancingCompleted;
        state_events::service_action(call, tx, (&service).into(), balanced, &ServiceAction::default());
    }
    (service.steady_said_at, service.complaint) = (Some(call.now), None);
    service.deployments.iter_mut().for_each(|deployment| deployment.unplaced = None);
    service.unhealthy_gone = 0;
    tx.put(service.clone());
    say(call, tx, &service, "has reached a steady state.");
    let steady = state_events::Action::SteadyState;
    state_events::service_action(call, tx, (&service).into(), steady, &ServiceAction::default());
    tell_providers(call, tx, &service);
}

fn tell_providers(call: &mut Call, tx: &mut Tx, service: &Service) {
    let names = service.spec.capacity_provider_strategy.iter().flatten().filter_map(|item| item.capacity_provider.as_ref());
    let capacity_provider_arns: Vec<String> = names.map(|name| capacity_provider::provider_arn(&service.scope, name)).collect();
    if capacity_provider_arns.is_empty() {
        return;
    }
    let steady = state_events::Action::CapacityProviderSteadyState;
    let more = ServiceAction { capacity_provider_arns, ..ServiceAction::default() };
    state_events::service_action(call, tx, service.into(), steady, &more);
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

pub fn complain(call: &mut Call, tx: &mut Tx, mut service: Service, sentence: String) {
    say(call, tx, &service, &sentence);
    if sentence.starts_with(UNBALANCED) {
        let started = state_events::Action::RebalancingStarted;
        state_events::service_action(call, tx, (&service).into(), started, &ServiceAction::default());
    }
    service.complaint = Some(Complaint { cause: sentence, said_at: call.now });
    tx.put(service);
}

fn failure_prefix(cause: Cause) -> &'static str {
    match cause {
        Cause::Breaker => "ECS deployment circuit breaker:",
        Cause::Asked => "Service deployment was stopped by a user:",
    }
}

fn failure(cause: Cause) -> &'static str {
    match cause {
        Cause::Breaker => "ECS deployment circuit breaker: tasks failed to start.",
        Cause::Asked => "Service deployment was stopped by a user.",
    }
}

fn say_failed(call: &mut Call, tx: &mut Tx, service: &Service, cause: Cause) {
    let name = service.primary().map(Deployment::name).unwrap_or_default();
    let sentence = match cause {
        Cause::Breaker => format!("(deployment {name}) deployment failed: tasks failed to start."),
        Cause::Asked => format!("(deployment {name}) deployment stopped by a user."),
    };
    say(call, tx, service, &sentence);
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

/// How the PRIMARY deployment goes.
fn tell(call: &mut Call, tx: &mut Tx, service: &Service) {
    let Some(primary) = service.primary() else { return };
    let (name, state) = (primary.name(), primary.rollout.state());
    state_events::deployment_state_change(call, tx, service.into(), &name, &state, &primary.reason);
}

/// Deletes what is left of an INACTIVE service.
pub fn delete(tx: &mut Tx, key: &Key) {
    tx.delete::<Events>(key.as_str());
    tx.delete::<Service>(key.as_str());
}
