//! Version consistency: a deployment is pinned once, to what its first task ran, and whatever starts after that is told so.
//! What tasks really ran is for `truth` to say.

use super::super::{Check, violated};
use super::fleet::Fleet;
use super::rollout::is_of;
use crate::catalog;
use crate::scheduler::Deed;
use crate::stage::short;
use ecs::service::{Action, Deployment, Service};
use ecs::service_revision::{self, ServiceRevision};
use ecs::task::Task;
use std::collections::BTreeMap;
use store::Image;
use workload::{ContainerPhase, ContainerStatus};

type Digests = BTreeMap<String, String>;

pub fn check(deed: &Deed, before: &Fleet, after: &Fleet, started: &[&Task]) -> Check {
    starts_are_pinned(after, started)?;
    pins_stay(before, after)?;
    match &deed.action {
        Action::Pin { deployment, digests } => pin_is_what_ran(before, deployment, digests),
        _ => Ok(()),
    }
}

fn starts_are_pinned(after: &Fleet, started: &[&Task]) -> Check {
    for task in started {
        let deployment = after.service.deployments.iter().find(|deployment| is_of(task, deployment));
        let pinned = deployment.and_then(|deployment| deployment.digests.clone()).unwrap_or_default();
        let told = task.member.as_ref().map(|member| member.digests.clone()).unwrap_or_default();
        if told != pinned {
            let what = format!("{}: {} is to run {told:?}, pinned is {pinned:?}", after.name(), short(&task.id));
            return violated("a pinned deployment starts what is pinned", what);
        }
    }
    Ok(())
}

fn pins_stay(before: &Fleet, after: &Fleet) -> Check {
    for is in &after.service.deployments {
        let was = before.service.deployments.iter().find(|was| was.id == is.id).and_then(|was| was.digests.as_ref());
        if was.is_some() && was != is.digests.as_ref() {
            return violated("pins stay", format!("{}: {was:?}, then {:?}", before.name(), is.digests));
        }
    }
    Ok(())
}

/// By the one of its tasks that ran first, of those of which is known what they ran.
fn pin_is_what_ran(before: &Fleet, deployment: &str, digests: &Digests) -> Check {
    let is_its = |task: &&Task| task.member.as_ref().is_some_and(|member| member.deployment == deployment);
    let ran = before.tasks.iter().copied().filter(is_its).filter(|task| task.started_at.is_some());
    let ran: Vec<(&Task, Digests)> = ran.filter_map(|task| Some((task, images(task)?))).collect();
    let earliest = ran.iter().filter_map(|(task, _)| task.started_at).min();
    if ran.iter().any(|(task, images)| task.started_at == earliest && images == digests) {
        return Ok(());
    }
    violated("a pin is what ran first", format!("{}: {digests:?}", before.name()))
}

/// Of its containers that are to be consistent and were ever run; none if some are not known.
fn images(task: &Task) -> Option<Digests> {
    let is_consistent = |said: &&ContainerStatus| catalog::is_consistent(&task.family, &said.name);
    let consistent = task.status.containers.iter().filter(is_consistent);
    let known = |said: &ContainerStatus| match (&said.image_digest, said.phase) {
        (None, ContainerPhase::Stopped) if said.runtime_id.is_none() => None,
        (digest, _) => Some(digest.clone().map(|digest| (said.name.clone(), digest))),
    };
    consistent.filter_map(known).collect()
}

/// What DescribeServiceRevisions tells of it.
pub fn revisions_say_so(service: &Service, image: &Image) -> Check {
    let told = |deployment: &Deployment| {
        let key = service_revision::key(&service.scope, &service.cluster, &service.name, &deployment.revision);
        let images = image.get::<ServiceRevision>(key.as_str())?.revision.container_images.clone()?;
        let digest = |image: api_ecs::ContainerImage| Some((image.container_name?, image.image_digest?));
        Some(images.into_iter().filter_map(digest).collect::<Digests>())
    };
    match service.deployments.iter().find(|deployment| told(deployment) != deployment.digests) {
        Some(deployment) => violated("a revision says what is pinned", format!("{}: {deployment:?}", service.name)),
        None => Ok(()),
    }
}
