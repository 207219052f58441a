//! Starting tasks of a service: as many as placement finds places for. That there are too few is said, once, and remembered
//! until capacity grows.

use super::asked::{ZONE, launch, placement_request, shares};
use super::events::say;
use super::refusal::{self, Refusal};
use super::{Complaint, Deployment, Service, Unplaced, revised, sentences, situation, tell, unhealthy};
use crate::capacity_provider;
use crate::cluster::Cluster;
use crate::container_instance::{self, ContainerInstance};
use crate::node::freed;
use crate::placement::{Request, Wanted, fit, fleet};
use crate::state_events::{Action, ServiceAction};
use crate::task::capacity::Share;
use crate::task::launch::Spot;
use crate::task::{Task, placing};
use api_ecs as api;
use kernel::Call;
use store::{Image, Tx};

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
    let (started, refusal) = match attempt(call, tx, &revised, found, count, on) {
        Ok(attempt) => attempt,
        Err(error) => (Vec::new(), Some(Refusal::other(error.message()))),
    };
    let service = say_started(call, tx, service, &started, instead_of);
    match refusal {
        Some(refusal) => say_refused(call, tx, service, deployment, refusal),
        None => forgive(tx, service, deployment),
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
    // All are asked for before the first one starts: an error is to leave no task that nobody tells of.
    let shares = shares(tx, service, deployment, &cluster, count, call.now)?;
    let requests: Vec<Request> =
        shares.iter().map(|share| placement_request(&launch, share, service)).collect::<Result<_, _>>()?;
    for (share, request) in shares.iter().zip(&requests) {
        let (spots, refused) = match on {
            [] => anywhere(call, tx, &cluster, share, request),
            instances => on_each(tx, service, instances, request),
        };
        started.extend(spots.into_iter().map(|spot| launch.start(call, tx, share, spot)));
        let of_share = |refused| Refusal { capacity_provider: share.capacity_provider.clone(), ..refused };
        refusal = refusal.or(refused.map(of_share));
    }
    Ok((started, refusal))
}

fn anywhere(call: &mut Call, tx: &Tx, cluster: &Cluster, share: &Share, request: &Request) -> (Vec<Spot>, Option<Refusal>) {
    let fleet = placing::fleet(tx, cluster, share, request);
    if fleet.is_empty() && !share.is_fargate() {
        return (Vec::new(), Some(refusal::no_instances(share)));
    }
    let (spots, rejected) = placing::spots(call, fleet.as_ref(), request);
    let is_short = spots.len() < request.count;
    (spots, is_short.then(|| refusal::short(share, &rejected)))
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
    (spots, refusal::came_closest(&rejected))
}

fn say_started(call: &mut Call, tx: &mut Tx, mut service: Service, started: &[Task], instead_of: &[String]) -> Service {
    if !started.is_empty() {
        let replaced = unhealthy::replace(tx, &mut service, started.len(), instead_of);
        let sentence = sentences::started(started.iter().map(|task| task.id.as_str()), replaced);
        say(call, tx, &service, &sentence);
    }
    service
}

/// All that was wanted has started: trouble of this deployment is over, though another's may not be.
fn forgive(tx: &mut Tx, mut service: Service, deployment: &str) {
    if service.is_unplaced() || service.complaint.is_some() {
        set_unplaced(&mut service, deployment, None);
        service.complaint = service.complaint.take().filter(|_| service.is_unplaced());
        tx.put(service);
    }
}

fn say_refused(call: &mut Call, tx: &mut Tx, mut service: Service, deployment: &str, refusal: Refusal) {
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
