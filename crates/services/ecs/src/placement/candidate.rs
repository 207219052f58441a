//! An instance as placement sees it: borrowed rows and what may be asked about them.

use super::Request;
use super::constraint::Facts;
use crate::container_instance::ContainerInstance;
use crate::node::{Ledger, Node};
use base::Time;
use std::ops::Bound;

#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    pub node: &'a Node,
    pub ledger: &'a Ledger,
    /// The node's registration in the cluster; FARGATE tasks do without one.
    pub instance: Option<&'a ContainerInstance>,
    /// RUNNING tasks of the cluster on it; counted only where an expression asks.
    pub running_tasks: u32,
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
        self.ledger.tasks_of_group(&request.group_key)
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
        let theirs =
            self.candidate.ledger.groups.range::<str, _>((Bound::Included(cluster), Bound::Unbounded)).map(|(key, _)| key);
        let mut theirs = theirs.take_while(|key| key.starts_with(cluster));
        theirs.any(|key| is_such(&key[cluster.len()..]))
    }
}

/// `account/region/cluster/` and the group, which may contain anything.
fn split(group_key: &str) -> Option<(&str, &str)> {
    let (last, _) = group_key.match_indices('/').nth(2)?;
    Some(group_key.split_at(last + 1))
}
