//! What AWS fills in: a described definition has every member that has a default, empty lists and zeros included. Idempotent,
//! and applied to definitions that passed `check` only.

use super::check::Definition;
use super::check::fargate::is_windows;
use super::resources::{cpu_units, memory_mib};
use api_ecs as api;
use api_ecs::{ContainerDefinition, NetworkMode, PortMapping, TransportProtocol};

pub fn fill(request: &mut api::RegisterTaskDefinitionRequest) {
    request.cpu = request.cpu.as_deref().and_then(cpu_units).map(|units| units.to_string());
    request.memory = request.memory.as_deref().and_then(memory_mib).map(|mib| mib.to_string());
    // Windows hosts have a default of their own.
    if request.network_mode.is_none() && !is_windows(&Definition::of(request)) {
        request.network_mode = Some(NetworkMode::Bridge);
    }
    for role in [&mut request.task_role_arn, &mut request.execution_role_arn] {
        role.take_if(|role| role.is_empty());
    }
    request.requires_compatibilities.take_if(|required| required.is_empty());
    request.volumes.get_or_insert_default();
    request.placement_constraints.get_or_insert_default();
    request.volumes.iter_mut().flatten().for_each(volume);
    let mode = request.network_mode.clone().unwrap_or(NetworkMode::Bridge);
    request.container_definitions.iter_mut().flatten().for_each(|one| container(one, &mode));
}

/// A volume of no kind is an empty directory of the host.
fn volume(volume: &mut api::Volume) {
    let configured = volume.docker_volume_configuration.is_some()
        || volume.efs_volume_configuration.is_some()
        || volume.s3files_volume_configuration.is_some()
        || volume.fsx_windows_file_server_volume_configuration.is_some()
        || volume.configured_at_launch == Some(true);
    if !configured {
        volume.host.get_or_insert_default();
    }
    if let Some(efs) = &mut volume.efs_volume_configuration {
        efs.root_directory.get_or_insert_with(|| "/".to_owned());
    }
}

fn container(container: &mut ContainerDefinition, mode: &NetworkMode) {
    container.cpu.get_or_insert(0);
    container.essential.get_or_insert(true);
    container.port_mappings.get_or_insert_default().iter_mut().for_each(|mapping| port_mapping(mapping, mode));
    container.environment.get_or_insert_default();
    container.mount_points.get_or_insert_default();
    container.volumes_from.get_or_insert_default();
    container.system_controls.get_or_insert_default();
    if let Some(health) = &mut container.health_check {
        health.interval.get_or_insert(30);
        health.timeout.get_or_insert(5);
        health.retries.get_or_insert(3);
    }
}

/// Where containers have the host's ports or the task's, a port is the same inside and outside.
fn port_mapping(mapping: &mut PortMapping, mode: &NetworkMode) {
    mapping.protocol.get_or_insert(TransportProtocol::Tcp);
    if mapping.container_port_range.is_some() {
        return;
    }
    match mode {
        NetworkMode::Awsvpc | NetworkMode::Host => mapping.host_port = mapping.host_port.or(mapping.container_port),
        _ => _ = mapping.host_port.get_or_insert(0),
    }
}
