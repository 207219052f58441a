//! What tasks of a service ask of placement: how they are launched, how the capacity provider strategy shares them out, and
//! what each share wants of an instance. Reads rows, places nothing.

use super::members::Member;
use super::situation::Situation;
use super::task_tags::tags_of_tasks;
use super::{Deployment, Service, situation};
use crate::cluster::Cluster;
use crate::placement::{Field, Request, Strategy, request};
use crate::task::capacity::{self, Running, Share};
use crate::task::launch::{Ask, Launch};
use crate::task::{self, Membership, Task, placing};
use crate::task_definition;
use api_ecs as api;
use base::Time;
use store::Image;

pub const ZONE: &str = "ecs.availability-zone";

/// What the next task of the PRIMARY deployment asks of placement.
pub fn next(image: &Image, service: &Service, now: Time) -> Option<(Launch, Share, Request)> {
    let (deployment, cluster) = service.primary().zip(situation::cluster_of(image, service))?;
    let launch = launch(image, service, deployment, cluster).ok()?;
    let share = shares(image, service, deployment, cluster, 1, now).ok()?.into_iter().next()?;
    let request = placement_request(&launch, &share, service).ok()?;
    Some((launch, share, request))
}

/// What a daemon asks of an instance.
pub fn daemon_request(image: &Image, service: &Service) -> Option<Request> {
    let cluster = situation::cluster_of(image, service)?;
    let launch = launch(image, service, service.primary()?, cluster).ok()?;
    let share = Share { launch_type: api::LaunchType::Ec2, capacity_provider: None, count: 1 };
    placement_request(&launch, &share, service).ok()
}

pub fn launch(image: &Image, service: &Service, deployment: &Deployment, cluster: &Cluster) -> Result<Launch, api::Error> {
    let definition = task_definition::resolve_arc(image, &service.scope, &deployment.task_definition)?;
    let spec = &service.spec;
    let ask = Ask {
        network_configuration: spec.network_configuration.clone(),
        platform_version: spec.platform_version.clone(),
        started_by: Some(deployment.name()),
        tags: Some(tags_of_tasks(service, &definition)),
        enable_execute_command: spec.enable_execute_command == Some(true),
        ..Ask::default()
    };
    let digests = deployment.digests.clone().unwrap_or_default();
    let (name, deployment) = (service.name.clone(), deployment.id.clone());
    let member = Membership { service: name, deployment, digests, is_extra: false, is_replaced: false, is_counted: false };
    Ok(Launch::of_service(cluster, definition, ask, service.group(), member))
}

/// So that the deployment's tasks are together what its strategy wants, however many are started at a time.
pub fn shares(
    image: &Image,
    service: &Service,
    deployment: &Deployment,
    cluster: &Cluster,
    count: usize,
    now: Time,
) -> Result<Vec<Share>, api::Error> {
    let strategy = service.spec.capacity_provider_strategy.as_deref();
    let has_strategy = strategy.is_some() || !cluster.default_capacity_provider_strategy.is_empty();
    let running = if has_strategy { running(image, service, deployment, now) } else { Running::new() };
    capacity::further_shares(cluster, service.spec.launch_type.as_ref(), strategy, &running, count)
}

/// Of the deployment's tasks those that stay: for what is unhealthy or draining others are started now.
fn running(image: &Image, service: &Service, deployment: &Deployment, now: Time) -> Running {
    let mut running = Running::new();
    let situation = Situation::of(image, service, now);
    let is_of = |member: &&Member| member.deployment.is_some_and(|at| service.deployments[at].id == deployment.id);
    let stays = |member: &&Member| !member.is_draining && !member.is_unhealthy();
    let task = |member: &Member| image.get::<Task>(task::key(&service.scope, &service.cluster, member.id).as_str());
    let tasks = situation.live().filter(is_of).filter(stays).filter_map(task);
    let providers = tasks.filter_map(|task| task.capacity_provider.clone());
    providers.for_each(|provider| *running.entry(provider).or_default() += 1);
    running
}

pub fn placement_request(launch: &Launch, share: &Share, service: &Service) -> Result<Request, api::Error> {
    let given = service.spec.placement_strategy.as_deref().filter(|list| !list.is_empty());
    let strategies = if given.is_some() { request::strategies(given)? } else { spread() };
    placing::request(launch, share, service.spec.placement_constraints.as_deref(), strategies)
}

/// Where nothing is said: across zones, then across instances.
fn spread() -> Vec<Strategy> {
    vec![Strategy::Spread(Field::Attribute(ZONE.to_owned())), Strategy::Spread(Field::Instance)]
}
