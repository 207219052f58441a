//! What must be true at every step, and what must be true after calm. Each says what it saw; none knows how it came about.

use crate::host::Host;
use ecs::node::{Node as NodeRow, ledger};
use ecs::task::{Last, Task};
use std::collections::{BTreeMap, BTreeSet};
use store::Image;
use workload::{Desired, NodeId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub oracle: &'static str,
    pub what: String,
}

type Check = Result<(), Violation>;

fn violated(oracle: &'static str, what: impl Into<String>) -> Check {
    Err(Violation { oracle, what: what.into() })
}

/// What the oracles remember between steps.
#[derive(Default)]
pub struct Oracles {
    last: BTreeMap<String, (Last, Desired, Option<NodeId>)>,
}

impl Oracles {
    /// At every step at which the plane is up.
    pub fn at_every_step(&mut self, image: &Image, hosts: &BTreeMap<NodeId, &Host>, acknowledged: &[String]) -> Check {
        ledgers_are_the_sum(image)?;
        hosts_hold_what_they_can(image, hosts)?;
        self.states_move_forward(image)?;
        the_stopped_have_no_container(image, hosts)?;
        nothing_runs_twice(hosts)?;
        what_was_acknowledged_is_there(image, acknowledged)
    }

    fn states_move_forward(&mut self, image: &Image) -> Check {
        for task in image.scan::<Task>() {
            let now = (task.last, task.desired, task.node.clone());
            if let Some(before) = self.last.insert(task.id.clone(), now.clone()) {
                let node_moved = before.2.is_some() && before.2 != now.2;
                if now.0 < before.0 || now.1 < before.1 || node_moved {
                    return violated("states only move forward", format!("task {} went from {before:?} to {now:?}", task.id));
                }
            }
        }
        Ok(())
    }
}

fn ledgers_are_the_sum(image: &Image) -> Check {
    ledger::audit(image).or_else(|what| violated("no node overcommitted: ledgers", what))
}

/// The claims of tasks with a living container, against what the node really has.
fn hosts_hold_what_they_can(image: &Image, hosts: &BTreeMap<NodeId, &Host>) -> Check {
    for (node, host) in hosts {
        let alive: BTreeSet<&str> = host.alive().map(|((task, _), _)| task.as_str()).collect();
        let tasks = image.by::<Task>("node", node).filter(|task| alive.contains(task.id.as_str()));
        let memory: u64 = tasks.map(|task| task.claim.memory_mib).sum();
        if memory > NODE_MEMORY_MIB {
            return violated("no node overcommitted: containers", format!("{node} runs tasks of {memory} MiB"));
        }
    }
    Ok(())
}

/// Every pretended node has this much, whatever it says.
pub const NODE_MEMORY_MIB: u64 = 2048;

fn the_stopped_have_no_container(image: &Image, hosts: &BTreeMap<NodeId, &Host>) -> Check {
    let stopped: BTreeSet<&str> = image.scan::<Task>().filter(|task| task.is_stopped()).map(|task| task.id.as_str()).collect();
    for (node, host) in hosts {
        if let Some(((task, container), _)) = host.alive().find(|((task, _), _)| stopped.contains(task.as_str())) {
            return violated("a STOPPED task has no container", format!("{task}/{container} lives on {node}"));
        }
    }
    Ok(())
}

fn nothing_runs_twice(hosts: &BTreeMap<NodeId, &Host>) -> Check {
    let mut homes: BTreeMap<&str, &NodeId> = BTreeMap::new();
    for (node, host) in hosts {
        if let Some(id) = host.doubled.first() {
            return violated("nothing runs twice", format!("{id:?} was started on {node} while it ran"));
        }
        for task in &host.sandboxes {
            if let Some(other) = homes.insert(task, node) {
                return violated("nothing runs twice", format!("{task} has a sandbox on {other} and on {node}"));
            }
        }
    }
    Ok(())
}

/// Retention is longer than any run, so a row that is gone was lost.
fn what_was_acknowledged_is_there(image: &Image, acknowledged: &[String]) -> Check {
    let there: BTreeSet<String> = image.scan::<Task>().map(Task::arn).collect();
    match acknowledged.iter().find(|arn| !there.contains(*arn)) {
        Some(arn) => violated("every acknowledged task exists", arn.clone()),
        None => Ok(()),
    }
}

/// Nothing was disturbed for long: nothing may be left to do.
pub fn after_calm(image: &Image, hosts: &BTreeMap<NodeId, &Host>) -> Check {
    every_task_is_where_it_is_wanted(image, hosts)?;
    hosts_hold_nothing_else(image, hosts)?;
    every_node_is_connected(image)
}

fn every_task_is_where_it_is_wanted(image: &Image, hosts: &BTreeMap<NodeId, &Host>) -> Check {
    for task in image.scan::<Task>() {
        let settled = match task.desired {
            Desired::Running => matches!(task.last, Last::Running | Last::Stopped),
            Desired::Stopped => task.is_stopped(),
        };
        if !settled {
            return violated("after calm: settled", format!("{} is {:?}, wanted {:?}", task.id, task.last, task.desired));
        }
        let host = task.node.as_ref().and_then(|node| hosts.get(node));
        let alive = host.is_some_and(|host| host.alive().any(|((owner, _), _)| *owner == task.id));
        if alive == task.is_stopped() {
            return violated("after calm: containers", format!("{} is {:?}, with a living container: {alive}", task.id, task.last));
        }
    }
    Ok(())
}

fn hosts_hold_nothing_else(image: &Image, hosts: &BTreeMap<NodeId, &Host>) -> Check {
    for (node, host) in hosts {
        let wanted: BTreeSet<&str> = image.by::<Task>("node", node).map(|task| task.id.as_str()).collect();
        let mut held = host.sandboxes.iter().chain(host.containers.keys().map(|(task, _)| task)).map(String::as_str);
        let attached = host.attachments.keys().map(|id| id.split('.').next().unwrap_or(id));
        if let Some(task) = held.by_ref().chain(attached).find(|task| !wanted.contains(task)) {
            return violated("after calm: nothing left behind", format!("{node} still holds something of {task}"));
        }
    }
    Ok(())
}

fn every_node_is_connected(image: &Image) -> Check {
    match image.scan::<NodeRow>().find(|node| !node.connected) {
        Some(node) => violated("after calm: connected", node.facts.id.clone()),
        None => Ok(()),
    }
}
