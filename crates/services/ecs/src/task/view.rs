//! A task as callers of the API see it, with every member AWS always sends, empty ones included. Pure; stores nothing.

use super::overrides::Overrides;
use super::{Task, bindings};
use crate::node::Node;
use api_ecs as api;
use store::Image;
use wire::Timestamp;
use workload::{Address, ContainerPhase, ContainerStatus, Desired, Health, TaskPhase};

pub fn view(task: &Task, image: &Image) -> api::Task {
    let definition = task.definition(image).map(|row| &row.definition);
    let node = task.node.as_ref().and_then(|node| image.get::<Node>(node));
    let containers = containers(task, definition);
    let Statuses { last_status, desired_status } = statuses(task);
    let is_fargate = task.launch_type == Some(api::LaunchType::Fargate);
    let storage = ephemeral_storage_gib(task, definition, is_fargate);
    api::Task {
        attachments: Some(attachment(task).into_iter().collect()),
        attributes: Some(attributes(definition, node)),
        availability_zone: task.availability_zone.clone(),
        capacity_provider_name: task.capacity_provider.clone(),
        cluster_arn: Some(task.cluster_arn()),
        connectivity: connectivity(task, node),
        connectivity_at: task.connectivity_at.map(Timestamp::from),
        container_instance_arn: task.container_instance_arn(),
        health_status: Some(health(definition, &containers)),
        containers: Some(containers),
        cpu: Some(task.cpu_units.unwrap_or(task.claim.cpu_units).to_string()),
        memory: Some(task.memory_mib.unwrap_or(task.claim.memory_mib).to_string()),
        created_at: Some(task.created_at.into()),
        desired_status,
        enable_execute_command: Some(task.enable_execute_command),
        execution_stopped_at: task.status.execution_stopped_at.map(Timestamp::from),
        group: Some(task.group.clone()),
        last_status,
        launch_type: task.launch_type.clone(),
        overrides: Some(overrides(task, definition)),
        platform_version: task.platform_version.clone(),
        platform_family: is_fargate.then(|| "Linux".to_owned()),
        pull_started_at: task.status.pull_started_at.map(Timestamp::from),
        pull_stopped_at: task.status.pull_stopped_at.map(Timestamp::from),
        started_at: task.started_at.map(Timestamp::from),
        started_by: task.started_by.clone(),
        stop_code: task.stop_code.clone(),
        stopped_at: task.stopped_at.map(Timestamp::from),
        stopped_reason: task.stopped_reason.clone(),
        stopping_at: task.stopping_at.map(Timestamp::from),
        tags: Some(task.tags.clone()),
        task_arn: Some(task.arn()),
        task_definition_arn: Some(task.task_definition_arn()),
        version: Some(task.version),
        fargate_ephemeral_storage: storage.filter(|_| is_fargate).map(fargate_storage),
        ephemeral_storage: storage.map(|size| api::EphemeralStorage { size_in_gib: Some(size) }),
        ..Default::default()
    }
}

pub struct Statuses {
    pub last_status: Option<String>,
    pub desired_status: Option<String>,
}

pub fn statuses(task: &Task) -> Statuses {
    let desired = match task.desired {
        Desired::Running => "RUNNING",
        Desired::Stopped => "STOPPED",
    };
    Statuses { last_status: Some(task.last.as_str().to_owned()), desired_status: Some(desired.to_owned()) }
}

/// Once its node has said a word of it.
fn connectivity(task: &Task, node: Option<&Node>) -> Option<api::Connectivity> {
    task.connectivity_at?;
    let connected = node.is_some_and(|node| node.connected);
    Some(if connected { api::Connectivity::Connected } else { api::Connectivity::Disconnected })
}

fn attributes(definition: Option<&api::TaskDefinition>, node: Option<&Node>) -> Vec<api::Attribute> {
    let declared = definition.and_then(|definition| definition.runtime_platform.as_ref()?.cpu_architecture.as_ref());
    let value = node.and_then(Node::cpu_architecture).map(str::to_owned).or_else(|| Some(declared?.as_str().to_lowercase()));
    let attribute =
        |value| api::Attribute { name: Some("ecs.cpu-architecture".into()), value: Some(value), ..Default::default() };
    value.map(attribute).into_iter().collect()
}

/// One entry a container, also where nothing is overridden.
fn overrides(task: &Task, definition: Option<&api::TaskDefinition>) -> api::TaskOverride {
    let given = task.overrides.clone().unwrap_or_default();
    let overrides = Overrides::new(task.overrides.as_ref());
    let containers = definition.iter().flat_map(|definition| definition.container_definitions.iter().flatten());
    let entry = |container: &api::ContainerDefinition| {
        let plain = || api::ContainerOverride { name: container.name.clone(), ..Default::default() };
        overrides.of(container).cloned().unwrap_or_else(plain)
    };
    let inference = given.inference_accelerator_overrides.clone().unwrap_or_default();
    api::TaskOverride {
        container_overrides: Some(containers.map(entry).collect()),
        inference_accelerator_overrides: Some(inference),
        ..given
    }
}

/// Fargate gives 20 GiB to whoever says nothing.
fn ephemeral_storage_gib(task: &Task, definition: Option<&api::TaskDefinition>, is_fargate: bool) -> Option<i32> {
    let overridden = Overrides::new(task.overrides.as_ref()).ephemeral_storage_gib();
    let declared = || definition.and_then(|definition| definition.ephemeral_storage.as_ref()?.size_in_gib);
    overridden.or_else(declared).or(is_fargate.then_some(20))
}

fn fargate_storage(size: i32) -> api::TaskEphemeralStorage {
    api::TaskEphemeralStorage { size_in_gib: Some(size), kms_key_id: None }
}

fn containers(task: &Task, definition: Option<&api::TaskDefinition>) -> Vec<api::Container> {
    let overrides = Overrides::new(task.overrides.as_ref());
    let declared = definition.iter().flat_map(|definition| definition.container_definitions.iter().flatten());
    declared.map(|declared| container(task, declared, &overrides)).collect()
}

fn container(task: &Task, declared: &api::ContainerDefinition, overrides: &Overrides) -> api::Container {
    let name = declared.name.clone().unwrap_or_default();
    let unsaid = ContainerStatus::default();
    let said = task.status.containers.iter().find(|status| status.name == name);
    let status = said.unwrap_or(&unsaid);
    let phase = if task.is_stopped() { ContainerPhase::Stopped } else { status.phase };
    let health = if declared.health_check.is_some() { status.health } else { Health::Unknown };
    api::Container {
        container_arn: task.container_arn(&name),
        task_arn: Some(task.arn()),
        name: Some(name),
        image: declared.image.clone(),
        image_digest: status.image_digest.clone(),
        runtime_id: status.runtime_id.clone(),
        last_status: Some(phase_name(phase).to_owned()),
        exit_code: status.exit_code,
        reason: status.reason.clone(),
        network_bindings: Some(bindings::view(declared, &status.bindings)),
        network_interfaces: Some(interface(task).into_iter().collect()),
        health_status: Some(health_name(health)),
        cpu: Some(overrides.cpu_of(declared).to_string()),
        memory: overrides.memory_of(declared).map(|mib| mib.to_string()),
        memory_reservation: overrides.memory_reservation_of(declared).map(|mib| mib.to_string()),
        ..Default::default()
    }
}

fn phase_name(phase: ContainerPhase) -> &'static str {
    match phase {
        ContainerPhase::Pending => "PENDING",
        ContainerPhase::Running => "RUNNING",
        ContainerPhase::Stopped => "STOPPED",
    }
}

fn health_name(health: Health) -> api::HealthStatus {
    match health {
        Health::Healthy => api::HealthStatus::Healthy,
        Health::Unknown => api::HealthStatus::Unknown,
        Health::Unhealthy => api::HealthStatus::Unhealthy,
    }
}

/// The worst of the essential containers.
fn health(definition: Option<&api::TaskDefinition>, containers: &[api::Container]) -> api::HealthStatus {
    let declared = definition.iter().flat_map(|definition| definition.container_definitions.iter().flatten());
    let essential = declared.zip(containers).filter(|(declared, _)| declared.essential != Some(false));
    let healths: Vec<_> = essential.filter_map(|(_, container)| container.health_status.clone()).collect();
    let any = |health| healths.contains(&health).then_some(health);
    let unhealthy = any(api::HealthStatus::Unhealthy).or_else(|| any(api::HealthStatus::Unknown));
    unhealthy.or_else(|| any(api::HealthStatus::Healthy)).unwrap_or(api::HealthStatus::Unknown)
}

fn interface(task: &Task) -> Option<api::NetworkInterface> {
    Some(api::NetworkInterface {
        attachment_id: task.attachment_id.clone(),
        private_ipv4_address: Some(task.status.address.as_ref()?.ipv4.clone()),
        ipv6_address: None,
    })
    .filter(|_| task.attachment_id.is_some())
}

fn attachment(task: &Task) -> Option<api::Attachment> {
    let id = task.attachment_id.clone()?;
    let subnet =
        task.network_configuration.as_ref().and_then(|network| network.awsvpc_configuration.as_ref()?.subnets.as_ref()?.first());
    let mut details: Vec<api::KeyValuePair> = subnet.map(|subnet| pair("subnetId", subnet.clone())).into_iter().collect();
    if let Some(address) = &task.status.address {
        details.extend(eni(&id, address, &task.scope.region));
    }
    let status = attachment_status(task).to_owned();
    Some(api::Attachment {
        id: Some(id),
        r#type: Some("ElasticNetworkInterface".into()),
        status: Some(status),
        details: Some(details),
    })
}

fn attachment_status(task: &Task) -> &'static str {
    match (task.is_stopped(), task.status.phase, &task.status.address) {
        (true, ..) => "DELETED",
        (_, TaskPhase::Stopping | TaskPhase::Stopped, _) => "DETACHING",
        (_, _, Some(_)) => "ATTACHED",
        (_, TaskPhase::Pending, None) => "PRECREATED",
        (_, _, None) => "ATTACHING",
    }
}

fn eni(attachment_id: &str, address: &Address, region: &str) -> [api::KeyValuePair; 4] {
    let digits: String = attachment_id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    let domain = if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") };
    [
        pair("networkInterfaceId", format!("eni-0{digits}")),
        pair("macAddress", address.mac.clone()),
        pair("privateDnsName", format!("ip-{}.{domain}", address.ipv4.replace('.', "-"))),
        pair("privateIPv4Address", address.ipv4.clone()),
    ]
}

fn pair(name: &str, value: String) -> api::KeyValuePair {
    api::KeyValuePair { name: Some(name.to_owned()), value: Some(value) }
}
