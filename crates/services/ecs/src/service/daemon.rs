//! DAEMON services: one task on every ACTIVE instance that meets their constraints, and on no other. Pure.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html

use super::action::{Action, Stop, Why};
use super::choose::stops;
use super::members::Member;
use super::situation::Situation;
use super::{Service, Status, asked, decide};
use crate::container_instance::{self, ContainerInstance};
use crate::placement::{fit, fleet};
use crate::task::Task;
use std::collections::BTreeMap;
use store::Image;

/// Instances of the cluster that are to have a task of it, and those that are DRAINING but not yet left by the others: a
/// daemon is the last to stop.
pub fn instances<'a>(image: &'a Image, service: &Service) -> (Vec<&'a str>, Vec<&'a str>) {
    let Some(request) = asked::daemon_request(image, service) else { return (Vec::new(), Vec::new()) };
    let prefix = format!("{}/{}/", service.scope, service.cluster);
    let (mut eligible, mut lingering) = (Vec::new(), Vec::new());
    for instance in image.prefix::<ContainerInstance>(&prefix) {
        let candidate = fleet::candidate(image, instance);
        let is_there = candidate.node.connected || candidate.group_tasks(&request) > 0;
        match instance.draining {
            false if is_there && fit::is_eligible(&request, &candidate) => eligible.push(instance.id.as_str()),
            true if has_tasks_of_others(image, service, instance) => lingering.push(instance.id.as_str()),
            _ => {}
        }
    }
    (eligible, lingering)
}

/// Daemons do not wait for each other.
fn has_tasks_of_others(image: &Image, service: &Service, instance: &ContainerInstance) -> bool {
    let mut others = instance.tasks(image).filter_map(Task::service_path);
    others.any(|path| path != service.path() && !image.get::<Service>(&path).is_some_and(Service::is_daemon))
}

pub fn moves(situation: &Situation) -> Vec<Action> {
    let mut actions = starts(situation);
    let stops = stops_of(situation);
    actions.extend((!stops.is_empty()).then_some(Action::Stop(stops)));
    actions
}

/// Where none is, not even one that is stopping.
fn starts(situation: &Situation) -> Vec<Action> {
    let Some(primary) = situation.primary().filter(|primary| situation.may_start(primary)) else { return Vec::new() };
    if situation.is_waiting_for_place(primary) {
        return Vec::new();
    }
    let taken = by_instance(situation.members.iter().filter(|member| !member.is_ended()));
    let free = situation.instances.iter().filter(|instance| !taken.contains_key(*instance));
    let on: Vec<String> = free.map(|instance| (*instance).to_owned()).collect();
    // Who was there before has ended: see `unhealthy`.
    let start = || Action::Start { deployment: primary.id.clone(), count: on.len(), on: on.clone(), instead_of: Vec::new() };
    (!on.is_empty()).then(start).into_iter().collect()
}

fn by_instance<'m, 'a: 'm>(members: impl Iterator<Item = &'m Member<'a>>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    members.for_each(|member| *counts.entry(member.instance).or_default() += 1);
    counts
}

fn stops_of(situation: &Situation) -> Vec<Stop> {
    let may_replace = situation.primary().is_some_and(|primary| situation.may_start(primary));
    let mut healthy_left = situation.healthy();
    let mut on = by_instance(situation.live());
    let mut chosen = Vec::new();
    for member in stops(situation.live(), situation.live(), &situation.emptying) {
        let crowd = on.entry(member.instance).or_default();
        let must = must_go(situation, member) || *crowd > 1;
        let is_last = situation.lingering.contains(&member.instance) && !member.is_unhealthy();
        let is_replaced = may_replace && !situation.is_current(member) && !member.is_protected() && !is_last;
        let may = is_replaced && !(member.is_healthy() && healthy_left <= situation.floor);
        if must || may {
            healthy_left -= usize::from(member.is_healthy());
            *crowd -= 1;
            chosen.push(Stop::of(member, why(situation, member)));
        }
    }
    chosen
}

fn why(situation: &Situation, member: &Member) -> Why {
    match decide::why(member) {
        Why::Scaling if situation.service.status == Status::Active && must_go(situation, member) => Why::Misplaced,
        why => why,
    }
}

/// Not where it may be.
fn must_go(situation: &Situation, member: &Member) -> bool {
    !situation.instances.contains(&member.instance) && !situation.lingering.contains(&member.instance)
}

/// Whom the end of a task concerns: daemons on its instance, if that is DRAINING.
pub fn waiting(image: &Image, task: &Task) -> Vec<store::Key> {
    let key = task.container_instance.as_ref().map(|id| container_instance::key(&task.scope, &task.cluster, id));
    let instance = key.and_then(|key| image.get::<ContainerInstance>(key.as_str())).filter(|instance| instance.draining);
    let tasks = instance.into_iter().flat_map(|instance| instance.tasks(image));
    let services = tasks.filter_map(Task::service_path);
    services.filter(|path| image.get::<Service>(path).is_some_and(Service::is_daemon)).map(store::Key::new).collect()
}

/// The services with tasks on an instance, and those of the cluster that look at all of its instances: whom a change of the
/// instance concerns.
pub fn concerned(image: &Image, instance: &ContainerInstance) -> Vec<store::Key> {
    use store::Record;
    let tasks = instance.tasks(image).filter_map(Task::service_path).map(store::Key::new);
    let cluster = format!("{}/{}", instance.scope, instance.cluster);
    let daemons = image.by::<Service>("daemon", &cluster).map(Service::key);
    let rebalanced = image.by::<Service>("rebalanced", &cluster).map(Service::key);
    tasks.chain(daemons).chain(rebalanced).collect()
}
