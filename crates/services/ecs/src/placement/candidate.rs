//! An instance as placement sees it: borrowed rows and what may be asked about them.

use super::Request;
use super::constraint::Facts;
use crate::container_instance::ContainerInstance;
use crate::node::{Ledger, Node};
use crate::task::Task;
use base::Time;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use store::Image;

#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    pub node: &'a Node,
    pub ledger: &'a Ledger,
    pub groups: &'a dyn Groups,
    /// The node's registration in the cluster; FARGATE tasks do without one.
    pub instance: Option<&'a ContainerInstance>,
    /// RUNNING tasks of the cluster on it; counted only where an expression asks.
    pub running_tasks: u32,
}

/// What groups the tasks of a node belong to that are not STOPPED: what spread, distinctInstance and task:group ask. Counted
/// from the tasks: a ledger that held them would grow with each service, and be written with each task.
pub trait Groups {
    fn tasks(&self, node: &str, group_key: &str) -> u32;
    /// Whether there is such a group among those of `account/region/cluster/`.
    fn any(&self, node: &str, cluster: &str, is_such: &mut dyn FnMut(&str) -> bool) -> bool;
}

/// For one node: it looks at all that is there.
impl Groups for Image {
    fn tasks(&self, node: &str, group_key: &str) -> u32 {
        self.by::<Task>("node", node).filter(|task| task.group_key() == group_key).count() as u32
    }

    fn any(&self, node: &str, cluster: &str, is_such: &mut dyn FnMut(&str) -> bool) -> bool {
        let keys = self.by::<Task>("node", node).map(Task::group_key);
        keys.filter_map(|key| key.strip_prefix(cluster).map(str::to_owned)).any(|group| is_such(&group))
    }
}

/// For a fleet: one look at the group's tasks, when the first instance is asked for them.
pub struct Counted<'a> {
    image: &'a Image,
    group_key: String,
    by_node: OnceCell<BTreeMap<&'a str, u32>>,
}

impl<'a> Counted<'a> {
    pub fn new(image: &'a Image, group_key: &str) -> Counted<'a> {
        Counted { image, group_key: group_key.to_owned(), by_node: OnceCell::new() }
    }

    fn count(&self) -> BTreeMap<&'a str, u32> {
        let mut by_node = BTreeMap::new();
        let nodes = self.image.by::<Task>("group", &self.group_key).filter_map(|task| task.node.as_deref());
        nodes.for_each(|node| *by_node.entry(node).or_default() += 1);
        by_node
    }
}

impl Groups for Counted<'_> {
    fn tasks(&self, node: &str, group_key: &str) -> u32 {
        assert_eq!(group_key, self.group_key, "a fleet is asked for the group of its request");
        self.by_node.get_or_init(|| self.count()).get(node).copied().unwrap_or_default()
    }

    fn any(&self, node: &str, cluster: &str, is_such: &mut dyn FnMut(&str) -> bool) -> bool {
        self.image.any(node, cluster, is_such)
    }
}

/// Of one node.
impl Groups for BTreeMap<String, u32> {
    fn tasks(&self, _node: &str, group_key: &str) -> u32 {
        self.get(group_key).copied().unwrap_or_default()
    }

    fn any(&self, _node: &str, cluster: &str, is_such: &mut dyn FnMut(&str) -> bool) -> bool {
        self.keys().filter_map(|key| key.strip_prefix(cluster)).any(is_such)
    }
}

impl Candidate<'_> {
    /// Own attributes of the node first: nobody talks a node into another architecture.
    pub fn attribute(&self, name: &str) -> Option<Option<&str>> {
        let own = self.node.facts.attributes.get(name);
        let custom = || self.instance.and_then(|instance| instance.custom_attributes.get(name));
        let zone = || (name == "ecs.availability-zone").then_some(self.node.facts.availability_zone.as_str());
        own.or_else(custom).map(|value| value.as_deref()).or_else(|| zone().map(Some))
    }

    pub fn group_tasks(&self, request: &Request) -> u32 {
        self.groups.tasks(&self.node.facts.id, &request.group_key)
    }

    /// With `already` tasks of the request on it.
    pub fn facts<'b>(&'b self, request: &'b Request, already: u32) -> impl Facts + 'b {
        WithBatch { candidate: self, group_key: &request.group_key, already }
    }
}

struct WithBatch<'a> {
    candidate: &'a Candidate<'a>,
    group_key: &'a str,
    already: u32,
}

impl Facts for WithBatch<'_> {
    fn agent_connected(&self) -> bool {
        self.candidate.node.connected
    }

    fn agent_version(&self) -> &str {
        &self.candidate.node.facts.agent_version
    }

    fn ec2_instance_id(&self) -> Option<&str> {
        Some(&self.candidate.node.facts.id)
    }

    fn registered_at(&self) -> Time {
        self.candidate.instance.map_or(Time::ZERO, |instance| instance.registered_at)
    }

    fn running_tasks_count(&self) -> u64 {
        self.candidate.running_tasks.into()
    }

    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.candidate.attribute(name)
    }

    fn any_group(&self, is_such: &mut dyn FnMut(&str) -> bool) -> bool {
        let Some((cluster, group)) = split(self.group_key) else { return false };
        if self.already > 0 && is_such(group) {
            return true;
        }
        self.candidate.groups.any(&self.candidate.node.facts.id, cluster, is_such)
    }
}

/// `account/region/cluster/` and the group, which may contain anything.
fn split(group_key: &str) -> Option<(&str, &str)> {
    let (last, _) = group_key.match_indices('/').nth(2)?;
    Some(group_key.split_at(last + 1))
}
