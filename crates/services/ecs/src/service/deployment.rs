//! One revision of a service on its way into the fleet, or out of it: an entry of DescribeServices' `deployments`.

use super::Service;
use crate::service_deployment;
use api_ecs as api;
use base::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Key;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rollout {
    #[default]
    InProgress,
    Completed,
    Failed,
}

impl Rollout {
    pub fn state(self) -> api::DeploymentRolloutState {
        match self {
            Rollout::InProgress => api::DeploymentRolloutState::InProgress,
            Rollout::Completed => api::DeploymentRolloutState::Completed,
            Rollout::Failed => api::DeploymentRolloutState::Failed,
        }
    }
}

/// Written by `deploy` and by the scheduler. Gone with its last task, once another one is complete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// 19 digits; AWS shows `ecs-svc/` before them.
    pub id: String,
    /// The service revision's id, and the ARN of its task definition.
    pub revision: String,
    pub task_definition: String,
    /// The id of the service deployment (of DescribeServiceDeployments) that brought it.
    pub service_deployment: String,
    pub rollout: Rollout,
    pub reason: String,
    pub created_at: Time,
    pub updated_at: Time,
    /// Tasks that failed since the last one became healthy: `failedTasks`, and what the circuit breaker counts.
    pub failed_tasks: u32,
    /// How many tasks there were to be when another deployment took its place: no more of it are brought back.
    pub desired: u32,
    /// The latest moment at which a task of it became healthy.
    pub healthy_at: Option<Time>,
    /// How often in a row starting was followed by failure, and until when nothing is started therefore.
    pub setbacks: u32,
    pub throttled_until: Option<Time>,
    /// The last tasks that were to start have no place; none once all have one. Operations that change what is to be
    /// placed forget it.
    pub unplaced: Option<Unplaced>,
    /// By container: the image digest that the first task resolved, which all later ones run (version consistency). None
    /// before that.
    pub digests: Option<BTreeMap<String, String>>,
}

/// No place was found, and none will be before capacity grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unplaced {
    pub at: Time,
    /// `node::Freed` as it was then.
    pub freed: u64,
}

impl Deployment {
    /// Of the service deployment that brought it.
    pub fn change_key(&self, service: &Service) -> Key {
        service_deployment::key(&service.scope, &service.cluster, &service.name, &self.service_deployment)
    }

    /// `ecs-svc/1234567890123456789`, which is also its tasks' `startedBy`.
    pub fn name(&self) -> String {
        format!("ecs-svc/{}", self.id)
    }
}
