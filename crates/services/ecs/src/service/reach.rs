//! How a service's tasks are to be reached: its load balancers, registries and Service Connect, held against the containers of
//! its definition, in AWS's words. Pure; whether a target group, a registry or a namespace exists is not asked here.

use super::defaults::is_fargate;
use crate::cluster::Cluster;
use crate::task::network::is_awsvpc;
use api_ecs as api;
use api_ecs::Error;
use base::Arn;

const TARGET_GROUPS: usize = 5;
const CLASSIC_LOAD_BALANCERS: usize = 1;
const REGISTRIES: usize = 1;
const CLIENT_ALIASES: usize = 1;

pub fn check(cluster: &Cluster, definition: &api::TaskDefinition, spec: &api::CreateServiceRequest) -> Result<(), Error> {
    check_balancers(definition, spec)?;
    check_registries(definition, spec.service_registries.as_deref().unwrap_or_default())?;
    check_connect(cluster, definition, spec.service_connect_configuration.as_ref())
}

/// Of a new service: where ECS acts by its own role there is no other, and without a load balancer there is nothing to act on.
/// An update may change what the role was for.
pub fn check_role(spec: &api::CreateServiceRequest) -> Result<(), Error> {
    let balancers = spec.load_balancers.as_deref().unwrap_or_default();
    let acts_itself = spec.network_configuration.is_some() || spec.service_registries.is_some() || balancers.len() > 1;
    match spec.role {
        Some(_) if acts_itself => refuse("You cannot specify an IAM role for services that require a service linked role."),
        Some(_) if balancers.is_empty() => refuse("A role was passed, but no load balancers were present."),
        _ => Ok(()),
    }
}

fn check_balancers(definition: &api::TaskDefinition, spec: &api::CreateServiceRequest) -> Result<(), Error> {
    let balancers = spec.load_balancers.as_deref().unwrap_or_default();
    let classic = balancers.iter().filter(|balancer| said(&balancer.load_balancer_name).is_some()).count();
    let most = if classic > 0 { CLASSIC_LOAD_BALANCERS } else { TARGET_GROUPS };
    refuse_if(balancers.len() > most, || format!("load balancers can have at most {most} items."))?;
    refuse_if(classic > 0 && is_fargate(spec), || "Classic Load Balancers are not supported with Fargate.".to_owned())?;
    balancers.iter().try_for_each(|balancer| check_balancer(definition, balancer))
}

fn check_balancer(definition: &api::TaskDefinition, balancer: &api::LoadBalancer) -> Result<(), Error> {
    match (said(&balancer.load_balancer_name), said(&balancer.target_group_arn)) {
        (Some(_), Some(_)) => refuse("loadBalancerName and targetGroupArn cannot both be specified."),
        (None, None) => refuse("Either loadBalancerName or targetGroupArn must be specified."),
        (None, Some(arn)) if !is_target_group(arn) => refuse(&format!("The targetGroupArn {arn} is not valid.")),
        _ => has_port(definition, said(&balancer.container_name), balancer.container_port),
    }
}

fn is_target_group(given: &str) -> bool {
    given.parse().is_ok_and(|arn: Arn| arn.service == "elasticloadbalancing" && arn.resource.starts_with("targetgroup/"))
}

/// The container is there and listens on the port.
fn has_port(definition: &api::TaskDefinition, name: Option<&str>, port: Option<i32>) -> Result<(), Error> {
    let Some(name) = name else { return refuse("Container Name can not be blank.") };
    let Some(port) = port else { return refuse("Container Port can not be blank.") };
    let container = containers(definition).find(|container| container.name.as_deref() == Some(name));
    let Some(container) = container else {
        return refuse(&format!("The container {name} does not exist in the task definition."));
    };
    let listens = container.port_mappings.iter().flatten().any(|mapping| has(mapping, port));
    refuse_if(!listens, || format!("The container {name} did not have a container port {port} defined."))
}

fn has(mapping: &api::PortMapping, port: i32) -> bool {
    let number = |text: &str| text.trim().parse::<i32>().ok();
    let range = mapping.container_port_range.as_deref().and_then(|range| range.split_once('-'));
    let bounds = range.and_then(|(first, last)| Some(number(first)?..=number(last)?));
    mapping.container_port == Some(port) || bounds.is_some_and(|bounds| bounds.contains(&port))
}

fn check_registries(definition: &api::TaskDefinition, registries: &[api::ServiceRegistry]) -> Result<(), Error> {
    refuse_if(registries.len() > REGISTRIES, || format!("service registries can have at most {REGISTRIES} items."))?;
    registries.iter().try_for_each(|registry| check_registry(definition, registry))
}

/// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceRegistry.html
fn check_registry(definition: &api::TaskDefinition, registry: &api::ServiceRegistry) -> Result<(), Error> {
    let arn = said(&registry.registry_arn).unwrap_or_default();
    let is_registry = arn.parse().is_ok_and(|arn: Arn| arn.service == "servicediscovery" && arn.resource.starts_with("service/"));
    refuse_if(!is_registry, || format!("The registryArn {arn} is not valid."))?;
    let (name, port) = (said(&registry.container_name), registry.container_port);
    refuse_if(registry.port.is_some_and(|port| !(1..=65535).contains(&port)), || {
        "The port must be between 1 and 65535.".to_owned()
    })?;
    if registry.port.is_some() && (name.is_some() || port.is_some()) {
        return refuse("Specify a value for either 'port' or the 'containerName' and 'containerPort' combination, but not both.");
    }
    if !is_awsvpc(definition) && (name.is_none() || port.is_none()) {
        return refuse(
            "When specifying 'host' or 'bridge' for networkMode, values for 'containerName' and 'containerPort' must be specified \
             from the task definition.",
        );
    }
    if name.is_some() || port.is_some() { has_port(definition, name, port) } else { Ok(()) }
}

fn check_connect(
    cluster: &Cluster,
    definition: &api::TaskDefinition,
    configuration: Option<&api::ServiceConnectConfiguration>,
) -> Result<(), Error> {
    let Some(configuration) = configuration.filter(|configuration| configuration.enabled == Some(true)) else { return Ok(()) };
    let of_cluster = || cluster.service_connect_defaults.as_ref()?.namespace.as_deref();
    let namespace = said(&configuration.namespace).or_else(of_cluster);
    refuse_if(namespace.is_none(), || "Namespace is missing.".to_owned())?;
    configuration.services.iter().flatten().try_for_each(|service| check_connected(definition, service))
}

fn check_connected(definition: &api::TaskDefinition, service: &api::ServiceConnectService) -> Result<(), Error> {
    let port_name = said(&service.port_name).unwrap_or_default();
    let mappings = containers(definition).flat_map(|container| container.port_mappings.iter().flatten());
    refuse_if(!mappings.into_iter().any(|mapping| mapping.name.as_deref() == Some(port_name)), || {
        format!("portName({port_name}) does not refer to any named PortMapping in the container definitions.")
    })?;
    let aliases = service.client_aliases.as_deref().unwrap_or_default();
    refuse_if(aliases.len() > CLIENT_ALIASES, || {
        format!("{} clientAliases exceeds the max limit of {CLIENT_ALIASES}.", aliases.len())
    })?;
    let mut names = aliases.iter().filter_map(|alias| said(&alias.dns_name));
    refuse_if(!names.all(is_dns_name), || "The DNS name that you provided is invalid.".to_owned())
}

fn is_dns_name(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    name.len() <= 127 && name.bytes().all(fits) && is_end(name.as_bytes().first()) && is_end(name.as_bytes().last())
}

fn containers(definition: &api::TaskDefinition) -> impl Iterator<Item = &api::ContainerDefinition> {
    definition.container_definitions.iter().flatten()
}

/// Skeletons that clients fill in say "" where they mean nothing.
fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn refuse_if(broken: bool, sentence: impl FnOnce() -> String) -> Result<(), Error> {
    if broken { Err(Error::invalid_parameter(sentence())) } else { Ok(()) }
}

fn refuse(sentence: &str) -> Result<(), Error> {
    Err(Error::invalid_parameter(sentence))
}
