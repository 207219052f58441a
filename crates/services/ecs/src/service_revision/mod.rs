//! A service revision: what a service was at one of its deployments. Immutable but for the image digests that its first
//! task resolves; gone with the service.

mod ops;
pub mod view;

pub use ops::describe_service_revisions;

use api_ecs as api;
use base::{Arn, Scope};
use serde::{Deserialize, Serialize};
use store::{Index, Key, Record};

/// AWS's own shape, as DescribeServiceRevisions answers it. Written by `service::deploy` and the scheduler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceRevision {
    pub scope: Scope,
    pub cluster: String,
    pub service: String,
    /// 19 digits.
    pub id: String,
    pub revision: api::ServiceRevision,
}

pub fn arn(scope: &Scope, cluster: &str, service: &str, id: &str) -> String {
    Arn::new(scope, "ecs", format!("service-revision/{cluster}/{service}/{id}")).to_string()
}

pub fn key(scope: &Scope, cluster: &str, service: &str, id: &str) -> Key {
    Key::new(format!("{scope}/{cluster}/{service}/{id}"))
}

impl Record for ServiceRevision {
    const TABLE: &'static str = "ecs/service-revision";

    fn key(&self) -> Key {
        key(&self.scope, &self.cluster, &self.service, &self.id)
    }

    fn indexes(&self, index: &mut Index) {
        index.add("task_definition", self.revision.task_definition.as_deref().unwrap_or_default());
    }
}
