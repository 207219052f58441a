//! Capacity providers: what is started goes where the strategy of its deployment has too few, and after calm the tasks are
//! split as if they had been started at once, unless some were stopped on purpose: who is stopped, no strategy says.

use super::super::{Check, violated};
use super::fleet::Fleet;
use super::rollout::is_of;
use super::settled::is_settled;
use crate::scheduler::Deed;
use crate::strategy::{self, Counts, Share};
use api_ecs::LaunchType;
use base::Time;
use ecs::service::{Action, Deployment, Service, Why};
use ecs::service_revision::{self, ServiceRevision};
use ecs::task::Task;
use std::collections::{BTreeMap, BTreeSet};
use store::{Image, Key, Record};

#[derive(Default)]
pub struct Splits {
    /// Ids of deployments of which tasks were stopped on purpose, or are fewer than they were to be.
    uneven: BTreeSet<String>,
    desired: BTreeMap<Key, usize>,
}

/// A start, by itself.
pub fn check(deed: &Deed, before: &Fleet, started: &[&Task]) -> Check {
    let (Action::Start { deployment, count, .. }, Some(_)) = (&deed.action, started.first()) else { return Ok(()) };
    let Some(deployment) = before.service.deployments.iter().find(|each| each.id == *deployment) else { return Ok(()) };
    let shares = shares(before.service, deployment, before.image);
    let stays = |task: &&Task| !before.is_unhealthy(task) && !before.instance(task).is_some_and(|instance| instance.draining);
    let there = counts(before.live().filter(stays).filter(|task| is_of(task, deployment)));
    let wanted = if shares.is_empty() { Counts::new() } else { strategy::further(&shares, &there, *count) };
    let new = counts(started.iter().copied());
    let is_short = started.len() < *count;
    let is_odd = |share: &Share| {
        let (new, wanted) = (number(&new, &share.provider), number(&wanted, &share.provider));
        new > wanted || new < wanted && !is_short
    };
    if shares.iter().any(is_odd) || new.keys().any(|provider| !wanted.contains_key(provider)) {
        let what = format!("{}: {new:?} are started beside {there:?}, wanted {wanted:?} of {count}", before.name());
        return violated("tasks go where the strategy has too few", what);
    }
    Ok(())
}

impl Splits {
    pub fn deed(&mut self, deed: &Deed) {
        let Some(before) = Fleet::of(&deed.before, &deed.service, deed.at) else { return };
        let desired = before.desired();
        if self.desired.insert(deed.service.clone(), desired).is_some_and(|was| was > desired) {
            self.uneven.extend(before.service.deployments.iter().map(|deployment| deployment.id.clone()));
        }
        let Action::Stop(stops) = &deed.action else { return };
        let surplus = stops.iter().filter(|stop| stop.why == Why::Scaling).filter_map(|stop| before.task(&stop.task));
        self.uneven.extend(surplus.filter_map(|task| task.member.as_ref()).map(|member| member.deployment.clone()));
    }

    pub fn converged(&self, image: &Image, now: Time) -> Check {
        for service in image.scan::<Service>() {
            let Some(fleet) = Fleet::of(image, &service.key(), now).filter(is_settled) else { continue };
            let Some(primary) = service.deployments.first().filter(|one| !self.uneven.contains(&one.id)) else { continue };
            let shares = shares(service, primary, image);
            if shares.is_empty() {
                continue;
            }
            let (is, wanted) = (counts(fleet.live()), strategy::further(&shares, &Counts::new(), fleet.desired()));
            if shares.iter().any(|share| number(&is, &share.provider) != number(&wanted, &share.provider)) {
                let what = format!("{}: {is:?}, wanted {wanted:?} by {shares:?}", service.name);
                return violated("after calm: tasks are split as the strategy wants", what);
            }
        }
        Ok(())
    }
}

/// By itself: its capacity provider is of its launch type, and where it runs is of that.
pub fn provider_fits(task: &Task) -> Check {
    let is_fargate = task.launch_type == Some(LaunchType::Fargate);
    let fits = match task.capacity_provider.as_deref() {
        None => true,
        Some("FARGATE" | "FARGATE_SPOT") => is_fargate,
        Some(_) => task.launch_type == Some(LaunchType::Ec2),
    };
    if fits && is_fargate == task.container_instance.is_none() && is_fargate == task.platform_version.is_some() {
        return Ok(());
    }
    let (kind, provider, instance) = (&task.launch_type, &task.capacity_provider, &task.container_instance);
    violated("launch type and capacity provider agree", format!("{} {kind:?} {provider:?} on {instance:?}", task.id))
}

/// Of what the deployment was to be, not of what the service is to be since.
fn shares(service: &Service, deployment: &Deployment, image: &Image) -> Vec<Share> {
    let key = service_revision::key(&service.scope, &service.cluster, &service.name, &deployment.revision);
    let revision = image.get::<ServiceRevision>(key.as_str());
    strategy::of(revision.and_then(|row| row.revision.capacity_provider_strategy.as_ref()))
}

fn counts<'a>(tasks: impl Iterator<Item = &'a Task>) -> Counts {
    let mut counts = Counts::new();
    tasks.filter_map(|task| task.capacity_provider.clone()).for_each(|provider| *counts.entry(provider).or_default() += 1);
    counts
}

fn number(counts: &Counts, provider: &str) -> usize {
    counts.get(provider).copied().unwrap_or_default()
}
