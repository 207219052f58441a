//! The candidates there are, from rows.

use super::{Candidate, Request, Rule};
use crate::cluster::Cluster;
use crate::container_instance::ContainerInstance;
use crate::node::{Ledger, Node};
use crate::task::{Last, Task};
use std::sync::LazyLock;
use store::Image;

static UNUSED: LazyLock<Ledger> = LazyLock::new(Ledger::default);

/// The ACTIVE container instances of a cluster, in the order of their ids.
pub fn instances<'a>(image: &'a Image, cluster: &Cluster, request: &Request) -> Vec<Candidate<'a>> {
    let prefix = format!("{}/{}/", cluster.scope, cluster.name);
    let asks_running = request.rules.iter().any(|rule| matches!(rule, Rule::MemberOf(expr) if expr.looks_at_running_tasks()));
    let running = |instance: &ContainerInstance| if asks_running { running_tasks(image, instance) } else { 0 };
    let instances = image.prefix::<ContainerInstance>(&prefix).filter(|instance| !instance.draining);
    instances.filter_map(|instance| Some(Candidate { running_tasks: running(instance), ..candidate(image, instance)? })).collect()
}

/// One instance, whatever its state.
pub fn candidate<'a>(image: &'a Image, instance: &'a ContainerInstance) -> Option<Candidate<'a>> {
    let node = image.get::<Node>(&instance.node)?;
    Some(Candidate { node, ledger: ledger(image, node), instance: Some(instance), running_tasks: 0 })
}

/// Every node that could take a FARGATE task: such tasks know no container instance.
pub fn nodes(image: &Image) -> Vec<Candidate<'_>> {
    let connected = image.scan::<Node>().filter(|node| node.connected);
    connected.map(|node| Candidate { node, ledger: ledger(image, node), instance: None, running_tasks: 0 }).collect()
}

fn ledger<'a>(image: &'a Image, node: &Node) -> &'a Ledger {
    image.get::<Ledger>(&node.facts.id).unwrap_or(&UNUSED)
}

pub fn running_tasks(image: &Image, instance: &ContainerInstance) -> u32 {
    let tasks = image.by::<Task>("container_instance", &instance.id);
    tasks.filter(|task| task.last == Last::Running).count() as u32
}
