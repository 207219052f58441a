//! What is told of a container instance: the registration, the agent's connection, and what is left of the node.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html

use super::{Kind, Subject, iso, tell};
use crate::cluster;
use crate::container_instance::{ContainerInstance, view};
use crate::node::{Ledger, Node};
use api_ecs as api;
use kernel::Call;
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::{Image, Tx};
use workload::NodeFacts;

/// All but what differs from one event to the next in any case.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    agent_connected: bool,
    attributes: Vec<api::Attribute>,
    cluster_arn: String,
    container_instance_arn: String,
    ec2_instance_id: String,
    registered_resources: Vec<api::Resource>,
    remaining_resources: Vec<api::Resource>,
    status: &'static str,
    version_info: api::VersionInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versioned<'a> {
    #[serde(flatten)]
    detail: &'a Detail,
    version: i64,
    updated_at: String,
}

/// `ECS Container Instance State Change`.
pub fn container_instance_state_change(
    call: &mut Call,
    tx: &mut Tx,
    instance: &ContainerInstance,
    detail: &Detail,
    version: i64,
) {
    let resource = instance.arn();
    let subject = Subject { kind: Kind::ContainerInstance, scope: &instance.scope, cluster: &instance.cluster, resource };
    let updated_at = iso(call.now);
    tell(call, tx, subject, &Versioned { detail, version, updated_at });
}

impl Detail {
    pub fn of(instance: &ContainerInstance, image: &Image) -> Detail {
        let node = image.get::<Node>(&instance.node);
        let (nothing, unused) = (NodeFacts::default(), Ledger::default());
        let facts = node.map_or(&nothing, |node| &node.facts);
        let ledger = image.get::<Ledger>(&instance.node).unwrap_or(&unused);
        Detail {
            agent_connected: node.is_some_and(|node| node.connected),
            attributes: view::all_attributes(instance, facts),
            cluster_arn: cluster::arn(&instance.scope, &instance.cluster),
            container_instance_arn: instance.arn(),
            ec2_instance_id: instance.node.clone(),
            registered_resources: without_zeros(view::registered(facts)),
            remaining_resources: without_zeros(view::remaining(facts, ledger)),
            status: instance.status(),
            version_info: view::version_info(facts),
        }
    }

    /// After it was deregistered.
    pub fn inactive(self) -> Detail {
        Detail { status: "INACTIVE", ..self }
    }

    /// Equal if there is nothing new.
    pub fn digest(&self) -> String {
        let text = serde_json::to_vec(self).expect("details are plain data");
        Sha256::digest(text)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Events have the member of a resource's type only.
fn without_zeros(mut resources: Vec<api::Resource>) -> Vec<api::Resource> {
    for resource in &mut resources {
        (resource.double_value, resource.long_value) = (None, None);
        resource.integer_value.take_if(|_| resource.string_set_value.is_some());
    }
    resources
}
