//! A capacity provider: where a cluster's capacity comes from. FARGATE and FARGATE_SPOT are everyone's and have no record.
//! Records say truthfully what was asked for; nothing here launches a machine.

mod instances;
mod ops;
#[cfg(test)]
mod tests;

pub use instances::{has, name_of};
pub use ops::*;

use crate::arn;
use api_ecs as api;
use base::{Arn, Scope};
use serde::{Deserialize, Serialize};
use store::{Image, Key, Record};

/// The ones that need no record.
pub const BUILT_IN: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// Written by the capacity provider operations; gone when deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CapacityProvider {
    pub scope: Scope,
    pub name: String,
    pub auto_scaling_group_provider: Option<api::AutoScalingGroupProvider>,
    /// How the last change went: changes happen at once here.
    pub update_status: Option<api::CapacityProviderUpdateStatus>,
    pub tags: Vec<api::Tag>,
}

impl CapacityProvider {
    fn built_in(scope: &Scope, name: &str) -> CapacityProvider {
        CapacityProvider {
            scope: scope.clone(),
            name: name.to_owned(),
            auto_scaling_group_provider: None,
            update_status: None,
            tags: Vec::new(),
        }
    }

    pub fn is_built_in(&self) -> bool {
        BUILT_IN.contains(&self.name.as_str())
    }

    /// By name: what an ARN of one ends with; the name alone will do, as on AWS.
    pub fn auto_scaling_group(&self) -> Option<&str> {
        let given = self.auto_scaling_group_provider.as_ref()?.auto_scaling_group_arn.as_deref()?;
        Some(given.rsplit_once("autoScalingGroupName/").map_or(given, |(_, name)| name))
    }

    pub fn arn(&self) -> String {
        provider_arn(&self.scope, &self.name)
    }

    pub fn view(&self) -> api::CapacityProvider {
        let kind = match self.name.as_str() {
            "FARGATE" => api::CapacityProviderType::Fargate,
            "FARGATE_SPOT" => api::CapacityProviderType::FargateSpot,
            _ => api::CapacityProviderType::Ec2Autoscaling,
        };
        api::CapacityProvider {
            capacity_provider_arn: Some(self.arn()),
            name: Some(self.name.clone()),
            status: Some(api::CapacityProviderStatus::Active),
            auto_scaling_group_provider: self.auto_scaling_group_provider.clone(),
            update_status: self.update_status.clone(),
            tags: Some(self.tags.clone()),
            r#type: Some(kind),
            ..Default::default()
        }
    }
}

/// The provider that a name or an ARN means.
pub fn find(image: &Image, scope: &Scope, given: &str) -> Result<CapacityProvider, api::Error> {
    let name = arn::name(scope, "capacity-provider", given)?;
    if BUILT_IN.contains(&name) {
        return Ok(CapacityProvider::built_in(scope, name));
    }
    let sentence = "The specified capacity provider was not found. Specify a valid name or ARN and try again.";
    image.get::<CapacityProvider>(key(scope, name).as_str()).cloned().ok_or_else(|| api::Error::client(sentence))
}

pub fn provider_arn(scope: &Scope, name: &str) -> String {
    Arn::new(scope, "ecs", format!("capacity-provider/{name}")).to_string()
}

pub fn key(scope: &Scope, name: &str) -> Key {
    Key::new(format!("{scope}/{name}"))
}

impl Record for CapacityProvider {
    const TABLE: &'static str = "ecs/capacity-provider";

    fn key(&self) -> Key {
        key(&self.scope, &self.name)
    }
}
