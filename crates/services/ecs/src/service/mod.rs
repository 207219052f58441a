//! A service: N tasks of a definition kept running, and changed safely. Its record, what it decides (`decide`, `daemon`,
//! `rollout`: pure), and the operations on it, a file each. No loop remembers anything: all there is to know stands in the
//! rows of the service and of its tasks.

mod action;
mod asked;
mod check;
mod choose;
mod create_service;
mod daemon;
mod decide;
pub mod defaults;
mod delete_service;
mod deploy;
mod deployment;
mod emptying;
mod events;
mod members;
mod ops;
mod outcome;
mod pace;
pub mod pin;
mod reach;
mod rebalance;
mod reconcile;
mod refusal;
mod revised;
mod rollout;
mod sentences;
mod situation;
mod standing;
mod start;
mod stop;
mod task_tags;
mod tell;
mod throttle;
mod token;
mod unbuilt;
mod unhealthy;
mod update_service;
mod view;
mod waits;

pub use action::{Action, Ended, Why};
pub use create_service::create_service;
pub use delete_service::delete_service;
pub use deploy::deploy;
pub use deployment::{Deployment, Rollout, Unplaced};
pub use events::{Event, Events};
pub use ops::{describe_services, list_services, list_services_by_namespace};
pub use outcome::threshold;
pub use pace::{Pace, set_healthy_after};
pub use reconcile::Scheduler;
pub use standing::{Standing, standing};
pub use task_tags::tags_of_tasks;
pub use token::Token;
pub use update_service::update_service;
pub use view::{Counts, wanted};

use crate::cluster;
use api_ecs as api;
use base::{Arn, Scope, Time};
use kernel::Call;
use serde::{Deserialize, Serialize};
use store::{Image, Index, Key, Record};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    #[default]
    Active,
    /// Deleted, with tasks left.
    Draining,
    /// Deleted; told of for an hour.
    Inactive,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "ACTIVE",
            Status::Draining => "DRAINING",
            Status::Inactive => "INACTIVE",
        }
    }
}

/// One row per service. Writers: the operations write `spec`, `tags` and `status`, and begin deployments; the scheduler
/// (`reconcile`) writes everything else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    pub scope: Scope,
    /// The cluster's name.
    pub cluster: String,
    pub name: String,
    /// What was asked for, updates merged in; `taskDefinition` is the full ARN. Without cluster, name, tags and token.
    pub spec: api::CreateServiceRequest,
    pub tags: Vec<api::Tag>,
    pub status: Status,
    pub created_at: Time,
    pub created_by: Option<String>,
    /// With which it was made: the same request again is answered with it.
    #[serde(default)]
    pub token: Option<Token>,
    /// The PRIMARY one first, then older ones that have tasks, or may be rolled back to.
    pub deployments: Vec<Deployment>,
    /// What it said last of a trouble that is not over.
    pub complaint: Option<Complaint>,
    /// How many tasks were stopped for their health with nobody started in their place yet.
    #[serde(default)]
    pub unhealthy_gone: usize,
    /// Since when it has been in a steady state, and when that was last said.
    pub steady_since: Option<Time>,
    pub steady_said_at: Option<Time>,
    /// When it became INACTIVE.
    pub ended_at: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Complaint {
    /// The sentence, or of a placement the `RESOURCE:CPU` behind it: which instance came closest is another each time.
    pub cause: String,
    pub said_at: Time,
}

impl Service {
    /// As nobody has done anything for it yet.
    pub fn new(call: &Call, cluster: &str, name: &str, spec: api::CreateServiceRequest) -> Service {
        Service {
            scope: call.scope.clone(),
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            spec,
            tags: Vec::new(),
            status: Status::Active,
            created_at: call.now,
            created_by: Some(call.caller.arn.clone()),
            token: None,
            deployments: Vec::new(),
            complaint: None,
            unhealthy_gone: 0,
            steady_since: None,
            steady_said_at: None,
            ended_at: None,
        }
    }

    pub fn arn(&self) -> String {
        arn(&self.scope, &self.cluster, &self.name)
    }

    pub fn cluster_arn(&self) -> String {
        cluster::arn(&self.scope, &self.cluster)
    }

    /// Under which its tasks are indexed, and its key.
    pub fn path(&self) -> String {
        format!("{}/{}/{}", self.scope, self.cluster, self.name)
    }

    /// Of the tasks it starts.
    pub fn group(&self) -> String {
        format!("service:{}", self.name)
    }

    pub fn is_daemon(&self) -> bool {
        self.spec.scheduling_strategy == Some(api::SchedulingStrategy::Daemon)
    }

    /// Kept evenly over the zones there are, also those that come late.
    pub fn is_rebalanced(&self) -> bool {
        !self.is_daemon() && self.spec.availability_zone_rebalancing == Some(api::AvailabilityZoneRebalancing::Enabled)
    }

    /// None once it is being deleted.
    pub fn desired_count(&self) -> usize {
        let desired = self.spec.desired_count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        if self.status == Status::Active { desired } else { 0 }
    }

    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.first()
    }

    pub fn is_unplaced(&self) -> bool {
        self.deployments.iter().any(|deployment| deployment.unplaced.is_some())
    }

    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }

    /// Of a trouble that is not over, and not so long ago that it were to be said again.
    pub fn has_said(&self, cause: &str, now: Time) -> bool {
        let complaint = self.complaint.as_ref().filter(|complaint| complaint.cause == cause);
        complaint.is_some_and(|complaint| complaint.said_at + events::REPEAT_AFTER > now)
    }
}

pub fn arn(scope: &Scope, cluster: &str, name: &str) -> String {
    Arn::new(scope, "ecs", format!("service/{cluster}/{name}")).to_string()
}

pub fn key(scope: &Scope, cluster: &str, name: &str) -> Key {
    Key::new(format!("{scope}/{cluster}/{name}"))
}

/// The service of a cluster that `given`, a name or an ARN, means, whatever its status.
pub fn find<'a>(image: &'a Image, cluster: &cluster::Cluster, given: &str) -> Result<Option<&'a Service>, api::Error> {
    let name = crate::arn::in_cluster(&cluster.scope, "service", &cluster.name, given)?;
    Ok(image.get(key(&cluster.scope, &cluster.name, name).as_str()))
}

/// By which services that wait for a place are found when there may be one.
pub const UNPLACED: &str = "unplaced";

/// By which the services of a cluster are counted that are not gone.
const OF_CLUSTER: &str = "cluster";

impl Record for Service {
    const TABLE: &'static str = "ecs/service";

    fn key(&self) -> Key {
        key(&self.scope, &self.cluster, &self.name)
    }

    fn indexes(&self, index: &mut Index) {
        if self.status != Status::Inactive {
            index.add(OF_CLUSTER, format_args!("{}/{}", self.scope, self.cluster));
        }
        if self.is_unplaced() {
            index.add(UNPLACED, "");
        }
        if self.is_rebalanced() {
            index.add("rebalanced", format!("{}/{}", self.scope, self.cluster));
        }
        if self.is_daemon() {
            index.add("daemon", format!("{}/{}", self.scope, self.cluster));
        }
    }
}

#[cfg(test)]
mod tests;
