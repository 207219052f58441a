//! A cluster: a name under which instances, tasks and services are grouped.

mod ops;
pub mod strategy;
#[cfg(test)]
mod tests;
mod view;

pub use ops::*;

use crate::arn;
use api_ecs as api;
use base::{Arn, Scope};
use serde::{Deserialize, Serialize};
use store::{Image, Index, Key, Record, Tx};

/// The cluster that is meant where none is named.
pub const DEFAULT: &str = "default";

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

    fn new(scope: &Scope, name: &str) -> Cluster {
        Cluster {
            scope: scope.clone(),
            name: name.to_owned(),
            active: true,
            settings: Vec::new(),
            configuration: None,
            capacity_providers: Vec::new(),
            default_capacity_provider_strategy: Vec::new(),
            service_connect_defaults: None,
            tags: Vec::new(),
        }
    }
}

/// The ACTIVE cluster that `given`, a name or an ARN, means; the default one if nothing is given.
pub fn find<'a>(image: &'a Image, scope: &Scope, given: Option<&str>) -> Result<&'a Cluster, api::Error> {
    let given = given.filter(|given| !given.is_empty()).unwrap_or(DEFAULT);
    if !given.starts_with("arn:") && !is_name(given) {
        let sentence = format!("Cluster must match ^[a-zA-Z0-9\\-_]{{1,255}}$, but was {given}");
        return Err(api::Error::invalid_parameter(sentence));
    }
    let name = arn::name(scope, "cluster", given)?;
    match image.get::<Cluster>(key(scope, name).as_str()) {
        Some(cluster) if cluster.active => Ok(cluster),
        Some(_) => Err(api::Error::cluster_not_found("The referenced cluster was inactive.")),
        None => Err(api::Error::cluster_not_found("Cluster not found.")),
    }
}

fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Makes the cluster unless there is an ACTIVE one of that name.
pub fn ensure(tx: &mut Tx, scope: &Scope, name: &str) {
    if !tx.get::<Cluster>(key(scope, name).as_str()).is_some_and(|cluster| cluster.active) {
        tx.put(Cluster::new(scope, name));
    }
}

pub fn arn(scope: &Scope, name: &str) -> String {
    Arn::new(scope, "ecs", format!("cluster/{name}")).to_string()
}

pub fn key(scope: &Scope, name: &str) -> Key {
    Key::new(format!("{scope}/{name}"))
}

/// By which the clusters of an account and region are counted.
const ACTIVE: &str = "active";

impl Record for Cluster {
    const TABLE: &'static str = "ecs/cluster";

    fn key(&self) -> Key {
        key(&self.scope, &self.name)
    }

    fn indexes(&self, index: &mut Index) {
        if self.active {
            index.add(ACTIVE, &self.scope);
        }
    }
}
