//! An instance as placement sees it: borrowed rows and what may be asked about them.

use super::Request;
use super::constraint::Facts;
use crate::container_instance::ContainerInstance;
use crate::node::{Ledger, Node};
use crate::task::Task;
use base::Time;
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

/// What groups the tasks of a node belong to that are not STOPPED: what spread, distinctInstance and task:group ask. Counted by
/// an index over the tasks: a ledger that held them would grow with each service, and be written with each task.
pub trait Groups {
    fn tasks(&self, node: &str, group_key: &str) -> u32;
    /// Whether there is such a group among those of `account/region/cluster/`.
    fn any(&self, node: &str, cluster: &str, is_such: &mut dyn FnMut(&str) -> bool) -> bool;
}

impl Groups for Image {
    fn tasks(&self, node: &str, group_key: &str) -> u32 {
        self.count_by::<Task>("group", format_args!("{node}/{group_key}")) as u32
    }

    fn any(&self, node: &str, cluster: &str, is_such: &mut dyn FnMut(&str) -> bool) -> bool {
        let keys = self.by::<Task>("node", node).map(Task::group_key);
        keys.filter_map(|key| key.strip_prefix(cluster).map(str::to_owned)).any(|group| is_such(&group))
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
