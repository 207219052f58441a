//! Version consistency: what the first task of a deployment resolves the tags of its images to is what all later ones run,
//! until another deployment resolves them anew.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html

use super::{Deployment, Service};
use crate::service_revision::{self, ServiceRevision};
use crate::task::Task;
use crate::task_definition;
use api_ecs as api;
use std::collections::BTreeMap;
use store::{Image, Tx};
use workload::{ContainerPhase, ContainerStatus};

/// Image digests by container.
pub type Digests = BTreeMap<String, String>;

/// The first deployment whose images are resolved by now, by one of the service's tasks, and not pinned yet.
pub fn resolved(image: &Image, service: &Service, tasks: &[&Task]) -> Option<(String, Digests)> {
    let mut unpinned = service.deployments.iter().filter(|deployment| deployment.digests.is_none());
    unpinned.find_map(|deployment| {
        let consistent = consistent(image, service, deployment);
        let is_of = |task: &&&Task| {
            task.started_at.is_some() && task.member.as_ref().is_some_and(|member| member.deployment == deployment.id)
        };
        let known = tasks.iter().filter(is_of).filter_map(|task| Some((task, digests(&consistent, task)?)));
        let (_, digests) = known.min_by_key(|(task, _)| (task.started_at, &task.id))?;
        Some((deployment.id.clone(), digests))
    })
}

/// The containers that all of the deployment's tasks are to run the same image of.
fn consistent<'a>(image: &'a Image, service: &Service, deployment: &Deployment) -> Vec<&'a str> {
    let definition = task_definition::resolve(image, &service.scope, &deployment.task_definition).ok();
    let containers = definition.into_iter().flat_map(|row| row.definition.container_definitions.iter().flatten());
    let is_consistent = |each: &&api::ContainerDefinition| each.version_consistency != Some(api::VersionConsistency::Disabled);
    containers.filter(is_consistent).filter_map(|container| container.name.as_deref()).collect()
}

/// Of what it ran; none if that is not known of all of it, as when its agent crashed before it had said so. What it could not
/// even pull decides nothing.
fn digests(consistent: &[&str], task: &Task) -> Option<Digests> {
    let status = |name: &&str| task.status.containers.iter().find(|status| status.name == *name);
    let is_lost = |status: &&ContainerStatus| {
        status.image_digest.is_none() && status.runtime_id.is_none() && status.phase == ContainerPhase::Stopped
    };
    let pulled = consistent.iter().filter_map(status).filter(|status| !is_lost(status));
    pulled.map(|status| Some((status.name.clone(), status.image_digest.clone()?))).collect()
}

pub fn pin(tx: &mut Tx, mut service: Service, deployment: &str, digests: Digests) {
    let Some(pinned) = service.deployments.iter_mut().find(|each| each.id == deployment) else { return };
    pinned.digests = Some(digests.clone());
    let key = service_revision::key(&service.scope, &service.cluster, &service.name, &pinned.revision);
    let images = images(tx, &service, deployment, &digests);
    if tx.get::<ServiceRevision>(key.as_str()).is_some() {
        tx.update::<ServiceRevision>(key.as_str(), |row| row.revision.container_images = Some(images));
    }
    tx.put(service);
}

/// As DescribeServiceRevisions tells them.
fn images(image: &Image, service: &Service, deployment: &str, digests: &Digests) -> Vec<api::ContainerImage> {
    let definition =
        service.deployment(deployment).and_then(|it| task_definition::resolve(image, &service.scope, &it.task_definition).ok());
    let containers = definition.iter().flat_map(|row| row.definition.container_definitions.iter().flatten());
    let resolved = |container: &api::ContainerDefinition| api::ContainerImage {
        container_name: container.name.clone(),
        image: container.image.clone(),
        image_digest: container.name.as_ref().and_then(|name| digests.get(name)).cloned(),
    };
    containers.map(resolved).collect()
}

/// A reference with the digest that decides what it means. One that names a digest itself keeps it.
pub fn pinned(reference: &str, digest: Option<&String>) -> String {
    match digest {
        Some(digest) if !reference.contains('@') => format!("{reference}@{digest}"),
        _ => reference.to_owned(),
    }
}
