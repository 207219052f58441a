//! One container: the members of a container definition, each to what it means on a node.

use super::{firelens, references};
use crate::service::pin::pinned;
use crate::task::Task;
use crate::task::overrides::Overrides;
use api_ecs as api;
use std::collections::BTreeMap;
use workload::{
    Condition, ContainerSpec, Dependency, DeviceSpec, HealthCheck, LogSpec, MountSpec, PortSpec, Protocol, RestartPolicy,
    TmpfsSpec, Ulimit, VolumesFrom,
};

/// What Fargate gives every container unless its definition says otherwise.
const FARGATE_OPEN_FILES: i64 = 65535;

pub fn compile(
    task: &Task,
    definition: &api::TaskDefinition,
    declared: &api::ContainerDefinition,
    overrides: &Overrides,
) -> ContainerSpec {
    let name = declared.name.clone().unwrap_or_default();
    let digest = task.member.as_ref().and_then(|member| member.digests.get(&name));
    let overridden = overrides.of(declared);
    let linux = declared.linux_parameters.clone().unwrap_or_default();
    let capabilities = linux.capabilities.unwrap_or_default();
    let (no_new_privileges, security_options) = security(declared.docker_security_options.as_deref().unwrap_or_default());
    ContainerSpec {
        arn: task.container_arn(&name).unwrap_or_default(),
        image: pinned(declared.image.as_deref().unwrap_or_default(), digest),
        registry_credentials: references::registry_credentials(declared),
        essential: declared.essential != Some(false),
        depends_on: declared
            .depends_on
            .iter()
            .flatten()
            .filter_map(dependency)
            .chain(firelens::dependency(definition, declared))
            .collect(),
        start_timeout_s: natural(declared.start_timeout),
        stop_timeout_s: natural(declared.stop_timeout),
        restart: declared.restart_policy.as_ref().and_then(restart),
        health_check: declared.health_check.as_ref().and_then(health_check),
        entry_point: some(declared.entry_point.clone()),
        command: some(overridden.and_then(|o| o.command.clone())).or(some(declared.command.clone())),
        environment: environment(declared, overridden),
        environment_files: references::environment_files(declared, overridden),
        secrets: references::secrets(definition, declared),
        files: references::files(declared),
        user: text(&declared.user),
        working_directory: text(&declared.working_directory),
        hostname: text(&declared.hostname),
        dns_servers: declared.dns_servers.clone().unwrap_or_default(),
        dns_search_domains: declared.dns_search_domains.clone().unwrap_or_default(),
        extra_hosts: declared
            .extra_hosts
            .iter()
            .flatten()
            .filter_map(|h| Some((h.hostname.clone()?, h.ip_address.clone()?)))
            .collect(),
        links: declared.links.clone().unwrap_or_default(),
        disable_networking: declared.disable_networking == Some(true),
        interactive: declared.interactive == Some(true),
        pseudo_terminal: declared.pseudo_terminal == Some(true),
        readonly_root: declared.readonly_root_filesystem == Some(true),
        privileged: declared.privileged == Some(true),
        no_new_privileges,
        cap_add: capabilities.add.unwrap_or_default(),
        cap_drop: capabilities.drop.unwrap_or_default(),
        init_process: linux.init_process_enabled == Some(true),
        devices: linux.devices.iter().flatten().filter_map(device).collect(),
        shm_size_mib: linux.shared_memory_size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0),
        tmpfs: linux.tmpfs.iter().flatten().filter_map(tmpfs).collect(),
        max_swap_mib: linux.max_swap.map(i64::from),
        swappiness: natural(linux.swappiness),
        sysctls: declared
            .system_controls
            .iter()
            .flatten()
            .filter_map(|c| Some((c.namespace.clone()?, c.value.clone()?)))
            .collect(),
        ulimits: ulimits(task, declared),
        labels: labels(task, &name, declared),
        security_options,
        cpu_shares: overrides.cpu_of(declared),
        memory_mib: overrides.memory_of(declared),
        memory_reservation_mib: overrides.memory_reservation_of(declared),
        mounts: declared.mount_points.iter().flatten().filter_map(mount).collect(),
        volumes_from: declared.volumes_from.iter().flatten().filter_map(volumes_from).collect(),
        ports: declared.port_mappings.iter().flatten().filter_map(|mapping| port(definition, mapping)).collect(),
        log: log(task, definition, declared),
        firelens: declared.firelens_configuration.as_ref().map(firelens::router),
        name,
        ..Default::default()
    }
}

fn dependency(dependency: &api::ContainerDependency) -> Option<Dependency> {
    let condition = match dependency.condition.as_ref()? {
        api::ContainerCondition::Complete => Condition::Complete,
        api::ContainerCondition::Success => Condition::Success,
        api::ContainerCondition::Healthy => Condition::Healthy,
        _ => Condition::Start,
    };
    Some(Dependency { container: dependency.container_name.clone()?, condition })
}

fn restart(policy: &api::ContainerRestartPolicy) -> Option<RestartPolicy> {
    (policy.enabled == Some(true)).then(|| RestartPolicy {
        ignored_exit_codes: policy.ignored_exit_codes.clone().unwrap_or_default(),
        attempt_period_s: natural(policy.restart_attempt_period).unwrap_or(300),
    })
}

fn health_check(check: &api::HealthCheck) -> Option<HealthCheck> {
    Some(HealthCheck {
        command: health_command(check.command.as_deref()?)?,
        interval_s: natural(check.interval).unwrap_or(30),
        timeout_s: natural(check.timeout).unwrap_or(5),
        retries: natural(check.retries).unwrap_or(3),
        start_period_s: natural(check.start_period).unwrap_or(0),
    })
}

/// What follows `CMD-SHELL` goes to a shell, what follows `CMD` is executed; `NONE` turns the check off.
fn health_command(command: &[String]) -> Option<Vec<String>> {
    match command.split_first()? {
        (first, rest) if first == "CMD-SHELL" => {
            Some(["/bin/sh", "-c"].map(str::to_owned).into_iter().chain(rest.iter().cloned()).collect())
        }
        (first, rest) if first == "CMD" => Some(rest.to_vec()).filter(|rest| !rest.is_empty()),
        (first, []) if first == "NONE" => None,
        _ => Some(command.to_vec()),
    }
}

/// The definition's, then the override's, which wins by name.
fn environment(declared: &api::ContainerDefinition, overridden: Option<&api::ContainerOverride>) -> BTreeMap<String, String> {
    let overridden = overridden.iter().flat_map(|o| o.environment.iter().flatten());
    let pairs = declared.environment.iter().flatten().chain(overridden);
    pairs.filter_map(|pair| Some((pair.name.clone()?, pair.value.clone().unwrap_or_default()))).collect()
}

fn security(options: &[String]) -> (bool, Vec<String>) {
    let is_no_new = |option: &&String| matches!(option.as_str(), "no-new-privileges" | "no-new-privileges:true");
    let others = options.iter().filter(|option| !option.starts_with("no-new-privileges")).cloned().collect();
    (options.iter().any(|option| is_no_new(&option)), others)
}

fn device(device: &api::Device) -> Option<DeviceSpec> {
    let host_path = device.host_path.clone()?;
    let permissions = device.permissions.clone().unwrap_or_default();
    let may = |permission| permissions.is_empty() || permissions.contains(&permission);
    Some(DeviceSpec {
        container_path: text(&device.container_path).unwrap_or_else(|| host_path.clone()),
        host_path,
        read: may(api::DeviceCgroupPermission::Read),
        write: may(api::DeviceCgroupPermission::Write),
        mknod: may(api::DeviceCgroupPermission::Mknod),
    })
}

fn tmpfs(tmpfs: &api::Tmpfs) -> Option<TmpfsSpec> {
    Some(TmpfsSpec {
        container_path: tmpfs.container_path.clone()?,
        size_mib: u64::try_from(tmpfs.size?).ok()?,
        options: tmpfs.mount_options.clone().unwrap_or_default(),
    })
}

fn ulimits(task: &Task, declared: &api::ContainerDefinition) -> Vec<Ulimit> {
    let declared = declared.ulimits.iter().flatten();
    let mut ulimits: Vec<Ulimit> = declared
        .filter_map(|u| {
            Some(Ulimit { name: u.name.as_ref()?.to_string(), soft: u.soft_limit?.into(), hard: u.hard_limit?.into() })
        })
        .collect();
    let is_fargate = task.launch_type == Some(api::LaunchType::Fargate);
    if is_fargate && !ulimits.iter().any(|ulimit| ulimit.name == "nofile") {
        ulimits.push(Ulimit { name: "nofile".into(), soft: FARGATE_OPEN_FILES, hard: FARGATE_OPEN_FILES });
    }
    ulimits
}

/// The definition's, and those by which the stock agent marks what is ECS's.
fn labels(task: &Task, name: &str, declared: &api::ContainerDefinition) -> BTreeMap<String, String> {
    let mut labels = declared.docker_labels.clone().unwrap_or_default();
    let own = [
        ("cluster", task.cluster.clone()),
        ("container-name", name.to_owned()),
        ("task-arn", task.arn()),
        ("task-definition-family", task.family.clone()),
        ("task-definition-version", task.revision.to_string()),
    ];
    labels.extend(own.map(|(label, value)| (format!("com.amazonaws.ecs.{label}"), value)));
    labels
}

fn mount(mount: &api::MountPoint) -> Option<MountSpec> {
    Some(MountSpec {
        volume: mount.source_volume.clone()?,
        container_path: mount.container_path.clone()?,
        read_only: mount.read_only == Some(true),
    })
}

fn volumes_from(from: &api::VolumeFrom) -> Option<VolumesFrom> {
    Some(VolumesFrom { container: from.source_container.clone()?, read_only: from.read_only == Some(true) })
}

/// Only a bridge maps ports: elsewhere a container's port is the host's, or that of the task's own address.
fn port(definition: &api::TaskDefinition, mapping: &api::PortMapping) -> Option<PortSpec> {
    let is_bridge = matches!(definition.network_mode, None | Some(api::NetworkMode::Bridge));
    let (container_port, container_port_end) = match (&mapping.container_port_range, mapping.container_port) {
        (Some(range), _) => port_range(range)?,
        (None, single) => (port_number(single?)?, port_number(single?)?),
    };
    let host_port = if is_bridge { mapping.host_port.and_then(port_number).unwrap_or(0) } else { container_port };
    let protocol = match mapping.protocol {
        Some(api::TransportProtocol::Udp) => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    Some(PortSpec { container_port, host_port, protocol, container_port_end })
}

fn port_range(range: &str) -> Option<(u16, u16)> {
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

fn port_number(port: i32) -> Option<u16> {
    u16::try_from(port).ok()
}

fn log(task: &Task, definition: &api::TaskDefinition, declared: &api::ContainerDefinition) -> LogSpec {
    let Some(log) = &declared.log_configuration else { return LogSpec::default() };
    let mut options = log.options.clone().unwrap_or_default();
    options.extend(references::secret_options(definition, declared));
    let mut spec = LogSpec { driver: log.log_driver.as_ref().map(|driver| driver.to_string()).unwrap_or_default(), options };
    if task.logs_block && spec.is_shipped() {
        spec.options.entry("mode".to_owned()).or_insert_with(|| "blocking".to_owned());
    }
    spec
}

fn natural(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

/// An empty list says nothing, as for AWS.
fn some(list: Option<Vec<String>>) -> Option<Vec<String>> {
    list.filter(|list| !list.is_empty())
}

fn text(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}
