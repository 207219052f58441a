//! A task: one run of a task definition. Its record, and the operations on it, a file each.

pub mod assign;
mod bindings;
pub mod capacity;
mod claim;
pub mod compile;
mod describe_tasks;
pub mod explain;
pub mod history;
mod idempotency;
pub mod launch;
mod list_tasks;
pub mod network;
mod overrides;
pub mod placing;
mod protection;
mod put;
pub mod report;
mod retention;
mod run_task;
mod start_task;
mod state;
mod stop_task;
#[cfg(test)]
mod tests;
mod unbuilt;
pub mod view;

pub use claim::Claim;
pub use describe_tasks::describe_tasks;
pub use history::{History, HistoryRetention};
pub use idempotency::{ClientToken, Expiry, sha256};
pub use list_tasks::list_tasks;
pub use protection::{get_task_protection, update_task_protection};
pub use put::put;
pub use retention::{Retention, RetentionPeriod, set_stopped_task_retention};
pub use run_task::run_task;
pub use start_task::start_task;
pub use state::ask_to_stop;
pub use stop_task::stop_task;

use crate::node::ledger;
use crate::task_definition::{self, TaskDefinition};
use crate::{cluster, container_instance};
use api_ecs as api;
use base::{Arn, Scope, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Image, Index, Key, Record, Revision};
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

impl Last {
    pub fn as_str(self) -> &'static str {
        match self {
            Last::Provisioning => "PROVISIONING",
            Last::Pending => "PENDING",
            Last::Activating => "ACTIVATING",
            Last::Running => "RUNNING",
            Last::Deactivating => "DEACTIVATING",
            Last::Stopping => "STOPPING",
            Last::Deprovisioning => "DEPROVISIONING",
            Last::Stopped => "STOPPED",
        }
    }
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
    /// The definition's revision.
    pub family: String,
    pub revision: i32,
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
    /// The store's revision when it was given to that node: whoever has seen a later one has been told of it.
    pub placed_after: Option<Revision>,

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
    pub connectivity_at: Option<Time>,
    pub started_at: Option<Time>,
    pub stopping_at: Option<Time>,
    /// As its node says, which may be long after the fact.
    pub stopped_at: Option<Time>,
    /// When this was learned: from then on it stays visible for a while.
    pub stop_recorded_at: Option<Time>,
    /// Grows with every change that emits an event.
    pub version: i64,
    /// Of which service it is, if the service scheduler started it.
    #[serde(default)]
    pub member: Option<Membership>,
    /// Scale-in and deployments spare it until then.
    #[serde(default)]
    pub protected_until: Option<Time>,
    /// Of containers that say no log driver `mode`: the account's setting when the task was made.
    #[serde(default)]
    pub logs_block: bool,
}

/// A task's place in a service. Written by the service scheduler only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// The service's name, and the id of its deployment.
    pub service: String,
    pub deployment: String,
    /// By container: what its image's tag stands for in this deployment, if that was known when the task was made.
    #[serde(default)]
    pub digests: BTreeMap<String, String>,
    /// Started to even out zones.
    #[serde(default)]
    pub is_extra: bool,
    /// It is unhealthy, and another one was started in its place.
    #[serde(default)]
    pub is_replaced: bool,
    /// The scheduler has drawn its conclusions from the task's end.
    pub is_counted: bool,
}

impl Task {
    pub fn arn(&self) -> String {
        self::arn(&self.scope, &self.cluster, &self.id)
    }

    pub fn cluster_arn(&self) -> String {
        cluster::arn(&self.scope, &self.cluster)
    }

    pub fn task_definition_arn(&self) -> String {
        task_definition::arn(&self.scope, &self.family, self.revision)
    }

    pub fn container_instance_arn(&self) -> Option<String> {
        Some(container_instance::arn(&self.scope, &self.cluster, self.container_instance.as_ref()?))
    }

    pub fn container_arn(&self, name: &str) -> Option<String> {
        let id = self.container_ids.get(name)?;
        Some(Arn::new(&self.scope, "ecs", format!("container/{}/{}/{id}", self.cluster, self.id)).to_string())
    }

    /// The path of the service it belongs to.
    pub fn service_path(&self) -> Option<String> {
        Some(format!("{}/{}/{}", self.scope, self.cluster, self.member.as_ref()?.service))
    }

    pub fn is_protected(&self, now: Time) -> bool {
        self.protected_until.is_some_and(|until| until > now)
    }

    /// Under which placement counts it.
    pub fn group_key(&self) -> String {
        ledger::group_key(&self.scope, &self.cluster, &self.group)
    }

    /// What it is a run of. Revisions are kept while a task names them.
    pub fn definition<'a>(&self, image: &'a Image) -> Option<&'a TaskDefinition> {
        image.get(task_definition::key(&self.scope, &self.family, self.revision).as_str())
    }

    pub fn is_stopped(&self) -> bool {
        self.last == Last::Stopped
    }

    /// The only door to `last`.
    pub fn advance(&mut self, to: Last) {
        self.last = self.last.max(to);
    }
}

/// The task of a cluster that `given`, an id or an ARN, means.
pub fn find<'a>(image: &'a Image, cluster: &cluster::Cluster, given: &str) -> Result<Option<&'a Task>, api::Error> {
    let id = crate::arn::in_cluster(&cluster.scope, "task", &cluster.name, given)?;
    Ok(image.get(key(&cluster.scope, &cluster.name, id).as_str()))
}

/// Whether somebody who wrote down one end of an id means this one. Tasks of one minute begin alike: with the time.
pub fn is_meant(id: &str, given: &str) -> bool {
    id.starts_with(given) || id.ends_with(given)
}

pub fn arn(scope: &Scope, cluster: &str, id: &str) -> String {
    Arn::new(scope, "ecs", format!("task/{cluster}/{id}")).to_string()
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
            index.add("group", self.group_key());
        }
        let is_open = self.member.as_ref().is_some_and(|member| !(self.is_stopped() && member.is_counted));
        if let (Some(service), true) = (self.service_path(), is_open) {
            index.add("service", service);
        }
    }
}
