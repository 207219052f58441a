//! What the scheduler does is told by state-change events, in the same write: how many of each kind is known beforehand.

use super::super::{Check, violated};
use crate::scheduler::Deed;
use ecs::service::{Action, Service};
use ecs::state_events::{self, Kind};
use std::ops::RangeInclusive;

pub fn check(deed: &Deed) -> Check {
    let told = state_events::after(&deed.after, state_events::newest(&deed.before));
    let kinds: Vec<Kind> = told.map(|event| event.kind).collect();
    let count = |kind: Kind| kinds.iter().filter(|each| **each == kind).count();
    if service_actions(deed).contains(&count(Kind::ServiceAction)) && count(Kind::Deployment) == deployments(deed) {
        return Ok(());
    }
    violated("what the scheduler does is told", format!("{:?} is told by {kinds:?}", deed.action))
}

fn service_actions(deed: &Deed) -> RangeInclusive<usize> {
    let service = deed.before.get::<Service>(deed.service.as_str());
    match &deed.action {
        // The placement constraint that a daemon's task violates is told as well.
        Action::Stop(_) => 1..=1 + usize::from(service.is_some_and(Service::is_daemon)),
        // The providers of a strategy are steady too, and a rebalancing is complete.
        Action::Steady => {
            let providers = usize::from(service.is_some_and(has_strategy));
            1 + providers..=2 + providers
        }
        Action::Start { .. } | Action::Count(_) | Action::Rebalance { .. } | Action::Complain(_) => 0..=1,
        _ => 0..=0,
    }
}

fn has_strategy(service: &Service) -> bool {
    service.spec.capacity_provider_strategy.iter().flatten().next().is_some()
}

/// A rollback tells of the deployment that failed, and of the one that is gone back to.
fn deployments(deed: &Deed) -> usize {
    match &deed.action {
        Action::Begin | Action::Complete | Action::Fail(_) => 1,
        Action::RollBack { .. } => 2,
        _ => 0,
    }
}
