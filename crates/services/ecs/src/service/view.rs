//! What callers see of a service: the record, and counts of its tasks.

use super::{Deployment, Events, Service, Status, daemon, defaults};
use crate::service_deployment;
use crate::service_revision::{self, ServiceRevision};
use crate::task::{Last, Task};
use api_ecs as api;
use base::Arn;
use store::Image;
use workload::Desired;

pub fn view(service: &Service, image: &Image, with_tags: bool) -> api::Service {
    let shown = shown(service, image);
    let all = Counts::of(image, service, None);
    let spec = service.spec.clone();
    let deployments: Vec<api::Deployment> = shown.iter().map(|deployment| self::deployment(service, image, deployment)).collect();
    api::Service {
        service_arn: Some(service.arn()),
        service_name: Some(service.name.clone()),
        cluster_arn: Some(service.cluster_arn()),
        role_arn: role(service),
        load_balancers: Some(spec.load_balancers.unwrap_or_default()),
        service_registries: Some(spec.service_registries.unwrap_or_default()),
        status: Some(service.status.as_str().to_owned()),
        desired_count: Some(desired_count(service, image)),
        running_count: Some(all.running),
        pending_count: Some(all.pending),
        platform_family: service_revision::view::platform_family(image, service, &service.spec),
        launch_type: spec.launch_type,
        capacity_provider_strategy: spec.capacity_provider_strategy,
        platform_version: spec.platform_version,
        task_definition: spec.task_definition,
        deployment_configuration: spec.deployment_configuration,
        deployments: Some(deployments),
        events: Some(events(service, image)),
        created_at: Some(service.created_at.into()),
        current_service_deployment: shown.first().map(|deployment| service_deployment_arn(service, deployment)),
        current_service_revisions: Some(shown.iter().map(|deployment| revision(service, image, deployment)).collect()),
        placement_constraints: Some(spec.placement_constraints.unwrap_or_default()),
        placement_strategy: Some(spec.placement_strategy.unwrap_or_default()),
        network_configuration: spec.network_configuration,
        health_check_grace_period_seconds: spec.health_check_grace_period_seconds,
        scheduling_strategy: spec.scheduling_strategy,
        deployment_controller: spec.deployment_controller,
        tags: with_tags.then(|| service.tags.clone()),
        created_by: service.created_by.clone(),
        enable_ecs_managed_tags: spec.enable_ecs_managed_tags,
        propagate_tags: spec.propagate_tags,
        enable_execute_command: spec.enable_execute_command,
        availability_zone_rebalancing: spec.availability_zone_rebalancing,
        resource_management_type: Some(api::ResourceManagementType::Customer),
        task_sets: None,
    }
}

/// The PRIMARY one, and older ones while they have tasks.
fn shown<'a>(service: &'a Service, image: &Image) -> Vec<&'a Deployment> {
    if service.status == Status::Inactive {
        return Vec::new();
    }
    let has_tasks = |deployment: &&Deployment| tasks(image, service, Some(&deployment.id)).next().is_some();
    let older = service.deployments.iter().skip(1).filter(has_tasks);
    service.primary().into_iter().chain(older).collect()
}

/// Of a deployment, or of all.
pub struct Counts {
    pub desired: i32,
    pub running: i32,
    pub pending: i32,
}

impl Counts {
    pub fn of(image: &Image, service: &Service, deployment: Option<&str>) -> Counts {
        let mut counts = Counts { desired: 0, running: 0, pending: 0 };
        for task in tasks(image, service, deployment) {
            counts.desired += i32::from(task.desired == Desired::Running);
            counts.running += i32::from(task.last == Last::Running);
            counts.pending += i32::from(task.last < Last::Running);
        }
        counts
    }
}

/// Those that are not STOPPED.
fn tasks<'a>(image: &'a Image, service: &Service, deployment: Option<&str>) -> impl Iterator<Item = &'a Task> {
    let of_it = move |task: &&Task| {
        let member = task.member.as_ref();
        deployment.is_none_or(|wanted| member.is_some_and(|member| member.deployment == wanted))
    };
    image.by::<Task>("service", service.path()).filter(|task| !task.is_stopped()).filter(of_it)
}

fn desired_count(service: &Service, image: &Image) -> i32 {
    let wants_one_each = service.is_daemon() && service.status == Status::Active;
    let desired = if wants_one_each { daemon::instances(image, service).0.len() } else { service.desired_count() };
    i32::try_from(desired).unwrap_or(i32::MAX)
}

/// How many tasks of it are wanted: of the PRIMARY one what the service wants, of others what is left.
pub fn wanted(service: &Service, image: &Image, deployment: &str, counts: &Counts) -> i32 {
    let is_primary = service.primary().is_some_and(|primary| primary.id == deployment);
    if is_primary { desired_count(service, image) } else { counts.desired }
}

fn deployment(service: &Service, image: &Image, deployment: &Deployment) -> api::Deployment {
    let counts = Counts::of(image, service, Some(&deployment.id));
    let is_primary = service.primary().is_some_and(|primary| primary.id == deployment.id);
    let key = service_revision::key(&service.scope, &service.cluster, &service.name, &deployment.revision);
    let revision = image.get::<ServiceRevision>(key.as_str());
    let revision = revision.map(|revision| service_revision::view::view(revision, image)).unwrap_or_default();
    api::Deployment {
        id: Some(deployment.name()),
        status: Some(if is_primary { "PRIMARY" } else { "ACTIVE" }.to_owned()),
        task_definition: Some(deployment.task_definition.clone()),
        desired_count: Some(wanted(service, image, &deployment.id, &counts)),
        pending_count: Some(counts.pending),
        running_count: Some(counts.running),
        failed_tasks: Some(i32::try_from(deployment.failed_tasks).unwrap_or(i32::MAX)),
        created_at: Some(deployment.created_at.into()),
        updated_at: Some(deployment.updated_at.into()),
        capacity_provider_strategy: revision.capacity_provider_strategy,
        launch_type: revision.launch_type,
        platform_version: revision.platform_version,
        platform_family: revision.platform_family,
        network_configuration: revision.network_configuration,
        rollout_state: Some(deployment.rollout.state()),
        rollout_state_reason: Some(deployment.reason.clone()),
        service_connect_configuration: revision.service_connect_configuration,
        volume_configurations: revision.volume_configurations,
        vpc_lattice_configurations: revision.vpc_lattice_configurations,
        ..Default::default()
    }
}

fn service_deployment_arn(service: &Service, deployment: &Deployment) -> String {
    service_deployment::arn(&service.scope, &service.cluster, &service.name, &deployment.service_deployment)
}

fn revision(service: &Service, image: &Image, deployment: &Deployment) -> api::ServiceCurrentRevisionSummary {
    let counts = Counts::of(image, service, Some(&deployment.id));
    api::ServiceCurrentRevisionSummary {
        arn: Some(service_revision::arn(&service.scope, &service.cluster, &service.name, &deployment.revision)),
        requested_task_count: Some(wanted(service, image, &deployment.id, &counts)),
        running_task_count: Some(counts.running),
        pending_task_count: Some(counts.pending),
    }
}

fn events(service: &Service, image: &Image) -> Vec<api::ServiceEvent> {
    let events = image.get::<Events>(super::key(&service.scope, &service.cluster, &service.name).as_str());
    let event = |event: &super::Event| api::ServiceEvent {
        id: Some(event.id.clone()),
        created_at: Some(event.at.into()),
        message: Some(event.message.clone()),
    };
    events.map(|row| row.events.iter().map(event).collect()).unwrap_or_default()
}

/// The role it was given, by name, by path and name, or by ARN, or the one that ECS has of its own for addresses, targets and registrations.
fn role(service: &Service) -> Option<String> {
    let iam = |role: &str| {
        let arn = Arn::new(&service.scope, "iam", format!("role/{}", role.trim_start_matches('/')));
        Arn { region: String::new(), ..arn }.to_string()
    };
    if let Some(role) = &service.spec.role {
        return Some(if role.starts_with("arn:") { role.clone() } else { iam(role) });
    }
    let spec = &service.spec;
    let needs_one = spec.load_balancers.is_some()
        || spec.service_registries.is_some()
        || defaults::is_fargate(spec)
        || spec.network_configuration.is_some();
    needs_one.then(|| iam("aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"))
}
