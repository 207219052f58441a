//! A service as one of its revisions has it: what only deployments change is what it was then, everything else as it is now.
//! That is what a rollback goes back to, and what tasks of an older deployment are replaced by.

use super::Service;
use crate::service_revision::{self, ServiceRevision};
use store::Image;

pub fn at(image: &Image, service: &Service, revision: &str) -> Service {
    let mut service = service.clone();
    let key = service_revision::key(&service.scope, &service.cluster, &service.name, revision);
    let Some(row) = image.get::<ServiceRevision>(key.as_str()) else { return service };
    let (revision, spec) = (row.revision.clone(), &mut service.spec);
    spec.task_definition = revision.task_definition;
    spec.launch_type = revision.launch_type;
    spec.capacity_provider_strategy = revision.capacity_provider_strategy;
    spec.network_configuration = revision.network_configuration;
    spec.platform_version = revision.platform_version;
    spec.load_balancers = revision.load_balancers;
    spec.service_registries = revision.service_registries;
    spec.service_connect_configuration = revision.service_connect_configuration;
    spec.volume_configurations = revision.volume_configurations;
    spec.vpc_lattice_configurations = revision.vpc_lattice_configurations;
    service
}
