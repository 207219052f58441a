//! What the engine is told: assignments, results of its effects, and what containers do by themselves.

use super::state::Task;
use base::Time;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use workload::{Address, Assign, Binding, Image, TaskId};

/// A failure is the reason that users read: ECS's class name, a colon, what happened.
pub type Outcome<T> = Result<T, String>;

#[derive(Clone, Debug)]
pub enum Event {
    /// The full inventory, once, before anything is done or said.
    Recovered(Inventory),
    Assigned(Assign),
    Opened {
        task: TaskId,
        result: Outcome<()>,
    },
    VolumesReady {
        task: TaskId,
        result: Outcome<()>,
    },
    Fetched {
        task: TaskId,
        result: Outcome<()>,
    },
    Attached {
        task: TaskId,
        id: String,
        result: Outcome<Attachment>,
    },
    Pulled {
        task: TaskId,
        container: String,
        result: Outcome<Image>,
    },
    Started {
        task: TaskId,
        container: String,
        result: Outcome<Run>,
    },
    Exited {
        task: TaskId,
        container: String,
        runtime_id: String,
        exit: Exit,
    },
    Probed {
        task: TaskId,
        container: String,
        runtime_id: String,
        healthy: bool,
    },
    Removed {
        task: TaskId,
        container: String,
        result: Outcome<()>,
    },
    Detached {
        task: TaskId,
        id: String,
        result: Outcome<()>,
    },
    Closed {
        task: TaskId,
        result: Outcome<()>,
    },
    /// Everything the runtime has of one task, asked when there was doubt: its shim died, or it denied a container.
    Observed {
        task: TaskId,
        containers: Vec<Observed>,
    },
    Tick,
}

/// What outlived the last agent: its memory, and what the runtime and the network hold.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pub generation: u64,
    pub tasks: Vec<Task>,
    pub sandboxes: Vec<TaskId>,
    pub containers: Vec<Observed>,
    pub attachments: Vec<(String, Attachment)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub task: TaskId,
    pub container: String,
    pub runtime_id: String,
    pub started_at: Time,
    pub exit: Option<Exit>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub runtime_id: String,
    pub at: Time,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    pub code: i32,
    pub oom_killed: bool,
    pub at: Time,
}

/// A network namespace and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    pub netns: PathBuf,
    pub address: Option<Address>,
    pub bindings: Vec<Binding>,
}
