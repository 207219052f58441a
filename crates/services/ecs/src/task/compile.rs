//! A task as its node sees it: definition and overrides merged, AWS's defaults filled in, every number final. Pure, and the
//! same for the life of the task; the node makes no choices and knows no AWS type.

mod container;
mod firelens;
pub mod references;
#[cfg(test)]
mod tests;

use super::Task;
use super::overrides::Overrides;
use api_ecs as api;
use base::Arn;
use workload::{NetworkMode, Sharing, TaskSpec, VolumeSource, VolumeSpec};

pub fn compile(task: &Task, definition: &api::TaskDefinition) -> TaskSpec {
    let overrides = Overrides::new(task.overrides.as_ref());
    let containers = definition.container_definitions.iter().flatten();
    TaskSpec {
        id: task.id.clone(),
        arn: task.arn(),
        cluster: task.cluster.clone(),
        cluster_arn: task.cluster_arn(),
        region: task.scope.region.clone(),
        family: task.family.clone(),
        revision: u32::try_from(task.revision).unwrap_or_default(),
        group: task.group.clone(),
        launch_type: task.launch_type.as_ref().map(|launch_type| launch_type.to_string()).unwrap_or_default(),
        availability_zone: task.availability_zone.clone().unwrap_or_default(),
        desired: task.desired,
        network_mode: network_mode(definition),
        cpu_units: task.cpu_units,
        memory_mib: task.memory_mib,
        pid_mode: sharing(definition.pid_mode.as_ref().map(|mode| mode.as_str())),
        ipc_mode: sharing(definition.ipc_mode.as_ref().map(|mode| mode.as_str())),
        ephemeral_storage_gib: ephemeral_storage_gib(definition, &overrides),
        task_role: task_role(task, definition, &overrides),
        volumes: definition.volumes.iter().flatten().map(|volume| volume_spec(task, volume)).collect(),
        containers: containers.map(|declared| container::compile(task, definition, declared, &overrides)).collect(),
        created_at: task.created_at,
    }
}

fn network_mode(definition: &api::TaskDefinition) -> NetworkMode {
    match definition.network_mode {
        Some(api::NetworkMode::Host) => NetworkMode::Host,
        Some(api::NetworkMode::Awsvpc) => NetworkMode::Awsvpc,
        Some(api::NetworkMode::None) => NetworkMode::None,
        _ => NetworkMode::Bridge,
    }
}

/// `none` is private too: what it refuses, sharing with others, nobody asks for then.
fn sharing(mode: Option<&str>) -> Sharing {
    match mode {
        Some("host") => Sharing::Host,
        Some("task") => Sharing::Task,
        _ => Sharing::Private,
    }
}

fn ephemeral_storage_gib(definition: &api::TaskDefinition, overrides: &Overrides) -> Option<u32> {
    let declared = definition.ephemeral_storage.as_ref().and_then(|storage| storage.size_in_gib);
    overrides.ephemeral_storage_gib().or(declared).and_then(|size| u32::try_from(size).ok())
}

/// Definitions may name it only: then it is one of the task's account.
fn task_role(task: &Task, definition: &api::TaskDefinition, overrides: &Overrides) -> Option<String> {
    let given = |role: &&str| !role.is_empty();
    let role = overrides.task_role().filter(given).or(definition.task_role_arn.as_deref().filter(given))?;
    let own = || Arn { region: String::new(), ..Arn::new(&task.scope, "iam", format!("role/{role}")) }.to_string();
    Some(if role.starts_with("arn:") { role.to_owned() } else { own() })
}

fn volume_spec(task: &Task, volume: &api::Volume) -> VolumeSpec {
    let name = volume.name.clone().unwrap_or_default();
    let host_path = volume.host.as_ref().and_then(|host| host.source_path.clone()).filter(|path| !path.is_empty());
    let source = if let Some(docker) = &volume.docker_volume_configuration {
        docker_volume(task, &name, docker)
    } else if let Some(efs) = &volume.efs_volume_configuration {
        efs_volume(efs)
    } else {
        host_path.map_or(VolumeSource::Task, |path| VolumeSource::Host { path })
    };
    VolumeSpec { name, source }
}

/// A shared one is called what the definition calls it; one of the task carries the task's id, as no other has it.
fn docker_volume(task: &Task, name: &str, docker: &api::DockerVolumeConfiguration) -> VolumeSource {
    let shared = docker.scope == Some(api::Scope::Shared);
    let own_name = || format!("ecs-{}-{}-{name}-{}", task.family, task.revision, task.id);
    VolumeSource::Docker {
        name: if shared { name.to_owned() } else { own_name() },
        shared,
        // Ignored where the scope is the task: such a volume is always made.
        autoprovision: !shared || docker.autoprovision == Some(true),
        driver: docker.driver.clone().unwrap_or_else(|| "local".into()),
        options: docker.driver_opts.clone().unwrap_or_default(),
        labels: docker.labels.clone().unwrap_or_default(),
    }
}

fn efs_volume(efs: &api::EFSVolumeConfiguration) -> VolumeSource {
    let authorization = efs.authorization_config.as_ref();
    let options = [
        ("transitEncryption", efs.transit_encryption.as_ref().map(|encryption| encryption.to_string())),
        ("transitEncryptionPort", efs.transit_encryption_port.map(|port| port.to_string())),
        ("accessPointId", authorization.and_then(|authorization| authorization.access_point_id.clone())),
        ("iam", authorization.and_then(|authorization| authorization.iam.as_ref().map(|iam| iam.to_string()))),
    ];
    VolumeSource::Efs {
        file_system: efs.file_system_id.clone().unwrap_or_default(),
        root: efs.root_directory.clone().unwrap_or_else(|| "/".into()),
        options: options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
    }
}
