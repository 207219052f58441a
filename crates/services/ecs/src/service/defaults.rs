//! What AWS fills into a service where nothing is said, so that every other file reads a complete one. Pure.
//! https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html

use super::check;
use crate::cluster::Cluster;
use api_ecs as api;

const FAILURE_PERCENT: i32 = 50;

/// `spec` with everything said.
pub fn fill(cluster: &Cluster, spec: &mut api::CreateServiceRequest) {
    let is_daemon = spec.scheduling_strategy == Some(api::SchedulingStrategy::Daemon);
    spec.scheduling_strategy.get_or_insert(api::SchedulingStrategy::Replica);
    spec.deployment_controller.get_or_insert(api::DeploymentController { r#type: Some(api::DeploymentControllerType::Ecs) });
    spec.deployment_configuration = Some(configuration(spec.deployment_configuration.take(), is_daemon));
    fill_capacity(cluster, spec, is_daemon);
    if is_fargate(spec) {
        spec.platform_version.get_or_insert("LATEST".to_owned());
    }
    if let Some(network) = spec.network_configuration.as_mut().and_then(|given| given.awsvpc_configuration.as_mut()) {
        network.assign_public_ip.get_or_insert(api::AssignPublicIp::Disabled);
    }
    spec.health_check_grace_period_seconds.get_or_insert(0);
    spec.propagate_tags.get_or_insert(api::PropagateTags::None);
    spec.enable_ecs_managed_tags.get_or_insert(false);
    spec.enable_execute_command.get_or_insert(false);
    if spec.availability_zone_rebalancing.is_none() {
        let eligible = check::may_rebalance(spec).is_ok();
        let choice =
            if eligible { api::AvailabilityZoneRebalancing::Enabled } else { api::AvailabilityZoneRebalancing::Disabled };
        spec.availability_zone_rebalancing = Some(choice);
    }
    // Nothing and an empty list are the same; only one of them is kept, so that comparing tells what has changed.
    forget_empty(&mut spec.load_balancers);
    forget_empty(&mut spec.service_registries);
    forget_empty(&mut spec.placement_constraints);
    forget_empty(&mut spec.placement_strategy);
    forget_empty(&mut spec.volume_configurations);
    forget_empty(&mut spec.vpc_lattice_configurations);
}

/// A launch type, else a strategy, else the cluster's, else EC2. Daemons take no strategy, so the cluster's passes them by.
fn fill_capacity(cluster: &Cluster, spec: &mut api::CreateServiceRequest, is_daemon: bool) {
    forget_empty(&mut spec.capacity_provider_strategy);
    if let Some(items) = &mut spec.capacity_provider_strategy {
        items.iter_mut().for_each(fill_item);
    }
    if spec.launch_type.is_some() || spec.capacity_provider_strategy.is_some() {
        return;
    }
    match &cluster.default_capacity_provider_strategy[..] {
        [_, ..] if !is_daemon => {
            spec.capacity_provider_strategy = Some(cluster.default_capacity_provider_strategy.clone());
        }
        _ => spec.launch_type = Some(api::LaunchType::Ec2),
    }
}

fn fill_item(item: &mut api::CapacityProviderStrategyItem) {
    item.weight.get_or_insert(0);
    item.base.get_or_insert(0);
}

fn configuration(given: Option<api::DeploymentConfiguration>, is_daemon: bool) -> api::DeploymentConfiguration {
    let mut configuration = given.unwrap_or_default();
    let (maximum, minimum) = if is_daemon { (100, 0) } else { (200, 100) };
    configuration.maximum_percent.get_or_insert(maximum);
    configuration.minimum_healthy_percent.get_or_insert(minimum);
    configuration.strategy.get_or_insert(api::DeploymentStrategy::Rolling);
    configuration.bake_time_in_minutes.get_or_insert(0);
    let breaker = configuration.deployment_circuit_breaker.get_or_insert_default();
    breaker.enable.get_or_insert(false);
    breaker.rollback.get_or_insert(false);
    breaker.reset_on_healthy_task.get_or_insert(true);
    breaker.threshold_configuration.get_or_insert(api::ThresholdConfiguration {
        r#type: Some(api::ThresholdType::BoundedPercent),
        value: Some(FAILURE_PERCENT),
    });
    configuration
}

/// What an update says of the configuration; what it leaves out stays.
pub fn merge_configuration(
    before: Option<api::DeploymentConfiguration>,
    update: api::DeploymentConfiguration,
) -> api::DeploymentConfiguration {
    let before = before.unwrap_or_default();
    let old_breaker = before.deployment_circuit_breaker;
    let breaker = match update.deployment_circuit_breaker {
        Some(breaker) => Some(merge_breaker(old_breaker.unwrap_or_default(), breaker)),
        None => old_breaker,
    };
    api::DeploymentConfiguration {
        deployment_circuit_breaker: breaker,
        maximum_percent: update.maximum_percent.or(before.maximum_percent),
        minimum_healthy_percent: update.minimum_healthy_percent.or(before.minimum_healthy_percent),
        alarms: update.alarms.or(before.alarms),
        strategy: update.strategy.or(before.strategy),
        bake_time_in_minutes: update.bake_time_in_minutes.or(before.bake_time_in_minutes),
        lifecycle_hooks: update.lifecycle_hooks.or(before.lifecycle_hooks),
        linear_configuration: update.linear_configuration.or(before.linear_configuration),
        canary_configuration: update.canary_configuration.or(before.canary_configuration),
        early_success_criteria: update.early_success_criteria.or(before.early_success_criteria),
    }
}

fn merge_breaker(before: api::DeploymentCircuitBreaker, update: api::DeploymentCircuitBreaker) -> api::DeploymentCircuitBreaker {
    api::DeploymentCircuitBreaker {
        enable: update.enable.or(before.enable),
        rollback: update.rollback.or(before.rollback),
        reset_on_healthy_task: update.reset_on_healthy_task.or(before.reset_on_healthy_task),
        threshold_configuration: update.threshold_configuration.or(before.threshold_configuration),
    }
}

/// All of its tasks run on Fargate.
pub fn is_fargate(spec: &api::CreateServiceRequest) -> bool {
    let is_fargate =
        |item: &api::CapacityProviderStrategyItem| matches!(item.capacity_provider.as_deref(), Some("FARGATE" | "FARGATE_SPOT"));
    match &spec.capacity_provider_strategy {
        Some(items) => items.iter().all(is_fargate),
        None => spec.launch_type == Some(api::LaunchType::Fargate),
    }
}

fn forget_empty<T>(list: &mut Option<Vec<T>>) {
    if list.as_ref().is_some_and(Vec::is_empty) {
        *list = None;
    }
}
