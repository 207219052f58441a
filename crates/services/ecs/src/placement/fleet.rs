//! The candidates there are, from rows. A row is looked at when placement asks for it: a task without a strategy needs to see
//! a few of thousands.

use super::candidate::Counted;
use super::{Candidate, Request, Rule};
use crate::capacity_provider::{self, CapacityProvider};
use crate::cluster::Cluster;
use crate::container_instance::ContainerInstance;
use crate::node::{Ledger, Node};
use crate::task::Last;
use std::sync::LazyLock;
use store::Image;

/// Candidates by index, the same one each time.
pub trait Fleet {
    fn len(&self) -> usize;
    fn candidate(&self, index: usize) -> Candidate<'_>;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Fleet for Vec<Candidate<'_>> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn candidate(&self, index: usize) -> Candidate<'_> {
        self[index]
    }
}

static UNUSED: LazyLock<Ledger> = LazyLock::new(Ledger::default);
static GONE: LazyLock<Node> = LazyLock::new(Node::default);

/// ACTIVE container instances of a cluster, in the order of their ids.
pub struct Instances<'a> {
    image: &'a Image,
    rows: Vec<&'a ContainerInstance>,
    groups: Counted<'a>,
    asks_running: bool,
}

/// All of them, or those of one of the cluster's capacity providers.
pub fn instances<'a>(
    image: &'a Image,
    cluster: &Cluster,
    provider: Option<&CapacityProvider>,
    request: &Request,
) -> Instances<'a> {
    let prefix = format!("{}/{}/", cluster.scope, cluster.name);
    let is_one = |instance: &&ContainerInstance| {
        !instance.draining && provider.is_none_or(|provider| capacity_provider::has(provider, instance))
    };
    let rows = image.prefix::<ContainerInstance>(&prefix).filter(is_one).collect();
    let asks = |rule: &Rule| matches!(rule, Rule::MemberOf(expression) if expression.looks_at_running_tasks());
    let groups = Counted::new(image, &request.group_key);
    Instances { image, rows, groups, asks_running: request.rules.iter().any(asks) }
}

impl Fleet for Instances<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn candidate(&self, index: usize) -> Candidate<'_> {
        let running_tasks = if self.asks_running { running_tasks(self.image, self.rows[index]) } else { 0 };
        Candidate { running_tasks, groups: &self.groups, ..candidate(self.image, self.rows[index]) }
    }
}

/// One instance, whatever its state. One whose node is unknown is as good as disconnected.
pub fn candidate<'a>(image: &'a Image, instance: &'a ContainerInstance) -> Candidate<'a> {
    let node = image.get::<Node>(&instance.node).unwrap_or(&GONE);
    Candidate { instance: Some(instance), ..of_node(image, node) }
}

/// Connected nodes, any of which could take a FARGATE task: such tasks know no container instance.
pub struct Nodes<'a> {
    image: &'a Image,
    rows: Vec<&'a Node>,
    groups: Counted<'a>,
}

pub fn nodes<'a>(image: &'a Image, request: &Request) -> Nodes<'a> {
    let rows = image.scan::<Node>().filter(|node| node.connected).collect();
    Nodes { image, rows, groups: Counted::new(image, &request.group_key) }
}

impl Fleet for Nodes<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn candidate(&self, index: usize) -> Candidate<'_> {
        Candidate { groups: &self.groups, ..of_node(self.image, self.rows[index]) }
    }
}

/// Connected or not.
pub fn every_node(image: &Image) -> Vec<Candidate<'_>> {
    image.scan::<Node>().map(|node| of_node(image, node)).collect()
}

fn of_node<'a>(image: &'a Image, node: &'a Node) -> Candidate<'a> {
    Candidate { node, ledger: ledger(image, node), groups: image, instance: None, running_tasks: 0 }
}

fn ledger<'a>(image: &'a Image, node: &Node) -> &'a Ledger {
    image.get::<Ledger>(&node.facts.id).unwrap_or(&UNUSED)
}

pub fn running_tasks(image: &Image, instance: &ContainerInstance) -> u32 {
    instance.tasks(image).filter(|task| task.last == Last::Running).count() as u32
}
