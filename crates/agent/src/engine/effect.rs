//! What the engine wants done. The shell performs effects in the order they come and tells the results as events; it starts
//! nothing behind a `Remember` before that is durable, and waits for nothing else.

use super::event::Attachment;
use super::network::Plug;
use super::state::Task;
use base::Time;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use workload::{Image, Report, TaskId, TaskSpec};

#[derive(Clone, Debug)]
pub enum Effect {
    /// Durable before anything that follows is begun.
    Remember {
        generation: u64,
        put: Vec<Task>,
        forget: Vec<TaskId>,
    },
    Open(Arc<TaskSpec>),
    PrepareVolumes(Arc<TaskSpec>),
    /// What its containers only refer to. It is kept by whoever fetches it: no state holds a secret.
    Fetch(Arc<TaskSpec>),
    Attach {
        task: TaskId,
        plug: Plug,
    },
    Pull {
        task: Arc<TaskSpec>,
        container: String,
    },
    Start {
        container: String,
        /// By its restart policy: what it wrote is still there.
        again: bool,
        facts: Facts,
    },
    Signal {
        task: TaskId,
        container: String,
        signal: i32,
    },
    Probe {
        task: TaskId,
        container: String,
        runtime_id: String,
        command: Vec<String>,
        timeout: Duration,
    },
    /// Forget an ended container so that it can be started again.
    Remove {
        task: TaskId,
        container: String,
    },
    Detach {
        task: TaskId,
        id: String,
    },
    /// Sandbox and volumes away, whatever is left of them.
    Close(Arc<TaskSpec>),
    Report(Report),
    /// `Tick` is wanted then. Replaces the last one.
    WakeAt(Time),
}

/// What is known of a task when one of its containers is started.
#[derive(Clone, Debug)]
pub struct Facts {
    pub spec: Arc<TaskSpec>,
    /// By container.
    pub images: BTreeMap<String, Arc<Image>>,
    /// By id, see `network::plug_id`.
    pub attachments: BTreeMap<String, Attachment>,
}

/// What is done to what, for the log: specs hold secrets and are not shown.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Remember { generation, put, forget } => {
                write!(f, "remember {generation}: {} tasks, without {}", put.len(), forget.len())
            }
            Effect::Open(spec) => write!(f, "open {}", spec.id),
            Effect::PrepareVolumes(spec) => write!(f, "prepare volumes {}", spec.id),
            Effect::Fetch(spec) => write!(f, "fetch {}", spec.id),
            Effect::Attach { plug, .. } => write!(f, "attach {}", plug.id),
            Effect::Pull { task, container } => write!(f, "pull {}.{container}", task.id),
            Effect::Start { container, again, facts } => {
                write!(f, "{} {}.{container}", if *again { "restart" } else { "start" }, facts.spec.id)
            }
            Effect::Signal { task, container, signal } => write!(f, "signal {task}.{container} {signal}"),
            Effect::Probe { task, container, .. } => write!(f, "probe {task}.{container}"),
            Effect::Remove { task, container } => write!(f, "remove {task}.{container}"),
            Effect::Detach { id, .. } => write!(f, "detach {id}"),
            Effect::Close(spec) => write!(f, "close {}", spec.id),
            Effect::Report(report) => write!(f, "report {} tasks as of {}", report.tasks.len(), report.seen),
            Effect::WakeAt(at) => write!(f, "wake at {at}"),
        }
    }
}
