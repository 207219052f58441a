//! What the newest deployment was to take the place of, while it does not come to its end, or has failed: of the tasks that the
//! older one has to hold the floor with, or all that are desired, none is missing for which there is room.

use super::super::{Check, violated};
use super::fleet::Fleet;
use super::settled::{has_room, is_stuck, primary, waits_for_protection};
use crate::catalog::{self, Nature};
use ecs::service::{Deployment, Rollout, Service};
use ecs::service_revision::{self, ServiceRevision};

pub fn is_whole(fleet: &Fleet) -> Check {
    let Some(older) = older(fleet).filter(|_| !fleet.service.is_daemon()) else { return Ok(()) };
    let service = at_revision(fleet, Service { deployments: vec![older.clone()], ..fleet.service.clone() });
    let as_it_was = Fleet { service: &service, tasks: fleet.tasks.clone(), ..*fleet };
    let is_held_back = older.throttled_until.is_some_and(|until| until > fleet.now);
    let is_full = fleet.tasks.iter().filter(|task| !task.is_stopped()).count() >= fleet.ceiling();
    let is_good = catalog::nature(as_it_was.family()) == Nature::Good;
    if !is_good || is_held_back || is_full || is_stuck(fleet) || waits_for_protection(fleet) || !has_room(&as_it_was) {
        return Ok(());
    }
    let (standing, wanted) = (fleet.healthy(), wanted(fleet, older));
    if standing >= wanted {
        return Ok(());
    }
    violated("after calm: the older one holds", format!("{}: {standing} of {wanted} are healthy", fleet.name()))
}

/// The newest that was completed and has tasks still.
fn older<'a>(fleet: &Fleet<'a>) -> Option<&'a Deployment> {
    let older = fleet.service.deployments.iter().skip(1).find(|one| one.rollout == Rollout::Completed)?;
    let is_its = |id: Option<&String>| id == Some(&older.id);
    fleet.tasks.iter().any(|task| is_its(task.member.as_ref().map(|member| &member.deployment))).then_some(older)
}

fn at_revision(fleet: &Fleet, mut service: Service) -> Service {
    let revision = &service.deployments[0].revision;
    let key = service_revision::key(&service.scope, &service.cluster, &service.name, revision);
    if let Some(row) = fleet.image.get::<ServiceRevision>(key.as_str()) {
        service.spec.capacity_provider_strategy = row.revision.capacity_provider_strategy.clone();
    }
    service
}

fn wanted(fleet: &Fleet, older: &Deployment) -> usize {
    match primary(fleet) {
        Rollout::Completed => 0,
        Rollout::InProgress => fleet.floor().min(older.desired as usize),
        Rollout::Failed => fleet.desired(),
    }
}
