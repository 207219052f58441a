//! Plane -> node: the whole set of tasks one node must have, numbered.

use base::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The id of a node (a host with a ledger), not of a container instance (its registration in a cluster).
pub type NodeId = String;
/// 32 hexadecimal digits, unique over all clusters.
pub type TaskId = String;

/// Everything `node` must run, complete, as of store revision `generation`. Older generations are refused by the node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assign {
    pub generation: u64,
    pub tasks: Vec<Arc<TaskSpec>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Desired {
    #[default]
    Running,
    Stopped,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkMode {
    #[default]
    Bridge,
    Host,
    None,
    Awsvpc,
}

/// Where a pid or IPC namespace comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sharing {
    /// Each container has its own (the default).
    #[default]
    Private,
    Task,
    Host,
}

/// One run of a task definition, compiled. Everything but `desired` is immutable for the life of the task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskSpec {
    pub id: TaskId,
    pub arn: String,
    pub cluster: String,
    pub cluster_arn: String,
    pub region: String,
    pub family: String,
    pub revision: u32,
    pub group: String,
    pub launch_type: String,
    pub availability_zone: String,
    pub desired: Desired,
    pub network_mode: NetworkMode,
    /// Task-level limits: CPU units (1024 = one core) and MiB. The task is one cgroup with these.
    pub cpu_units: Option<u32>,
    pub memory_mib: Option<u64>,
    pub pid_mode: Sharing,
    pub ipc_mode: Sharing,
    pub ephemeral_storage_gib: Option<u32>,
    /// The ARN of the role whose temporary credentials its containers may ask for.
    pub task_role: Option<String>,
    pub volumes: Vec<VolumeSpec>,
    /// In the order of the definition.
    pub containers: Vec<ContainerSpec>,
    pub created_at: Time,
}

impl ContainerSpec {
    /// Whether something of it has to be fetched before it can start.
    pub fn refers(&self) -> bool {
        let lists = [self.environment_files.is_empty(), self.secrets.is_empty(), self.files.is_empty()];
        let configured = self.firelens.as_ref().is_some_and(|firelens| matches!(firelens.config_file, Some(FirelensFile::S3(_))));
        self.registry_credentials.is_some() || lists.contains(&false) || configured
    }
}

impl TaskSpec {
    pub fn container(&self, name: &str) -> Option<&ContainerSpec> {
        self.containers.iter().find(|c| c.name == name)
    }

    /// What the stock agent would have called a container; its last part is a random number there.
    pub fn docker_name(&self, container: &str, runtime_id: &str) -> String {
        let digits = runtime_id.get(runtime_id.len().saturating_sub(20)..).unwrap_or_default();
        format!("ecs-{}-{}-{container}-{digits}", self.family, self.revision)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerSpec {
    pub name: String,
    pub arn: String,
    /// As written in the definition; the node resolves it.
    pub image: String,
    /// What the user and password of its registry are kept under, as `SecretSpec::value_from`.
    pub registry_credentials: Option<String>,
    pub essential: bool,
    pub depends_on: Vec<Dependency>,
    pub start_timeout_s: Option<u32>,
    pub stop_timeout_s: Option<u32>,
    pub restart: Option<RestartPolicy>,
    pub health_check: Option<HealthCheck>,
    /// `None`: the image's own.
    pub entry_point: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    pub environment: BTreeMap<String, String>,
    /// ARNs of objects with further variables, which the ones above come before.
    pub environment_files: Vec<String>,
    /// Variables whose values are fetched by the node, over all others.
    pub secrets: Vec<SecretSpec>,
    pub files: Vec<FileSpec>,
    pub user: Option<String>,
    pub working_directory: Option<String>,
    pub hostname: Option<String>,
    pub domainname: Option<String>,
    pub dns_servers: Vec<String>,
    pub dns_search_domains: Vec<String>,
    pub extra_hosts: Vec<(String, String)>,
    /// `container` or `container:alias`, bridge mode only.
    pub links: Vec<String>,
    pub disable_networking: bool,
    pub interactive: bool,
    pub pseudo_terminal: bool,
    pub readonly_root: bool,
    pub privileged: bool,
    pub no_new_privileges: bool,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub init_process: bool,
    pub devices: Vec<DeviceSpec>,
    pub shm_size_mib: Option<u64>,
    pub tmpfs: Vec<TmpfsSpec>,
    pub max_swap_mib: Option<i64>,
    pub swappiness: Option<u32>,
    pub sysctls: BTreeMap<String, String>,
    pub ulimits: Vec<Ulimit>,
    pub labels: BTreeMap<String, String>,
    pub security_options: Vec<String>,
    /// CPU shares (0: the smallest the kernel takes), hard limit and soft limit in MiB.
    pub cpu_shares: u32,
    pub memory_mib: Option<u64>,
    pub memory_reservation_mib: Option<u64>,
    pub mounts: Vec<MountSpec>,
    pub volumes_from: Vec<VolumesFrom>,
    pub ports: Vec<PortSpec>,
    pub log: LogSpec,
    /// This is the task's log router.
    pub firelens: Option<FirelensSpec>,
}

/// A value by reference: it is fetched by the node and never stands here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretSpec {
    pub name: String,
    pub value_from: String,
}

/// A file of the container's own that is in memory only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    pub container_path: String,
    pub content: FileContent,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileContent {
    Text(String),
    /// As `SecretSpec::value_from`.
    Secret(String),
}

/// A value that is never printed. Text is all it is when it is sent: whoever writes it anywhere must have a reason.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Never printed: `Debug` shows the user only.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RegistryAuth {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RegistryAuth({}, …)", self.username)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    Start,
    Complete,
    Success,
    Healthy,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    pub container: String,
    pub condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    pub ignored_exit_codes: Vec<i32>,
    pub attempt_period_s: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Ready to execute: `CMD-SHELL x` has become `/bin/sh -c x`.
    pub command: Vec<String>,
    pub interval_s: u32,
    pub timeout_s: u32,
    pub retries: u32,
    pub start_period_s: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSpec {
    pub host_path: String,
    pub container_path: String,
    pub read: bool,
    pub write: bool,
    pub mknod: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmpfsSpec {
    pub container_path: String,
    pub size_mib: u64,
    pub options: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// As in the API: `nofile`, `core`, …
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSpec {
    pub volume: String,
    pub container_path: String,
    pub read_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    pub container: String,
    pub read_only: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeSpec {
    pub name: String,
    pub source: VolumeSource,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VolumeSource {
    /// Empty at task start, gone with the task.
    Task,
    /// A path of the host; created when missing, as Docker does.
    Host {
        path: String,
    },
    /// A Docker volume: task-scoped or shared and kept.
    Docker {
        name: String,
        shared: bool,
        autoprovision: bool,
        driver: String,
        options: BTreeMap<String, String>,
        labels: BTreeMap<String, String>,
    },
    Efs {
        file_system: String,
        root: String,
        options: BTreeMap<String, String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    Tcp,
    Udp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortSpec {
    pub container_port: u16,
    /// 0: the node picks one from its dynamic range and reports it.
    pub host_port: u16,
    pub protocol: Protocol,
    /// Last port of a `containerPortRange`; equals `container_port` for a single port.
    pub container_port_end: u16,
}

/// How the node configures a log router, to which containers with the driver `awsfirelens` send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirelensSpec {
    pub kind: FirelensKind,
    /// `enable-ecs-log-metadata`: cluster, task and definition are added to every line.
    pub ecs_metadata: bool,
    pub config_file: Option<FirelensFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirelensKind {
    Fluentd,
    Fluentbit,
}

/// A file of the user's own that the generated one includes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirelensFile {
    /// In the router's image or volumes.
    Path(String),
    /// The ARN of an object.
    S3(String),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSpec {
    /// `json-file`, `awslogs`, `none`, `awsfirelens`; empty means json-file.
    pub driver: String,
    pub options: BTreeMap<String, String>,
}

impl LogSpec {
    /// Lines are read from the file and sent on, so the file says how much came before it.
    pub fn is_shipped(&self) -> bool {
        matches!(self.driver.as_str(), "awslogs" | "awsfirelens")
    }

    /// Whoever writes waits for whoever reads: no line is lost. Not blocking has been ECS's default since June 2025.
    pub fn is_blocking(&self) -> bool {
        self.options.get("mode").is_some_and(|mode| mode == "blocking")
    }
}
