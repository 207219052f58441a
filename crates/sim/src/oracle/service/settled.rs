//! Services once nothing is disturbed any more: what is desired runs, of one revision, healthy; or there is an honest reason.

use super::super::{Check, violated};
use super::fleet::Fleet;
use super::older;
use crate::catalog::{self, Nature};
use base::Time;
use ecs::container_instance::ContainerInstance;
use ecs::node::{Ledger, Node};
use ecs::service::{Rollout, Service, Status};
use ecs::service_deployment::ServiceDeployment;
use ecs::task::Task;
use store::{Image, Record};

pub fn settled(image: &Image, now: Time) -> Check {
    for service in image.scan::<Service>().filter(|service| service.status != Status::Inactive) {
        let Some(fleet) = Fleet::of(image, &service.key(), now) else { continue };
        if service.status == Status::Draining {
            return violated("after calm: a deleted service is over", service.name.clone());
        }
        old_changes_are_over(service, image)?;
        older::is_whole(&fleet)?;
        match catalog::nature(fleet.family()) {
            Nature::Good if service.is_daemon() => daemons_are_everywhere(&fleet)?,
            Nature::Good => replicas_are_there(&fleet)?,
            Nature::Hopeless => breakers_have_tripped(&fleet)?,
            Nature::Erratic => {}
        }
    }
    Ok(())
}

/// Tasks come and go for ever where what a service runs does not stay.
pub fn is_restless(image: &Image, task: &Task) -> bool {
    let is_its = |service: &&Service| task.member.as_ref().is_some_and(|member| member.service == service.name);
    let runs = |service: &Service, is: fn(Nature) -> bool| {
        let family = |arn: &str| arn.rsplit('/').next().and_then(|name| name.split(':').next()).unwrap_or_default().to_owned();
        service.deployments.iter().any(|one| is(catalog::nature(&family(&one.task_definition))))
    };
    let mut services = image.scan::<Service>().filter(is_its);
    services.any(|service| runs(service, |nature| nature != Nature::Good))
}

pub fn primary(fleet: &Fleet) -> Rollout {
    fleet.service.deployments.first().map_or(Rollout::Failed, |primary| primary.rollout)
}

fn replicas_are_there(fleet: &Fleet) -> Check {
    if primary(fleet) == Rollout::Failed || is_stuck(fleet) || waits_for_protection(fleet) {
        return Ok(());
    }
    let current = fleet.live().filter(|task| fleet.is_current(task) && fleet.is_healthy(task)).count();
    let others = fleet.tasks.iter().filter(|task| !task.is_stopped()).count() - current;
    if current < fleet.desired() && !has_room(fleet) {
        return Ok(());
    }
    if current != fleet.desired() || others > 0 {
        let (name, desired) = (fleet.name(), fleet.desired());
        return violated("after calm: as many as desired", format!("{name}: {current} of {desired}, and {others} others"));
    }
    one_deployment_is_left(fleet)
}

fn one_deployment_is_left(fleet: &Fleet) -> Check {
    let service = fleet.service;
    let is_done = service.deployments.len() == 1 && primary(fleet) == Rollout::Completed && service.steady_since.is_some();
    if is_done {
        return Ok(());
    }
    let deployments: Vec<(&str, Rollout)> = service.deployments.iter().map(|one| (one.id.as_str(), one.rollout)).collect();
    violated("after calm: one deployment is left", format!("{}: {deployments:?}, {:?}", fleet.name(), service.steady_since))
}

/// All that is desired is there, and it is all there is.
pub fn is_settled(fleet: &Fleet) -> bool {
    let service = fleet.service;
    let is_done = service.deployments.len() == 1 && primary(fleet) == Rollout::Completed && service.steady_since.is_some();
    is_done && service.status == Status::Active && catalog::nature(fleet.family()) == Nature::Good
}

/// On every instance that is a place for it and has room, once; and nowhere else.
fn daemons_are_everywhere(fleet: &Fleet) -> Check {
    let places = fleet.places();
    let elsewhere = |task: &&Task| !places.iter().any(|place| Some(&place.id) == task.container_instance.as_ref());
    let mut strays = fleet.live().filter(elsewhere).filter(|task| !outstays_others(fleet, task));
    if let Some(task) = strays.next() {
        return violated("after calm: daemons nowhere else", format!("{}: {}", fleet.name(), task.id));
    }
    if primary(fleet) == Rollout::Failed || is_stuck(fleet) || waits_for_protection(fleet) {
        return Ok(());
    }
    let mut is_short = false;
    for place in &places {
        let mut there = fleet.live().filter(|task| task.container_instance.as_ref() == Some(&place.id));
        match there.next() {
            Some(task) if fleet.is_current(task) && fleet.is_healthy(task) => {}
            None if !instance_has_room(fleet, place) => is_short = true,
            // The floor needs it, as the others find no place.
            Some(old) if !fleet.is_of_primary(old) && fleet.healthy() <= fleet.floor() => is_short = true,
            other => {
                let what = format!("{} on {}: {other:?}", fleet.name(), place.node);
                return violated("after calm: a daemon everywhere", what);
            }
        }
    }
    let lingers = fleet.live().any(|task| elsewhere(&task));
    if is_short || lingers { Ok(()) } else { one_deployment_is_left(fleet) }
}

/// A daemon is the last to leave an instance that drains: replicas may be there still.
fn outstays_others(fleet: &Fleet, daemon: &Task) -> bool {
    let is_replica = |task: &Task| {
        let name = task.member.as_ref().map(|member| &member.service);
        let mut services = fleet.image.scan::<Service>();
        services.any(|service| Some(&service.name) == name && service.cluster == task.cluster && !service.is_daemon())
    };
    let mut others = fleet.image.scan::<Task>().filter(|task| !task.is_stopped());
    others.any(|task| task.container_instance == daemon.container_instance && is_replica(task))
}

/// A breaker looks at what fails; what never ends, or never has a place, does not.
fn breakers_have_tripped(fleet: &Fleet) -> Check {
    let configuration = fleet.service.spec.deployment_configuration.clone().unwrap_or_default();
    let breaker = configuration.deployment_circuit_breaker.unwrap_or_default();
    let is_due = breaker.enable == Some(true) && primary(fleet) == Rollout::InProgress && fleet.desired() > 0;
    let may_start = has_room(fleet) && !is_stuck(fleet) && !waits_for_protection(fleet);
    if is_due && may_start && !fleet.service.is_daemon() {
        return violated("after calm: the breaker has tripped", format!("{}: {:?}", fleet.name(), fleet.service.deployments));
    }
    Ok(())
}

/// The bounds leave no room to move in.
pub fn is_stuck(fleet: &Fleet) -> bool {
    fleet.floor() >= fleet.ceiling() && fleet.live().any(|task| !fleet.is_current(task))
}

pub fn waits_for_protection(fleet: &Fleet) -> bool {
    fleet.live().any(|task| task.protected_until.is_some_and(|until| until > fleet.now))
}

/// For one more task anywhere; where a strategy says whose instance it must be, at each of its providers.
pub fn has_room(fleet: &Fleet) -> bool {
    let groups: Vec<&str> = fleet.groups().collect();
    groups.iter().all(|group| has_room_of(fleet, Some(group))) && (!groups.is_empty() || has_room_of(fleet, None))
}

fn has_room_of(fleet: &Fleet, group: Option<&str>) -> bool {
    if catalog::is_fargate(fleet.family()) {
        return fleet.image.scan::<Node>().any(|node| node_has_room(fleet, &node.facts.id));
    }
    let mut instances = fleet.image.scan::<ContainerInstance>();
    instances.any(|instance| {
        let is_its = group.is_none() || instance.auto_scaling_group.is_none() || instance.auto_scaling_group.as_deref() == group;
        instance.cluster == fleet.service.cluster && is_its && !instance.draining && instance_has_room(fleet, instance)
    })
}

fn instance_has_room(fleet: &Fleet, instance: &ContainerInstance) -> bool {
    let is_distinct = fleet.service.spec.placement_constraints.iter().flatten().next().is_some();
    let is_taken = || fleet.tasks.iter().any(|task| !task.is_stopped() && task.container_instance.as_ref() == Some(&instance.id));
    let zone = fleet.image.get::<Node>(&instance.node).map(|node| node.facts.availability_zone.as_str()).unwrap_or_default();
    catalog::may_be_in(fleet.family(), zone) && !(is_distinct && is_taken()) && node_has_room(fleet, &instance.node)
}

fn node_has_room(fleet: &Fleet, node: &str) -> bool {
    let Some(row) = fleet.image.get::<Node>(node).filter(|row| row.connected) else { return false };
    let (nothing, need) = (Ledger::default(), catalog::need(fleet.family()));
    let ledger = fleet.image.get::<Ledger>(node).unwrap_or(&nothing);
    let has_port = need.host_port.is_none_or(|port| !ledger.ports_tcp.contains(&port));
    ledger.cpu_units + need.cpu_units <= row.facts.cpu_units
        && ledger.memory_mib + need.memory_mib <= row.facts.memory_mib
        && has_port
}

/// Of changes that another one took the place of, none is said to be under way.
fn old_changes_are_over(service: &Service, image: &Image) -> Check {
    let current = service.deployments.first().map(|primary| &primary.service_deployment);
    let prefix = format!("{}/", service.path());
    let mut old = image.prefix::<ServiceDeployment>(&prefix).filter(|row| Some(&row.id) != current);
    match old.find(|row| !row.is_over()) {
        Some(row) => violated("after calm: old deployments are over", format!("{}: {:?}", service.name, row.status)),
        None => Ok(()),
    }
}
