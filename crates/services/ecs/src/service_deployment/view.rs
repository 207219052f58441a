//! What callers see of a service deployment: the record, and counts of the tasks of its revisions.

use super::ServiceDeployment;
use crate::service::{self, Counts, Deployment, Service};
use crate::service_revision;
use api_ecs as api;
use api_ecs::ServiceDeploymentRollbackMonitorsStatus as Monitors;
use store::Image;

pub fn view(row: &ServiceDeployment, image: &Image) -> api::ServiceDeployment {
    let service = image.get::<Service>(service::key(&row.scope, &row.cluster, &row.service).as_str());
    let revision = |id: &String| revision(row, image, service, id);
    api::ServiceDeployment {
        service_deployment_arn: Some(row.arn()),
        service_arn: Some(service::arn(&row.scope, &row.cluster, &row.service)),
        cluster_arn: Some(crate::cluster::arn(&row.scope, &row.cluster)),
        created_at: Some(row.created_at.into()),
        started_at: row.started_at.map(Into::into),
        finished_at: row.finished_at.map(Into::into),
        stopped_at: row.stopped_at.map(Into::into),
        updated_at: Some(row.updated_at.into()),
        source_service_revisions: Some(row.sources.iter().map(revision).collect()),
        target_service_revision: Some(revision(&row.target)),
        status: Some(row.status.clone()),
        status_reason: row.reason.clone(),
        deployment_configuration: row.configuration.clone().map(with_alarms),
        rollback: row.rollback.clone(),
        deployment_circuit_breaker: Some(circuit_breaker(row, service)),
        alarms: Some(api::ServiceDeploymentAlarms { status: Some(Monitors::Disabled), ..Default::default() }),
        ..Default::default()
    }
}

/// As the list shows it.
pub fn brief(row: &ServiceDeployment) -> api::ServiceDeploymentBrief {
    api::ServiceDeploymentBrief {
        service_deployment_arn: Some(row.arn()),
        service_arn: Some(service::arn(&row.scope, &row.cluster, &row.service)),
        cluster_arn: Some(crate::cluster::arn(&row.scope, &row.cluster)),
        started_at: row.started_at.map(Into::into),
        created_at: Some(row.created_at.into()),
        finished_at: row.finished_at.map(Into::into),
        target_service_revision_arn: Some(service_revision::arn(&row.scope, &row.cluster, &row.service, &row.target)),
        status: Some(row.status.clone()),
        status_reason: row.reason.clone(),
    }
}

fn revision(row: &ServiceDeployment, image: &Image, service: Option<&Service>, id: &str) -> api::ServiceRevisionSummary {
    let deployments = service.map(|service| &service.deployments[..]).unwrap_or_default();
    let of_it = |deployment: &&Deployment| deployment.revision == *id;
    let counted = service.zip(deployments.iter().find(of_it)).map(|(service, deployment)| {
        let counts = Counts::of(image, service, Some(&deployment.id));
        (service::wanted(service, image, &deployment.id, &counts), counts)
    });
    let (wanted, counts) = counted.unwrap_or((0, Counts { desired: 0, running: 0, pending: 0 }));
    api::ServiceRevisionSummary {
        arn: Some(service_revision::arn(&row.scope, &row.cluster, &row.service, id)),
        requested_task_count: Some(wanted),
        running_task_count: Some(counts.running),
        pending_task_count: Some(counts.pending),
        ..Default::default()
    }
}

/// Of a service deployment AWS says also that no alarm is watched; of a service only which one is.
fn with_alarms(mut configuration: api::DeploymentConfiguration) -> api::DeploymentConfiguration {
    let none = api::DeploymentAlarms { alarm_names: Some(Vec::new()), rollback: Some(false), enable: Some(false) };
    configuration.alarms.get_or_insert(none);
    configuration
}

/// What was counted until it was over; while it is not, what its deployment and the service say now.
fn circuit_breaker(row: &ServiceDeployment, service: Option<&Service>) -> api::ServiceDeploymentCircuitBreaker {
    let breaker = row.configuration.as_ref().and_then(|configuration| configuration.deployment_circuit_breaker.as_ref());
    let counting = service.into_iter().flat_map(|service| &service.deployments).find(|each| each.id == row.deployment);
    let counting = counting.filter(|_| !row.is_over() && row.threshold.is_none()).map(|deployment| deployment.failed_tasks);
    let failure_count = counting.unwrap_or(row.failure_count);
    let threshold = row.threshold.or_else(|| service.and_then(service::threshold));
    let status = match threshold {
        _ if breaker.is_none_or(|breaker| breaker.enable != Some(true)) => Monitors::Disabled,
        Some(threshold) if failure_count >= threshold => Monitors::Triggered,
        _ if row.is_over() => Monitors::MonitoringComplete,
        _ => Monitors::Monitoring,
    };
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    api::ServiceDeploymentCircuitBreaker {
        status: Some(status),
        failure_count: Some(number(failure_count)),
        threshold: threshold.map(number),
    }
}
