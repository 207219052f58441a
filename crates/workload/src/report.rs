//! Node -> plane: what each task and container is, as observed. A report is level, not edge: sending it twice is harmless.

use crate::spec::{Protocol, TaskId};
use base::Time;
use serde::{Deserialize, Serialize};

/// Everything the node has, as of having obeyed generation `seen`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub seen: u64,
    pub tasks: Vec<TaskStatus>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaskPhase {
    #[default]
    Pending,
    /// Pulling, plumbing and starting.
    Activating,
    Running,
    Stopping,
    Stopped,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ContainerPhase {
    #[default]
    Pending,
    Running,
    Stopped,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Health {
    Healthy,
    #[default]
    Unknown,
    Unhealthy,
}

/// Why a task stopped, as the node knows it (a StopTask's reason stays in the plane).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCause {
    /// The plane desired it.
    Asked,
    EssentialContainerExited,
    /// The task never got to RUNNING; the text is the task's stoppedReason, e.g. `CannotPullContainerError: …`.
    FailedToStart(String),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskStatus {
    pub id: TaskId,
    pub phase: TaskPhase,
    pub cause: Option<StopCause>,
    pub containers: Vec<ContainerStatus>,
    /// The task's one address, when its containers share a network namespace (awsvpc).
    pub address: Option<Address>,
    pub pull_started_at: Option<Time>,
    pub pull_stopped_at: Option<Time>,
    pub started_at: Option<Time>,
    pub stopping_at: Option<Time>,
    pub execution_stopped_at: Option<Time>,
    pub stopped_at: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerStatus {
    pub name: String,
    pub phase: ContainerPhase,
    pub exit_code: Option<i32>,
    /// `CannotStartContainerError: …`, `OutOfMemoryError: Container killed due to memory usage`, …
    pub reason: Option<String>,
    pub health: Health,
    pub health_since: Option<Time>,
    pub runtime_id: Option<String>,
    pub image_digest: Option<String>,
    pub bindings: Vec<Binding>,
    pub address: Option<Address>,
    pub started_at: Option<Time>,
    pub stopped_at: Option<Time>,
    pub restart_count: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    pub bind_ip: String,
    pub container_port: u16,
    pub host_port: u16,
    pub protocol: Protocol,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub ipv4: String,
    pub mac: String,
    pub gateway: String,
    pub prefix: u8,
}
