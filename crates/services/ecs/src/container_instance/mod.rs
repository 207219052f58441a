//! A container instance: a node's registration in one cluster.

mod ops;
#[cfg(test)]
mod tests;
mod told;
pub mod view;

pub use ops::*;
pub use told::{Telling, Told, forget, put};
pub use view::attributes;

use crate::cluster::Cluster;
use crate::task::Task;
use api_ecs as api;
use base::{Arn, Scope, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Image, Index, Key, Record};
use workload::NodeId;

/// Written by registration and by the instance operations; gone when deregistered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerInstance {
    pub scope: Scope,
    pub cluster: String,
    /// 32 hexadecimal digits.
    pub id: String,
    pub node: NodeId,
    /// That its node says it is of, when it joins; none if it says none.
    #[serde(default)]
    pub auto_scaling_group: Option<String>,
    /// ACTIVE or DRAINING.
    pub draining: bool,
    /// Set by PutAttributes; the node's own come from its facts.
    pub custom_attributes: BTreeMap<String, Option<String>>,
    pub tags: Vec<api::Tag>,
    pub registered_at: Time,
}

impl ContainerInstance {
    pub fn arn(&self) -> String {
        arn(&self.scope, &self.cluster, &self.id)
    }

    pub fn status(&self) -> &'static str {
        if self.draining { "DRAINING" } else { "ACTIVE" }
    }

    /// Those on it that are not STOPPED: not all that its node runs, which may be in several clusters and takes FARGATE tasks.
    pub fn tasks<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = &'a Task> {
        image.by::<Task>("node", &self.node).filter(|task| task.container_instance.as_ref() == Some(&self.id))
    }
}

/// The instance of `cluster` that an id or an ARN means.
pub fn find<'a>(image: &'a Image, cluster: &Cluster, given: &str) -> Result<Option<&'a ContainerInstance>, api::Error> {
    let id = crate::arn::in_cluster(&cluster.scope, "container-instance", &cluster.name, given)?;
    Ok(image.get(key(&cluster.scope, &cluster.name, id).as_str()))
}

pub fn arn(scope: &Scope, cluster: &str, id: &str) -> String {
    Arn::new(scope, "ecs", format!("container-instance/{cluster}/{id}")).to_string()
}

pub fn key(scope: &Scope, cluster: &str, id: &str) -> Key {
    Key::new(format!("{scope}/{cluster}/{id}"))
}

impl Record for ContainerInstance {
    const TABLE: &'static str = "ecs/container-instance";

    fn key(&self) -> Key {
        key(&self.scope, &self.cluster, &self.id)
    }

    fn indexes(&self, index: &mut Index) {
        index.add("node", &self.node);
        if self.draining {
            index.add("draining", format!("{}/{}", self.scope, self.cluster));
        }
    }
}
