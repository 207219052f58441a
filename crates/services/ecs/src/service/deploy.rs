//! The beginning of a deployment: what the service is to be becomes a revision, and a deployment that is to bring it. Writes
//! rows and starts nothing.

use super::{Deployment, Rollout, Service, sentences};
use crate::service_deployment::ServiceDeployment;
use crate::service_revision::{self, ServiceRevision};
use api_ecs as api;
use base::Rng;
use kernel::Call;
use store::Tx;

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// Makes what the service's spec says now its PRIMARY deployment, in progress. The caller puts the service.
pub fn deploy(call: &mut Call, tx: &mut Tx, service: &mut Service) {
    let deployment = Deployment {
        id: digits(&mut call.rng),
        revision: digits(&mut call.rng),
        service_deployment: word(&mut call.rng),
        task_definition: service.spec.task_definition.clone().unwrap_or_default(),
        rollout: Rollout::InProgress,
        created_at: call.now,
        updated_at: call.now,
        ..Deployment::default()
    };
    let reason = sentences::in_progress_reason(&deployment);
    let deployment = Deployment { reason, ..deployment };
    tx.put(revision(call, service, &deployment));
    tx.put(service_deployment(call, service, &deployment));
    service.deployments.insert(0, deployment);
    (service.complaint, service.steady_since) = (None, None);
}

fn revision(call: &Call, service: &Service, deployment: &Deployment) -> ServiceRevision {
    let spec = service.spec.clone();
    let arn = service_revision::arn(&service.scope, &service.cluster, &service.name, &deployment.revision);
    let revision = api::ServiceRevision {
        service_revision_arn: Some(arn),
        service_arn: Some(service.arn()),
        cluster_arn: Some(service.cluster_arn()),
        task_definition: spec.task_definition,
        capacity_provider_strategy: spec.capacity_provider_strategy,
        launch_type: spec.launch_type,
        platform_version: spec.platform_version,
        load_balancers: spec.load_balancers,
        service_registries: spec.service_registries,
        network_configuration: spec.network_configuration,
        guard_duty_enabled: Some(false),
        service_connect_configuration: spec.service_connect_configuration,
        volume_configurations: spec.volume_configurations,
        vpc_lattice_configurations: spec.vpc_lattice_configurations,
        monitoring: spec.monitoring,
        created_at: Some(call.now.into()),
        ..Default::default()
    };
    let (scope, cluster, name) = (service.scope.clone(), service.cluster.clone(), service.name.clone());
    ServiceRevision { scope, cluster, service: name, id: deployment.revision.clone(), revision }
}

fn service_deployment(call: &Call, service: &Service, deployment: &Deployment) -> ServiceDeployment {
    ServiceDeployment {
        scope: service.scope.clone(),
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        id: deployment.service_deployment.clone(),
        deployment: deployment.id.clone(),
        sources: service.deployments.iter().map(|deployment| deployment.revision.clone()).collect(),
        target: deployment.revision.clone(),
        status: api::ServiceDeploymentStatus::Pending,
        reason: None,
        configuration: service.spec.deployment_configuration.clone(),
        created_at: call.now,
        updated_at: call.now,
        started_at: None,
        finished_at: None,
        stopped_at: None,
        rollback: None,
        failure_count: 0,
        threshold: None,
        stop: None,
    }
}

/// 19 digits, the first of them not zero.
fn digits(rng: &mut Rng) -> String {
    (10u64.pow(18) + rng.below(9 * 10u64.pow(18))).to_string()
}

fn word(rng: &mut Rng) -> String {
    (0..21).map(|_| char::from(ALPHANUMERIC[rng.below(ALPHANUMERIC.len() as u64) as usize])).collect()
}
