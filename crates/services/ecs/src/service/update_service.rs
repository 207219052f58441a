//! UpdateService: what is said replaces what was, and a new deployment begins if that is what the change needs. A deployment
//! that is under way then is asked to stop; the scheduler does it.

use super::{Service, Status, check, defaults, deploy, find, unbuilt, view};
use crate::cluster::{self, Cluster};
use crate::service_deployment;
use crate::task::launch::startable;
use crate::task_definition::{self, TaskDefinition};
use api_ecs as api;
use api_ecs::Error;
use kernel::Call;
use std::sync::Arc;
use store::Tx;

pub fn update_service(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UpdateServiceRequest,
) -> Result<api::UpdateServiceResponse, Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?.clone();
    let mut service = active(tx, &cluster, input.service.as_deref().unwrap_or_default())?;
    let is_forced = input.force_new_deployment == Some(true);
    let definition = definition(tx, &service, input.task_definition.as_deref())?;
    let before = service.spec.clone();
    merge(&cluster, &mut service.spec, input, &definition)?;
    if !is_forced {
        refuse_new_capacity(&before, &service.spec)?;
    }
    check::check(&cluster, definition, &service.spec)?;
    // What had no place may have one now.
    service.deployments.iter_mut().for_each(|deployment| deployment.unplaced = None);
    if is_forced || deploys(&before, &service.spec) {
        service_deployment::supersede(tx, &service, call.now);
        let replaced = service.deployments.iter_mut().take(1);
        replaced.for_each(|replaced| replaced.desired = desired(&before));
        deploy(call, tx, &mut service);
    }
    let service_view = view::view(&service, tx, true);
    tx.put(service);
    Ok(api::UpdateServiceResponse { service: Some(service_view) })
}

fn desired(spec: &api::CreateServiceRequest) -> u32 {
    spec.desired_count.and_then(|count| count.try_into().ok()).unwrap_or_default()
}

fn active(tx: &Tx, cluster: &Cluster, given: &str) -> Result<Service, Error> {
    match find(tx, cluster, given)? {
        Some(service) if service.status == Status::Active => Ok(service.clone()),
        Some(_) => Err(Error::service_not_active("Service was not ACTIVE.")),
        None => Err(Error::service_not_found("Service not found.")),
    }
}

/// The one that is given, which must be ACTIVE; else the service's, which may have been deregistered since.
fn definition(tx: &Tx, service: &Service, given: Option<&str>) -> Result<Arc<TaskDefinition>, Error> {
    let current = service.spec.task_definition.as_deref().unwrap_or_default();
    match given.filter(|given| !given.is_empty() && *given != current) {
        Some(given) => startable(tx, &service.scope, given),
        None => task_definition::resolve_arc(tx, &service.scope, current),
    }
}

fn merge(
    cluster: &Cluster,
    spec: &mut api::CreateServiceRequest,
    mut input: api::UpdateServiceRequest,
    definition: &TaskDefinition,
) -> Result<(), Error> {
    // Of the cluster and of the definition the row says more than the request.
    input.cluster = None;
    input.task_definition = Some(definition.arn());
    if let Some(update) = input.deployment_configuration.take() {
        input.deployment_configuration = Some(defaults::merge_configuration(spec.deployment_configuration.clone(), update));
    }
    // An empty object is as good as an empty list to have no strategy any more (UpdateService).
    input.placement_strategy.iter_mut().for_each(|items| items.retain(|item| *item != api::PlacementStrategy::default()));
    if input.capacity_provider_strategy.is_some() {
        let was_fargate = defaults::is_fargate(spec);
        let is_empty = input.capacity_provider_strategy.as_ref().is_none_or(Vec::is_empty);
        let keeps_fargate = is_empty && was_fargate && cluster.default_capacity_provider_strategy.is_empty();
        spec.launch_type = keeps_fargate.then_some(api::LaunchType::Fargate);
    }
    let says_platform = input.platform_version.is_some();
    spec.merge(input);
    if !says_platform && !defaults::is_fargate(spec) {
        spec.platform_version = None;
    }
    unbuilt::refuse(spec)?;
    defaults::fill(cluster, spec);
    Ok(())
}

/// AWS has the caller say that tasks are to move.
fn refuse_new_capacity(before: &api::CreateServiceRequest, after: &api::CreateServiceRequest) -> Result<(), Error> {
    // The order of its items means nothing, and clients that keep them as a set do not keep it.
    let strategy = |spec: &api::CreateServiceRequest| {
        let mut items = spec.capacity_provider_strategy.clone().unwrap_or_default();
        items.sort_by(|one, other| one.capacity_provider.cmp(&other.capacity_provider));
        items
    };
    if strategy(before) == strategy(after) {
        return Ok(());
    }
    Err(Error::invalid_parameter(
        "When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity \
         provider strategy on a service that is already using one, you must force a new deployment.",
    ))
}

/// The members of UpdateService of which AWS says that a change of them starts a deployment; no other does.
/// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
fn deploys(before: &api::CreateServiceRequest, after: &api::CreateServiceRequest) -> bool {
    before.task_definition != after.task_definition
        || before.network_configuration != after.network_configuration
        || before.platform_version != after.platform_version
        || before.load_balancers != after.load_balancers
        || before.service_registries != after.service_registries
        || connect(before) != connect(after)
        || before.volume_configurations != after.volume_configurations
        || before.vpc_lattice_configurations != after.vpc_lattice_configurations
}

/// One that is not enabled is none.
fn connect(spec: &api::CreateServiceRequest) -> Option<&api::ServiceConnectConfiguration> {
    spec.service_connect_configuration.as_ref().filter(|connect| connect.enabled == Some(true))
}
