//! What the engine knows of a task. Written by `apply` (what happened), `settle` (what follows from it) and `begin` (what is
//! in flight); read by everything else. Serialised, it is the node's memory of the task: what is skipped there is either
//! observed again after a restart or was in flight and is lost.

use super::event::{Attachment, Exit};
use super::health::Pulse;
use super::memory::Marks;
use base::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use workload::{ContainerSpec, Desired, Image, StopCause, TaskPhase, TaskSpec};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    pub spec: Arc<TaskSpec>,
    /// The plane assigns it no longer: it is stopped and then forgotten.
    pub orphan: bool,
    /// Only forward.
    pub phase: TaskPhase,
    /// Set once: from then on the task only ends.
    pub cause: Option<StopCause>,
    /// Beside `spec.containers`, in its order.
    pub containers: Vec<Container>,
    pub pull_started_at: Option<Time>,
    pub pull_stopped_at: Option<Time>,
    pub started_at: Option<Time>,
    pub stopping_at: Option<Time>,
    pub execution_stopped_at: Option<Time>,
    pub stopped_at: Option<Time>,
    #[serde(skip)]
    pub sandbox: Step,
    #[serde(skip)]
    pub volumes: Step,
    /// Of what containers refer to; what was fetched is lost with the process that did it.
    #[serde(skip)]
    pub fetch: Step,
    /// By attachment id; all that this task may hold.
    pub networks: BTreeMap<String, Network>,
    #[serde(skip)]
    pub close: Step,
    #[serde(skip)]
    pub remembered: Marks,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    pub life: Life,
    pub image: Option<Arc<Image>>,
    /// Of the run that is or was last, as are the next three.
    pub runtime_id: Option<String>,
    pub started_at: Option<Time>,
    pub stopped_at: Option<Time>,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    pub restart_count: u32,
    pub pulse: Pulse,
    pub signalled_at: Option<Time>,
    #[serde(skip)]
    pub killed_at: Option<Time>,
    #[serde(skip)]
    pub pull: Step,
    #[serde(skip)]
    pub removal: Step,
    /// The exit of a run whose start has not been told yet.
    #[serde(skip)]
    pub early_exit: Option<(String, Exit)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    /// To be started when its turn comes: for the first time, or again.
    #[default]
    Waiting,
    Starting,
    Running,
    /// It exited and its restart policy wants it back; the runtime has to forget the last run first.
    Restarting,
    /// For good.
    Ended,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    #[serde(skip)]
    pub attach: Step,
    /// Stays when it is detached: an address is part of what a stopped task was.
    pub attachment: Option<Attachment>,
    #[serde(skip)]
    pub detach: Step,
}

/// How far one idempotent effect is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    #[default]
    Todo,
    Doing,
    Done,
    /// It failed and has to succeed.
    Again(Time),
}

impl Step {
    pub fn due(self, now: Time) -> bool {
        match self {
            Step::Todo => true,
            Step::Again(at) => at <= now,
            Step::Doing | Step::Done => false,
        }
    }

    pub fn retry_at(self) -> Option<Time> {
        match self {
            Step::Again(at) => Some(at),
            _ => None,
        }
    }
}

impl Task {
    /// Its host died: it is over, whatever the plane still says. It is remembered until a set is without it, or a set of
    /// before would start it again.
    pub fn bury(&mut self) {
        Arc::make_mut(&mut self.spec).desired = Desired::Stopped;
    }

    pub fn new(spec: Arc<TaskSpec>) -> Task {
        let containers = spec.containers.iter().map(|_| Container::default()).collect();
        Task { containers, ..Task::default() }.with_spec(spec)
    }

    fn with_spec(mut self, spec: Arc<TaskSpec>) -> Task {
        for plug in super::network::plugs(&spec) {
            self.networks.entry(plug.id).or_default();
        }
        self.volumes = if spec.volumes.is_empty() { Step::Done } else { Step::Todo };
        self.fetch = if spec.containers.iter().any(ContainerSpec::refers) { Step::Todo } else { Step::Done };
        self.spec = spec;
        self
    }

    /// From memory: nothing is in flight, and what may have been is asked for again.
    pub fn awake(mut self) -> Task {
        self.remembered = Marks::of(&self);
        (self.sandbox, self.close) = (Step::Todo, Step::Todo);
        for network in self.networks.values_mut() {
            (network.attach, network.detach) = (Step::Todo, Step::Todo);
        }
        self.containers.iter_mut().for_each(Container::awake);
        self.containers.resize_with(self.spec.containers.len(), Container::default);
        let spec = Arc::clone(&self.spec);
        self.with_spec(spec)
    }

    /// Every container with what its definition says.
    pub fn each(&self) -> impl Iterator<Item = (&ContainerSpec, &Container)> {
        self.spec.containers.iter().zip(&self.containers)
    }

    pub fn index(&self, container: &str) -> Option<usize> {
        self.spec.containers.iter().position(|c| c.name == container)
    }

    pub fn container(&self, name: &str) -> Option<(&ContainerSpec, &Container)> {
        self.each().find(|(spec, _)| spec.name == name)
    }

    pub fn wanted(&self) -> bool {
        self.cause.is_none() && self.spec.desired == Desired::Running && !self.orphan
    }

    pub fn all(&self, life: Life) -> bool {
        self.containers.iter().all(|c| c.life == life)
    }

    pub fn any(&self, life: Life) -> bool {
        self.containers.iter().any(|c| c.life == life)
    }
}

impl Container {
    fn awake(&mut self) {
        if self.life == Life::Starting {
            self.life = Life::Waiting;
        }
        (self.pull, self.removal) = (Step::Todo, Step::Todo);
        (self.killed_at, self.early_exit) = (None, None);
        self.pulse.awake();
    }

    pub fn has_started(&self) -> bool {
        self.started_at.is_some()
    }

    /// It has had its chance: it ran, or it never will.
    pub fn has_begun(&self) -> bool {
        self.has_started() || self.life == Life::Ended
    }

    /// Ends without having run (this time).
    pub fn fail(&mut self, reason: String) {
        self.life = Life::Ended;
        self.reason = Some(reason);
    }
}
