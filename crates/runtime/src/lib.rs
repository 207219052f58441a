//! The runtime seam: how a container comes to life on this host. One sandbox per task (a shim process and a cgroup)
//! that outlives the agent; containers inside it. Decides nothing: what to start and when is the engine's business.

pub mod fake;
pub mod logfile;
pub mod memory;
pub mod oci;

use async_trait::async_trait;
use base::Time;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;
use workload::{Image, Secret, TaskId, TaskSpec};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerId {
    pub task: TaskId,
    pub container: String,
}

/// Everything `start` needs, resolved: nothing in here is looked up again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerRun {
    pub id: ContainerId,
    /// 64 hexadecimal digits, as Docker's container ids.
    pub runtime_id: String,
    /// A restart: what the container's last run wrote is there. Otherwise it begins with the image.
    pub again: bool,
    pub task: Arc<TaskSpec>,
    pub image: Image,
    /// `None`: the host's network namespace.
    pub netns: Option<PathBuf>,
    pub binds: Vec<Bind>,
    pub hostname: String,
    /// Contents of /etc/hosts and /etc/resolv.conf; `None` leaves what the image (or, in host mode, the host) has.
    pub hosts: Option<String>,
    pub resolv_conf: Option<String>,
    /// The image's environment is merged underneath.
    pub environment: Vec<(String, String)>,
    /// Over all other variables.
    pub secrets: Vec<(String, Secret)>,
    /// Present in memory only, readable by the container's user only.
    pub files: Vec<PrivateFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateFile {
    pub target: String,
    pub content: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    pub source: PathBuf,
    pub target: String,
    pub read_only: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub pid: i32,
    pub at: Time,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// 0..=255; a signal death is 128 + signal, as Docker says it.
    pub code: i32,
    pub oom_killed: bool,
    pub at: Time,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub id: ContainerId,
    pub runtime_id: String,
    pub started_at: Time,
    /// `None` while it runs.
    pub exit: Option<Exit>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExecSpec {
    pub command: Vec<String>,
    pub timeout: std::time::Duration,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecEnd {
    /// `None`: killed at the timeout.
    pub code: Option<i32>,
    /// The first 4 KiB of stdout and stderr.
    pub output: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RuntimeEvent {
    Exited {
        id: ContainerId,
        runtime_id: String,
        exit: Exit,
    },
    /// A sandbox's shim died: what it held is gone or will be found by `list`.
    SandboxLost {
        task: TaskId,
    },
}

/// What went wrong, in the words Docker uses where ECS users know them: the text becomes a container's `reason`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Shown as `CannotStartContainerError: …`.
    #[error("{0}")]
    Start(String),
    /// Shown as `CannotCreateContainerError: …`.
    #[error("{0}")]
    Create(String),
    #[error("no such container: {0:?}")]
    NoSuchContainer(ContainerId),
    #[error("{context}: {source}")]
    Io { context: String, source: std::io::Error },
    #[error("shim of task {task}: {message}")]
    Shim { task: TaskId, message: String },
}

pub type Result<T> = std::result::Result<T, Error>;

/// Level-oriented: `list` returns everything there is, labelled, so that an agent can always recover.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Every container that runs or ended and was not removed, over all sandboxes; sandboxes without containers too.
    async fn list(&self) -> Result<(Vec<TaskId>, Vec<Observed>)>;
    /// The task's sandbox: its cgroup with the task's limits, its shim, its directory. Idempotent.
    async fn open(&self, task: &Arc<TaskSpec>) -> Result<()>;
    /// Returns once the container's own program has been executed.
    async fn start(&self, run: ContainerRun) -> Result<Started>;
    async fn signal(&self, id: &ContainerId, signal: i32) -> Result<()>;
    async fn exec(&self, id: &ContainerId, exec: ExecSpec) -> Result<ExecEnd>;
    /// Forgets an ended container so that it may be started again (restart policy). Idempotent.
    async fn remove(&self, id: &ContainerId) -> Result<()>;
    /// Kills what is left and removes the sandbox: mounts, cgroups, shim, directory (logs are kept). Idempotent.
    async fn close(&self, task: &TaskId) -> Result<()>;
    /// The container's output is wanted from this byte on: what comes before it may make room for more. A shim that is gone
    /// needs no room.
    async fn logs_taken(&self, id: &ContainerId, upto: u64) -> Result<()>;
    /// Exits as they happen. May be taken once.
    fn events(&self) -> UnboundedReceiver<RuntimeEvent>;
}
