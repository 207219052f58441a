//! Starting tasks of a service: as many as placement finds places for. That there are too few is said, once, and remembered
//! until capacity grows.

use super::events::say;
use super::members::Member;
use super::situation::Situation;
use super::task_tags::tags_of_tasks;
use super::{Complaint, Deployment, Service, Unplaced, revised, sentences, situation, tell, unhealthy};
use crate::capacity_provider;
use crate::cluster::Cluster;
use crate::container_instance::{self, ContainerInstance};
use crate::node::freed;
use crate::placement::{Field, Reason, Request, Strategy, Wanted, fit, fleet, request};
use crate::state_events::{Action, ServiceAction};
use crate::task::capacity::{self, Running, Share};
use crate::task::launch::{Ask, Launch, Spot};
use crate::task::{self, Membership, Task, placing};
use crate::task_definition;
use api_ecs as api;
use base::Time;
use kernel::Call;
use store::{Image, Tx};

const ZONE: &str = "ecs.availability-zone";
const HELP: &str = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

pub fn start(
    call: &mut Call,
    tx: &mut Tx,
    service: Service,
    deployment: &str,
    count: usize,
    on: &[String],
    instead_of: &[String],
) {
    let Some(found) = service.deployment(deployment) else { return };
    let revised = revised::at(tx, &service, &found.revision);
    match attempt(call, tx, &revised, found, count, on) {
        Ok((started, refusal)) => settle(call, tx, service, deployment, &started, instead_of, refusal),
        Err(error) => settle(call, tx, service, deployment, &[], &[], Some(Refusal::other(error.message()))),
    }
}

/// One task more, in the zone that has the fewest. Where it has no place there, all stays as it is.
pub fn rebalance(call: &mut Call, tx: &mut Tx, mut service: Service, deployment: &str, zone: &str) {
    let Some(found) = service.deployment(deployment) else { return };
    match extra(call, tx, &service, found, zone) {
        Ok(Some(task)) => {
            say(call, tx, &service, &sentences::rebalancing(zone, &task.id));
            tell::action(call, tx, &service, Action::TasksStarted);
        }
        // Again when capacity grows.
        Ok(None) | Err(_) => {
            wait_for_place(call, tx, &mut service, deployment);
            tx.put(service);
        }
    }
}

fn extra(
    call: &mut Call,
    tx: &mut Tx,
    service: &Service,
    deployment: &Deployment,
    zone: &str,
) -> Result<Option<Task>, api::Error> {
    let Some(cluster) = situation::cluster_of(tx, service).cloned() else { return Ok(None) };
    let launch = launch(tx, service, deployment, &cluster)?.beside_the_desired();
    let Some(share) = shares(tx, service, deployment, &cluster, 1, call.now)?.into_iter().next() else { return Ok(None) };
    let mut request = placement_request(&launch, &share, service)?;
    request.attributes.push(Wanted { name: ZONE.to_owned(), value: Some(zone.to_owned()) });
    let (spots, _) = anywhere(call, tx, &cluster, &share, &request);
    Ok(spots.into_iter().next().map(|spot| launch.start(call, tx, &share, spot)))
}

fn wait_for_place(call: &Call, image: &Image, service: &mut Service, deployment: &str) {
    let unplaced = Unplaced { at: call.now, freed: freed::count(image) };
    set_unplaced(service, deployment, Some(unplaced));
}

fn set_unplaced(service: &mut Service, deployment: &str, unplaced: Option<Unplaced>) {
    if let Some(found) = service.deployments.iter_mut().find(|each| each.id == deployment) {
        found.unplaced = unplaced;
    }
}

/// Why there are not as many as there should be.
struct Refusal {
    sentence: String,
    /// Of the service action: `RESOURCE:CPU`, …
    reason: String,
    capacity_provider: Option<String>,
}

impl Refusal {
    fn other(reason: &str) -> Refusal {
        let sentence = format!("was unable to place a task. Reason: {reason}");
        Refusal { sentence, reason: reason.to_owned(), capacity_provider: None }
    }
}

type Attempt = (Vec<Task>, Option<Refusal>);

fn attempt(
    call: &mut Call,
    tx: &mut Tx,
    service: &Service,
    deployment: &Deployment,
    count: usize,
    on: &[String],
) -> Result<Attempt, api::Error> {
    let Some(cluster) = situation::cluster_of(tx, service).cloned() else {
        return Err(api::Error::cluster_not_found("Cluster not found."));
    };
    let launch = launch(tx, service, deployment, &cluster)?;
    let (mut started, mut refusal) = (Vec::new(), None);
    for share in shares(tx, service, deployment, &cluster, count, call.now)? {
        let request = placement_request(&launch, &share, service)?;
        let (spots, refused) = match on {
            [] => anywhere(call, tx, &cluster, &share, &request),
            instances => on_each(tx, service, instances, &request),
        };
        started.extend(spots.into_iter().map(|spot| launch.start(call, tx, &share, spot)));
        let of_share = |refused| Refusal { capacity_provider: share.capacity_provider.clone(), ..refused };
        refusal = refusal.or(refused.map(of_share));
    }
    Ok((started, refusal))
}

fn launch(image: &Image, service: &Service, deployment: &Deployment, cluster: &Cluster) -> Result<Launch, api::Error> {
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
fn shares(
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

fn placement_request(launch: &Launch, share: &Share, service: &Service) -> Result<Request, api::Error> {
    let given = service.spec.placement_strategy.as_deref().filter(|list| !list.is_empty());
    let strategies = if given.is_some() { request::strategies(given)? } else { spread() };
    placing::request(launch, share, service.spec.placement_constraints.as_deref(), strategies)
}

/// Where nothing is said: across zones, then across instances.
fn spread() -> Vec<Strategy> {
    vec![Strategy::Spread(Field::Attribute(ZONE.to_owned())), Strategy::Spread(Field::Instance)]
}

/// What the next task of the PRIMARY deployment asks of placement.
pub fn asked(image: &Image, service: &Service, now: Time) -> Option<(Launch, Share, Request)> {
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

fn anywhere(call: &mut Call, tx: &Tx, cluster: &Cluster, share: &Share, request: &Request) -> (Vec<Spot>, Option<Refusal>) {
    let fleet = placing::fleet(tx, cluster, share, request);
    if fleet.is_empty() && !share.is_fargate() {
        let sentence = format!("{UNPLACEABLE} Reason: {} {HELP}", placing::nowhere(share));
        return (Vec::new(), Some(Refusal { sentence, reason: "NO ACTIVE INSTANCES".to_owned(), capacity_provider: None }));
    }
    let (spots, rejected) = placing::spots(call, fleet.as_ref(), request);
    let is_short = spots.len() < request.count;
    (spots, is_short.then(|| refusal(share, &rejected)))
}

fn on_each(tx: &Tx, service: &Service, instances: &[String], request: &Request) -> (Vec<Spot>, Option<Refusal>) {
    let key = |id: &String| container_instance::key(&service.scope, &service.cluster, id);
    let instances = instances.iter().filter_map(|id| tx.get::<ContainerInstance>(key(id).as_str()));
    let (mut spots, mut rejected) = (Vec::new(), Vec::new());
    for instance in instances {
        let candidate = fleet::candidate(tx, instance);
        match fit::check(request, &candidate, 0) {
            Ok(()) => spots.push(Spot::of(&candidate)),
            Err(reason) => rejected.push((Some(instance.id.clone()), reason)),
        }
    }
    (spots, came_closest(&rejected))
}

const UNPLACEABLE: &str = "was unable to place a task because no container instance met all of its requirements.";

fn refusal(share: &Share, rejected: &[(Option<String>, Reason)]) -> Refusal {
    if share.is_fargate() {
        let why = "Capacity is unavailable at this time. Please try again later or in a different availability zone.";
        return Refusal { reason: "RESOURCE:FARGATE".to_owned(), ..Refusal::other(why) };
    }
    came_closest(rejected).unwrap_or_else(|| Refusal::other("Internal error."))
}

/// Who was refused by the last of the checks.
fn came_closest(rejected: &[(Option<String>, Reason)]) -> Option<Refusal> {
    rejected.iter().max_by_key(|(_, reason)| *reason).map(|(id, reason)| closest(id.as_deref(), *reason))
}

fn closest(instance: Option<&str>, reason: Reason) -> Refusal {
    let what = match reason {
        Reason::Cpu => "has insufficient CPU units available".to_owned(),
        Reason::Memory => "has insufficient memory available".to_owned(),
        Reason::Ports => "is already using a port required by your task".to_owned(),
        Reason::Attribute => "is missing an attribute required by your task".to_owned(),
        other => format!("encountered error \"{}\"", other.as_str().trim_end_matches('.')),
    };
    let instance = instance.unwrap_or_default();
    let sentence = format!("{UNPLACEABLE} The closest matching (container-instance {instance}) {what}. {HELP}");
    Refusal { sentence, reason: reason.as_str().to_owned(), capacity_provider: None }
}

/// Says what was started and what was not.
fn settle(
    call: &mut Call,
    tx: &mut Tx,
    mut service: Service,
    deployment: &str,
    started: &[Task],
    instead_of: &[String],
    refusal: Option<Refusal>,
) {
    if !started.is_empty() {
        let replaced = unhealthy::replace(tx, &mut service, started.len(), instead_of);
        let sentence = sentences::started(started.iter().map(|task| task.id.as_str()), replaced);
        say(call, tx, &service, &sentence);
    }
    let Some(refusal) = refusal else {
        if service.is_unplaced() || service.complaint.is_some() {
            set_unplaced(&mut service, deployment, None);
            // Another deployment's trouble may not be over.
            service.complaint = service.complaint.take().filter(|_| service.is_unplaced());
            tx.put(service);
        }
        return;
    };
    wait_for_place(call, tx, &mut service, deployment);
    if !service.has_said(&refusal.reason, call.now) {
        say(call, tx, &service, &refusal.sentence);
        let provider = refusal.capacity_provider.iter().map(|name| capacity_provider::provider_arn(&service.scope, name));
        let capacity_provider_arns = provider.collect();
        let reason = Some(refusal.reason.clone());
        let more = ServiceAction { reason, capacity_provider_arns, ..ServiceAction::default() };
        tell::action_of(call, tx, &service, Action::TaskPlacementFailure, &more);
        service.complaint = Some(Complaint { cause: refusal.reason, said_at: call.now });
    }
    tx.put(service);
}
