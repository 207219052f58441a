//! A task: one run of a task definition. Its record, and the operations on it, a file each.

use api_ecs as api;
use base::{Arn, Scope, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Index, Key, Record};
use workload::{Desired, NodeId, TaskStatus};

/// `lastStatus`, in the order a task goes through it; never backwards.
/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Last {
    #[default]
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

/// One run of a task definition on one node. One row per task, kept an hour after STOPPED.
/// Writers: `run_task` and `start_task` make it; `stop_task` (and later the service scheduler) writes `desired` and the stop
/// members; `report` writes everything that a node observes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub scope: Scope,
    pub id: String,
    /// The cluster's name.
    pub cluster: String,
    /// ARN of the definition's revision.
    pub task_definition: String,
    /// Members of RunTask that DescribeTasks echoes.
    pub overrides: Option<api::TaskOverride>,
    pub network_configuration: Option<api::NetworkConfiguration>,
    pub launch_type: Option<api::LaunchType>,
    pub capacity_provider: Option<String>,
    pub platform_version: Option<String>,
    pub group: String,
    pub started_by: Option<String>,
    pub tags: Vec<api::Tag>,
    pub enable_execute_command: bool,
    /// Task-level numbers after overrides, `None` where neither the definition nor an override says one.
    pub cpu_units: Option<u32>,
    pub memory_mib: Option<u64>,
    /// What the node's ledger gives to this task until it is STOPPED.
    pub claim: Claim,

    /// Where it runs, and the container instance of its cluster there (none for FARGATE).
    pub node: Option<NodeId>,
    pub container_instance: Option<String>,
    pub availability_zone: Option<String>,

    /// Written by the plane only.
    pub desired: Desired,
    /// Written by reports only, forward only.
    pub last: Last,
    /// What the node last said, as it said it.
    pub status: TaskStatus,
    /// `container name -> container ARN id`, drawn when the task is made.
    pub container_ids: BTreeMap<String, String>,
    /// The ENI's id for awsvpc tasks.
    pub attachment_id: Option<String>,

    pub stop_code: Option<api::TaskStopCode>,
    pub stopped_reason: Option<String>,
    pub created_at: Time,
    pub stopping_at: Option<Time>,
    pub stopped_at: Option<Time>,
    /// Grows with every change that emits an event.
    pub version: i64,
}

/// What a task takes from its node's ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub cpu_units: u32,
    pub memory_mib: u64,
    /// Host ports given in the definition; dynamic ones are the node's own business.
    pub ports_tcp: Vec<u16>,
    pub ports_udp: Vec<u16>,
}

impl Task {
    pub fn arn(&self) -> String {
        Arn::new(&self.scope, "ecs", format!("task/{}/{}", self.cluster, self.id)).to_string()
    }

    pub fn is_stopped(&self) -> bool {
        self.last == Last::Stopped
    }

    /// The only door to `last`.
    pub fn advance(&mut self, to: Last) {
        self.last = self.last.max(to);
    }
}

pub fn key(scope: &Scope, cluster: &str, id: &str) -> Key {
    Key::new(format!("{scope}/{cluster}/{id}"))
}

impl Record for Task {
    const TABLE: &'static str = "ecs/task";

    fn key(&self) -> Key {
        key(&self.scope, &self.cluster, &self.id)
    }

    fn indexes(&self, index: &mut Index) {
        if let (Some(node), false) = (&self.node, self.is_stopped()) {
            index.add("node", node);
        }
        if let (Some(instance), false) = (&self.container_instance, self.is_stopped()) {
            index.add("container_instance", instance);
        }
    }
}
