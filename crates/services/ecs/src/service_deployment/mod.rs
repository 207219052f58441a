//! A service deployment: one change of a service, from its beginning to its success, its end, or the way back. Kept 90 days,
//! or as long as the service.

mod ops;
mod supersede;
mod view;

pub use ops::*;
pub use supersede::{settle, supersede};

use api_ecs as api;
use base::{Arn, Scope, Time};
use serde::{Deserialize, Serialize};
use store::{Key, Record};

/// Written by `service::deploy` and the scheduler and by StopServiceDeployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceDeployment {
    pub scope: Scope,
    pub cluster: String,
    pub service: String,
    /// 21 letters and digits.
    pub id: String,
    /// The `ecs-svc/` digits of the deployment that it brings.
    pub deployment: String,
    /// Ids of service revisions.
    pub sources: Vec<String>,
    pub target: String,
    pub status: api::ServiceDeploymentStatus,
    pub reason: Option<String>,
    pub configuration: Option<api::DeploymentConfiguration>,
    pub created_at: Time,
    pub updated_at: Time,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub stopped_at: Option<Time>,
    pub rollback: Option<api::Rollback>,
    /// As last counted against the threshold of then.
    pub failure_count: u32,
    pub threshold: Option<u32>,
    /// What StopServiceDeployment asked for and the scheduler has not done yet.
    pub stop: Option<api::StopServiceDeploymentStopType>,
}

impl ServiceDeployment {
    pub fn arn(&self) -> String {
        arn(&self.scope, &self.cluster, &self.service, &self.id)
    }

    pub fn is_over(&self) -> bool {
        use api::ServiceDeploymentStatus::{RollbackFailed, RollbackSuccessful, Stopped, Successful};
        matches!(self.status, Successful | Stopped | RollbackSuccessful | RollbackFailed)
    }
}

pub fn arn(scope: &Scope, cluster: &str, service: &str, id: &str) -> String {
    Arn::new(scope, "ecs", format!("service-deployment/{cluster}/{service}/{id}")).to_string()
}

pub fn key(scope: &Scope, cluster: &str, service: &str, id: &str) -> Key {
    Key::new(format!("{scope}/{cluster}/{service}/{id}"))
}

impl Record for ServiceDeployment {
    const TABLE: &'static str = "ecs/service-deployment";

    fn key(&self) -> Key {
        key(&self.scope, &self.cluster, &self.service, &self.id)
    }
}
