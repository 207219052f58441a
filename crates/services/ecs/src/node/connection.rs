//! A node comes and goes. Its tasks are not touched by either: what became of them is for its next report to say.

use super::{Node, freed};
use crate::cluster;
use crate::container_instance::{self, ContainerInstance};
use base::Scope;
use kernel::Call;
use std::collections::BTreeMap;
use store::{Image, Tx};
use workload::{NodeFacts, NodeId};

/// The node said hello: its facts are new, its container instance is the one it always had.
pub fn joined(call: &mut Call, tx: &mut Tx, facts: &NodeFacts) {
    let known = tx.get::<Node>(&facts.id);
    if known.is_none_or(|node| !node.connected || node.facts != *facts) {
        tx.put(Node { facts: facts.clone(), connected: true });
        freed::note(tx);
    }
    register(call, tx, facts);
}

pub fn connected(image: &Image) -> Vec<NodeId> {
    image.scan::<Node>().filter(|node| node.connected).map(|node| node.facts.id.clone()).collect()
}

/// Its connection is gone. What it runs goes on running.
pub fn left(_call: &mut Call, tx: &mut Tx, node: &NodeId) {
    if tx.get::<Node>(node).is_some_and(|node| node.connected) {
        tx.update::<Node>(node, |node| node.connected = false);
    }
}

fn register(call: &mut Call, tx: &mut Tx, facts: &NodeFacts) {
    let scope = Scope::new(&facts.account, &facts.region);
    let cluster = facts.cluster.as_deref().unwrap_or(cluster::DEFAULT);
    cluster::ensure(tx, &scope, cluster);
    if let Some(known) = registration(tx, facts, &scope, cluster) {
        if known.auto_scaling_group != facts.auto_scaling_group {
            let renewed = ContainerInstance { auto_scaling_group: facts.auto_scaling_group.clone(), ..known };
            container_instance::put(call, tx, renewed);
        }
        return;
    }
    let instance = ContainerInstance {
        scope,
        cluster: cluster.to_owned(),
        id: call.rng.hex32(),
        node: facts.id.clone(),
        auto_scaling_group: facts.auto_scaling_group.clone(),
        draining: false,
        custom_attributes: BTreeMap::new(),
        tags: Vec::new(),
        registered_at: call.now,
    };
    container_instance::put(call, tx, instance);
}

fn registration(image: &Image, facts: &NodeFacts, scope: &Scope, cluster: &str) -> Option<ContainerInstance> {
    let mut instances = image.by::<ContainerInstance>("node", &facts.id);
    instances.find(|instance| instance.scope == *scope && instance.cluster == cluster).cloned()
}
