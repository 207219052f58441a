//! What a container reads of itself and of its task: documents in the shape of the stock agent's, members in its order. Pure.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html

use super::route::Version;
use base::Time;
use serde::Serialize;
use serde_json::{Number, Value};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use workload::{
    Address, ContainerPhase, ContainerSpec, ContainerStatus, Desired, Health, NetworkMode, Protocol, TaskPhase, TaskSpec,
    TaskStatus, VolumeSource,
};

/// The kernel's smallest CPU shares, which the stock agent shows for containers that ask for none.
const SMALLEST_CPU: u32 = 2;
const UNITS_PER_VCPU: f64 = 1024.0;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Task {
    cluster: String,
    #[serde(rename = "TaskARN")]
    task_arn: String,
    family: String,
    revision: String,
    desired_status: &'static str,
    known_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Limits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_stopped_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_stopped_at: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    availability_zone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    launch_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub task_tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub container_instance_tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Failure>,
    containers: Vec<Container>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault_injection_enabled: Option<bool>,
}

/// A part of the document that could not be had.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failure {
    pub error_field: &'static str,
    pub error_code: String,
    pub error_message: String,
    pub status_code: u16,
    #[serde(rename = "ResourceARN")]
    pub resource_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    docker_id: String,
    name: String,
    docker_name: String,
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<Port>,
    labels: BTreeMap<String, String>,
    desired_status: &'static str,
    known_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    limits: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Pulse>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_driver: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    log_options: BTreeMap<String, String>,
    #[serde(rename = "ContainerARN", skip_serializing_if = "Option::is_none")]
    container_arn: Option<String>,
    networks: Vec<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_count: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Port {
    container_port: u16,
    protocol: &'static str,
    host_port: u16,
    host_ip: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Limits {
    #[serde(rename = "CPU", skip_serializing_if = "Option::is_none")]
    cpu: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pulse {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_since: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    #[serde(skip_serializing_if = "Option::is_none")]
    docker_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    destination: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    network_mode: &'static str,
    #[serde(rename = "IPv4Addresses")]
    ipv4_addresses: Vec<String>,
    #[serde(flatten)]
    interface: Option<Interface>,
}

/// Of an awsvpc task, in version 4.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Interface {
    attachment_index: u32,
    #[serde(rename = "MACAddress")]
    mac_address: String,
    #[serde(rename = "IPv4SubnetCIDRBlock")]
    subnet: String,
    #[serde(rename = "PrivateDNSName")]
    private_dns_name: String,
    #[serde(rename = "SubnetGatewayIpv4Address")]
    gateway: String,
}

/// Containers that were never made are not in it, as Docker would not know them.
pub fn task(version: Version, spec: &TaskSpec, status: &TaskStatus) -> Task {
    let is_v4 = version == Version::V4;
    let made = spec.containers.iter().zip(&status.containers).filter(|(_, container)| container.runtime_id.is_some());
    Task {
        // Fargate says the ARN, the agent of a container instance what it was told to join.
        cluster: if spec.launch_type == "FARGATE" { spec.cluster_arn.clone() } else { spec.cluster.clone() },
        task_arn: spec.arn.clone(),
        family: spec.family.clone(),
        revision: spec.revision.to_string(),
        desired_status: desired(spec, status),
        known_status: known(status.phase),
        limits: task_limits(spec),
        pull_started_at: status.pull_started_at.map(time),
        pull_stopped_at: status.pull_stopped_at.map(time),
        execution_stopped_at: status.execution_stopped_at.map(time),
        availability_zone: spec.availability_zone.clone(),
        launch_type: Some(spec.launch_type.clone()).filter(|launch_type| is_v4 && !launch_type.is_empty()),
        task_tags: BTreeMap::new(),
        container_instance_tags: BTreeMap::new(),
        errors: vec![],
        containers: made.map(|(declared, seen)| container(version, spec, status, declared, seen)).collect(),
        service_name: spec.group.strip_prefix("service:").filter(|_| is_v4).map(str::to_owned),
        fault_injection_enabled: is_v4.then_some(false),
    }
}

pub fn container(
    version: Version,
    spec: &TaskSpec,
    status: &TaskStatus,
    declared: &ContainerSpec,
    seen: &ContainerStatus,
) -> Container {
    let is_v4 = version == Version::V4;
    Container {
        docker_id: seen.runtime_id.clone().unwrap_or_default(),
        name: declared.name.clone(),
        docker_name: docker_name(spec, declared, seen),
        image: declared.image.clone(),
        image_id: seen.image_digest.clone().unwrap_or_default(),
        ports: ports(spec, seen),
        labels: declared.labels.clone(),
        desired_status: desired(spec, status),
        known_status: container_known(seen.phase),
        exit_code: seen.exit_code,
        limits: container_limits(declared),
        // To create and to start is one act here.
        created_at: seen.started_at.map(time),
        started_at: seen.started_at.map(time),
        finished_at: seen.stopped_at.map(time),
        r#type: "NORMAL",
        health: declared.health_check.is_some().then(|| pulse(seen)),
        volumes: volumes(spec, declared),
        log_driver: is_v4.then(|| log_driver(declared)),
        log_options: if is_v4 { log_options(spec, declared) } else { BTreeMap::new() },
        container_arn: is_v4.then(|| declared.arn.clone()),
        networks: vec![network(version, spec, seen)],
        restart_count: declared.restart.as_ref().filter(|_| is_v4).map(|_| seen.restart_count),
    }
}

/// What Docker would call it. Its hexadecimal digits are drawn; ours are those of the run.
pub fn docker_name(spec: &TaskSpec, declared: &ContainerSpec, seen: &ContainerStatus) -> String {
    spec.docker_name(&declared.name, seen.runtime_id.as_deref().unwrap_or_default())
}

fn desired(spec: &TaskSpec, status: &TaskStatus) -> &'static str {
    let runs = spec.desired == Desired::Running && status.cause.is_none();
    if runs { "RUNNING" } else { "STOPPED" }
}

fn known(phase: TaskPhase) -> &'static str {
    match phase {
        TaskPhase::Pending => "NONE",
        TaskPhase::Activating => "CREATED",
        TaskPhase::Running | TaskPhase::Stopping => "RUNNING",
        TaskPhase::Stopped => "STOPPED",
    }
}

fn container_known(phase: ContainerPhase) -> &'static str {
    match phase {
        ContainerPhase::Pending => "CREATED",
        ContainerPhase::Running => "RUNNING",
        ContainerPhase::Stopped => "STOPPED",
    }
}

fn task_limits(spec: &TaskSpec) -> Option<Limits> {
    let cpu = spec.cpu_units.map(|units| vcpus(f64::from(units) / UNITS_PER_VCPU));
    (cpu.is_some() || spec.memory_mib.is_some()).then_some(Limits { cpu, memory: spec.memory_mib })
}

/// Whole numbers are written without a fraction, as Go does it.
fn vcpus(vcpus: f64) -> Value {
    if vcpus.fract() == 0.0 { Value::from(vcpus as u64) } else { Number::from_f64(vcpus).map_or(Value::Null, Value::Number) }
}

fn container_limits(declared: &ContainerSpec) -> Limits {
    Limits { cpu: Some(declared.cpu_shares.max(SMALLEST_CPU).into()), memory: declared.memory_mib }
}

/// Published ones: in the other modes Docker publishes nothing.
fn ports(spec: &TaskSpec, seen: &ContainerStatus) -> Vec<Port> {
    let published = seen.bindings.iter().filter(|_| spec.network_mode == NetworkMode::Bridge);
    let port = |binding: &workload::Binding| Port {
        container_port: binding.container_port,
        protocol: match binding.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        },
        host_port: binding.host_port,
        host_ip: binding.bind_ip.clone(),
    };
    published.map(port).collect()
}

fn pulse(seen: &ContainerStatus) -> Pulse {
    let status = match seen.health {
        Health::Healthy => "HEALTHY",
        Health::Unhealthy => "UNHEALTHY",
        Health::Unknown => "UNKNOWN",
    };
    Pulse { status, status_since: seen.health_since.map(time) }
}

fn volumes(spec: &TaskSpec, declared: &ContainerSpec) -> Vec<Volume> {
    let volume = |mount: &workload::MountSpec| {
        let source = spec.volumes.iter().find(|volume| volume.name == mount.volume).map(|volume| &volume.source);
        let (docker_name, source) = match source {
            Some(VolumeSource::Host { path }) => (None, Some(path.clone())),
            Some(VolumeSource::Docker { name, .. }) => (Some(name.clone()), None),
            _ => (Some(mount.volume.clone()), None),
        };
        Volume { docker_name, source, destination: mount.container_path.clone() }
    };
    declared.mounts.iter().map(volume).collect()
}

fn log_driver(declared: &ContainerSpec) -> String {
    if declared.log.driver.is_empty() { "json-file".into() } else { declared.log.driver.clone() }
}

/// Where a prefix is said, the stream is shown that follows from it.
fn log_options(spec: &TaskSpec, declared: &ContainerSpec) -> BTreeMap<String, String> {
    let mut options = declared.log.options.clone();
    if let Some(prefix) = options.remove("awslogs-stream-prefix") {
        options.insert("awslogs-stream".into(), format!("{prefix}/{}/{}", declared.name, spec.id));
    }
    options
}

fn network(version: Version, spec: &TaskSpec, seen: &ContainerStatus) -> Network {
    let network_mode = match spec.network_mode {
        NetworkMode::Bridge => "bridge",
        NetworkMode::Host => "host",
        NetworkMode::None => "none",
        NetworkMode::Awsvpc => "awsvpc",
    };
    let is_interface = version == Version::V4 && spec.network_mode == NetworkMode::Awsvpc;
    let address = seen.address.as_ref();
    Network {
        network_mode,
        ipv4_addresses: vec![address.map(|address| address.ipv4.clone()).unwrap_or_default()],
        interface: address.filter(|_| is_interface).map(|address| interface(spec, address)),
    }
}

fn interface(spec: &TaskSpec, address: &Address) -> Interface {
    let domain = if spec.region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{}.compute.internal", spec.region) };
    Interface {
        attachment_index: 0,
        mac_address: address.mac.clone(),
        subnet: subnet(address),
        private_dns_name: format!("ip-{}.{domain}", address.ipv4.replace('.', "-")),
        gateway: format!("{}/{}", address.gateway, address.prefix),
    }
}

fn subnet(address: &Address) -> String {
    let ipv4: Ipv4Addr = address.ipv4.parse().unwrap_or(Ipv4Addr::UNSPECIFIED);
    let mask = u32::MAX.checked_shl(32 - u32::from(address.prefix.min(32))).unwrap_or(0);
    format!("{}/{}", Ipv4Addr::from_bits(ipv4.to_bits() & mask), address.prefix)
}

pub fn time(time: Time) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map(|at| at.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
