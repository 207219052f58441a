//! A cluster: a name under which instances, tasks and services are grouped.

use api_ecs as api;
use base::{Arn, Scope};
use serde::{Deserialize, Serialize};
use store::{Key, Record};

/// Written by the cluster operations. Deleted ones stay, INACTIVE, until their name is made again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cluster {
    pub scope: Scope,
    pub name: String,
    /// ACTIVE or INACTIVE; the other states of the model belong to provisioning that happens at once here.
    pub active: bool,
    pub settings: Vec<api::ClusterSetting>,
    pub configuration: Option<api::ClusterConfiguration>,
    pub capacity_providers: Vec<String>,
    pub default_capacity_provider_strategy: Vec<api::CapacityProviderStrategyItem>,
    pub service_connect_defaults: Option<api::ClusterServiceConnectDefaults>,
    pub tags: Vec<api::Tag>,
}

impl Cluster {
    pub fn arn(&self) -> String {
        arn(&self.scope, &self.name)
    }
}

pub fn arn(scope: &Scope, name: &str) -> String {
    Arn::new(scope, "ecs", format!("cluster/{name}")).to_string()
}

pub fn key(scope: &Scope, name: &str) -> Key {
    Key::new(format!("{scope}/{name}"))
}

impl Record for Cluster {
    const TABLE: &'static str = "ecs/cluster";

    fn key(&self) -> Key {
        key(&self.scope, &self.name)
    }
}
