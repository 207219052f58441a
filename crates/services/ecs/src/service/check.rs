//! What a service may ask for, refused in AWS's words before anything is written. Pure; its definition, network and capacity
//! are checked as those of RunTask are.

use super::reach;
use crate::cluster::Cluster;
use crate::placement::request;
use crate::task::capacity::{self, Share};
use crate::task::launch::{Ask, Launch};
use crate::task_definition::TaskDefinition;
use api_ecs as api;
use api_ecs::Error;
use base::limits::{TASKS_PER_DISCOVERED_SERVICE, TASKS_PER_SERVICE};
use std::ops::RangeInclusive;
use std::sync::Arc;

const BAKE_MINUTES: RangeInclusive<i32> = 0..=1440;
const ZONE: &str = "attribute:ecs.availability-zone";

/// `spec` must be complete, and be a service's of this cluster with this definition.
pub fn check(cluster: &Cluster, definition: Arc<TaskDefinition>, spec: &api::CreateServiceRequest) -> Result<(), Error> {
    match spec.scheduling_strategy {
        Some(api::SchedulingStrategy::Daemon) => check_daemon(spec)?,
        _ => check_replica(spec)?,
    }
    check_configuration(spec)?;
    if spec.health_check_grace_period_seconds.is_some_and(|seconds| seconds < 0) {
        return refuse("healthCheckGracePeriodSeconds must be at least 0");
    }
    if spec.availability_zone_rebalancing == Some(api::AvailabilityZoneRebalancing::Enabled) {
        may_rebalance(spec)?;
    }
    reach::check(cluster, &definition.definition, spec)?;
    check_placement(cluster, definition, spec)
}

/// Of a new service.
pub fn check_name(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=255).contains(&name.len()) && name.bytes().all(fits) { Ok(()) } else { refuse("Invalid service name.") }
}

fn check_replica(spec: &api::CreateServiceRequest) -> Result<(), Error> {
    let is_discovered = spec.service_registries.as_ref().is_some_and(|registries| !registries.is_empty());
    let most = if is_discovered { TASKS_PER_DISCOVERED_SERVICE } else { TASKS_PER_SERVICE };
    match spec.desired_count {
        None => refuse("DesiredCount is missing"),
        Some(count) if count < 0 => refuse("DesiredCount can not be lesser than 0"),
        Some(count) if count > most => refuse(&format!("DesiredCount can not be greater than {most}")),
        Some(_) => Ok(()),
    }
}

fn check_daemon(spec: &api::CreateServiceRequest) -> Result<(), Error> {
    if spec.desired_count.is_some() {
        return refuse(
            "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again",
        );
    }
    if spec.placement_strategy.is_some() {
        return refuse(
            "The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again",
        );
    }
    if spec.capacity_provider_strategy.is_some() {
        return refuse(
            "Specifying a capacity provider strategy is not supported when you create a service using the DAEMON scheduling strategy.",
        );
    }
    if spec.launch_type == Some(api::LaunchType::Fargate) {
        return refuse(
            "The daemon scheduling strategy does not support the FARGATE launch type. Change the launch type and try again",
        );
    }
    if configuration(spec).maximum_percent.is_some_and(|percent| percent > 100) {
        return refuse("The daemon scheduling strategy does not support values above 100 for maximumPercent.");
    }
    Ok(())
}

fn check_configuration(spec: &api::CreateServiceRequest) -> Result<(), Error> {
    let configuration = configuration(spec);
    let (minimum, maximum) = (configuration.minimum_healthy_percent.unwrap_or(100), configuration.maximum_percent.unwrap_or(200));
    match (minimum, maximum) {
        (..0, _) => refuse("minimumHealthyPercent must be at least 0"),
        (101.., _) => refuse("minimumHealthyPercent must be at most 100"),
        (_, ..100) => refuse("maximumPercent must be at least 100"),
        (100, 100) => refuse("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."),
        _ => Ok(()),
    }?;
    if configuration.bake_time_in_minutes.is_some_and(|minutes| !BAKE_MINUTES.contains(&minutes)) {
        return refuse("bakeTimeInMinutes must be between 0 and 1440.");
    }
    let breaker = configuration.deployment_circuit_breaker.clone().unwrap_or_default();
    check_threshold(&breaker.threshold_configuration.unwrap_or_default())?;
    check_early_success(configuration.early_success_criteria.as_ref(), minimum)
}

fn check_threshold(threshold: &api::ThresholdConfiguration) -> Result<(), Error> {
    let is_percent = threshold.r#type != Some(api::ThresholdType::Count);
    match threshold.value {
        Some(value) if value < 1 => refuse("The deployment circuit breaker threshold must be at least 1."),
        Some(value) if is_percent && value > 100 => {
            refuse("The deployment circuit breaker threshold must be at most 100 percent.")
        }
        _ => Ok(()),
    }
}

fn check_early_success(criteria: Option<&api::DeploymentEarlySuccessCriteria>, minimum: i32) -> Result<(), Error> {
    match criteria.and_then(|criteria| criteria.healthy_percent) {
        Some(percent) if !(minimum..=100).contains(&percent) => {
            refuse("The healthyPercent of earlySuccessCriteria must be between minimumHealthyPercent and 100.")
        }
        _ => Ok(()),
    }
}

/// Refuses what AZ rebalancing is not for.
/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
pub fn may_rebalance(spec: &api::CreateServiceRequest) -> Result<(), Error> {
    let refuse = |what: &str| refuse(&format!("Availability Zone Rebalancing does not support {what}."));
    if spec.scheduling_strategy == Some(api::SchedulingStrategy::Daemon) {
        return refuse("DAEMON services");
    }
    if spec.launch_type == Some(api::LaunchType::External) {
        return refuse("the EXTERNAL launch type");
    }
    if configuration(spec).maximum_percent.is_some_and(|percent| percent <= 100) {
        return refuse("maximumPercent <= 100 % as deployment configuration");
    }
    let spreads_over_zones = |first: &api::PlacementStrategy| {
        first.r#type == Some(api::PlacementStrategyType::Spread) && first.field.as_deref() == Some(ZONE)
    };
    if !spec.placement_strategy.iter().flatten().take(1).all(spreads_over_zones) {
        return refuse("a placement strategy that does not begin with a spread over attribute:ecs.availability-zone");
    }
    let names_zone =
        |constraint: &api::PlacementConstraint| constraint.expression.as_ref().is_some_and(|text| text.contains(ZONE));
    if spec.placement_constraints.iter().flatten().any(names_zone) {
        return refuse("placement constraints on attribute:ecs.availability-zone");
    }
    if spec.load_balancers.iter().flatten().any(|balancer| balancer.load_balancer_name.is_some()) {
        return refuse("Classic Load Balancers");
    }
    Ok(())
}

fn check_placement(cluster: &Cluster, definition: Arc<TaskDefinition>, spec: &api::CreateServiceRequest) -> Result<(), Error> {
    let (constraints, strategy) = (spec.placement_constraints.as_deref(), spec.placement_strategy.as_deref());
    request::rules(&definition.definition, constraints)?;
    request::strategies(strategy)?;
    let ask = Ask {
        network_configuration: spec.network_configuration.clone(),
        platform_version: spec.platform_version.clone(),
        ..Ask::default()
    };
    let launch = Launch::of(cluster, definition, ask)?;
    for share in shares(cluster, spec)? {
        launch.check(&share)?;
        if share.is_fargate() && constraints.is_some() {
            return refuse("Placement constraints are not supported with FARGATE launch type.");
        }
        if share.is_fargate() && strategy.is_some() {
            return refuse("Placement strategies are not supported with FARGATE launch type.");
        }
    }
    Ok(())
}

/// Of as many tasks as a service can have, so that none of its capacity providers is left out.
fn shares(cluster: &Cluster, spec: &api::CreateServiceRequest) -> Result<Vec<Share>, Error> {
    let strategy = spec.capacity_provider_strategy.as_deref();
    capacity::shares(cluster, spec.launch_type.as_ref(), strategy, TASKS_PER_SERVICE as usize)
}

fn configuration(spec: &api::CreateServiceRequest) -> api::DeploymentConfiguration {
    spec.deployment_configuration.clone().unwrap_or_default()
}

fn refuse(sentence: &str) -> Result<(), Error> {
    Err(Error::invalid_parameter(sentence))
}
