//! What a node has given away. `take` and `release` are the only writers, each in the transaction that makes or ends a task,
//! so a ledger is at all times the sum over the node's tasks that are not STOPPED, and never more than the node has (one that
//! comes back smaller than it was is given nothing until it fits again).

use super::{Node, freed};
use crate::task::{Claim, Task};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::{Image, Key, Record, Tx};
use workload::NodeFacts;

/// What the node's tasks that are not STOPPED have claimed, summed. Its own row, because it changes with every task and the
/// facts do not. One row per node that ever ran a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    pub node: String,
    pub cpu_units: u32,
    pub memory_mib: u64,
    pub ports_tcp: BTreeSet<u16>,
    pub ports_udp: BTreeSet<u16>,
    pub tasks: u32,
}

impl Record for Ledger {
    const TABLE: &'static str = "ecs/ledger";

    fn key(&self) -> Key {
        Key::new(self.node.as_str())
    }
}

/// A group belongs to a cluster: `account/region/cluster/group`.
pub fn group_key(scope: &base::Scope, cluster: &str, group: &str) -> String {
    format!("{scope}/{cluster}/{group}")
}

/// What a node has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    Cpu,
    Memory,
    Ports,
}

impl Ledger {
    /// Whether one more such claim fits after `already` of them that this ledger does not have yet.
    pub fn check(&self, facts: &NodeFacts, claim: &Claim, already: u32) -> Result<(), Shortage> {
        let times = u64::from(already) + 1;
        if u64::from(self.cpu_units) + times * u64::from(claim.cpu_units) > u64::from(facts.cpu_units) {
            return Err(Shortage::Cpu);
        }
        if self.memory_mib.saturating_add(claim.memory_mib.saturating_mul(times)) > facts.memory_mib {
            return Err(Shortage::Memory);
        }
        let taken_twice = already > 0 && !(claim.ports_tcp.is_empty() && claim.ports_udp.is_empty());
        let tcp = claim.ports_tcp.iter().all(|port| !self.ports_tcp.contains(port) && !facts.reserved_ports.contains(port));
        let udp = claim.ports_udp.iter().all(|port| !self.ports_udp.contains(port) && !facts.reserved_ports_udp.contains(port));
        if tcp && udp && !taken_twice { Ok(()) } else { Err(Shortage::Ports) }
    }

    fn add(&mut self, task: &Task) {
        self.cpu_units += task.claim.cpu_units;
        self.memory_mib += task.claim.memory_mib;
        self.ports_tcp.extend(&task.claim.ports_tcp);
        self.ports_udp.extend(&task.claim.ports_udp);
        self.tasks += 1;
    }

    fn remove(&mut self, task: &Task) {
        let claim = &task.claim;
        let has_ports = claim.ports_tcp.iter().all(|port| self.ports_tcp.remove(port))
            & claim.ports_udp.iter().all(|port| self.ports_udp.remove(port));
        let left = (|| {
            self.cpu_units = self.cpu_units.checked_sub(claim.cpu_units)?;
            self.memory_mib = self.memory_mib.checked_sub(claim.memory_mib)?;
            self.tasks = self.tasks.checked_sub(1)?;
            Some(())
        })();
        assert!(has_ports, "the ports of task {} are in its node's ledger", task.id);
        left.expect("what a task took is in its node's ledger");
    }
}

/// Gives the node's resources to a task that is about to be put on it.
pub fn take(tx: &mut Tx, node: &str, task: &Task) -> Result<(), Shortage> {
    let nothing = NodeFacts::default();
    let facts = tx.get::<Node>(node).map_or(&nothing, |node| &node.facts);
    let mut ledger = of(tx, node);
    ledger.check(facts, &task.claim, 0)?;
    ledger.add(task);
    tx.put(ledger);
    Ok(())
}

/// Gives back what a task had, once it is STOPPED. A task that was never on a node has nothing to give back.
pub fn release(tx: &mut Tx, task: &Task) {
    let Some(node) = &task.node else { return };
    let mut ledger = of(tx, node);
    ledger.remove(task);
    tx.put(ledger);
    freed::note(tx);
}

fn of(image: &Image, node: &str) -> Ledger {
    image.get::<Ledger>(node).cloned().unwrap_or_else(|| Ledger { node: node.to_owned(), ..Ledger::default() })
}

/// The invariant of this module over all rows: what the simulator asks after every step.
pub fn audit(image: &Image) -> Result<(), String> {
    let mut summed: BTreeMap<String, Ledger> = BTreeMap::new();
    for task in image.scan::<Task>().filter(|task| !task.is_stopped()) {
        let Some(node) = &task.node else { continue };
        let ledger = summed.entry(node.clone()).or_insert_with(|| Ledger { node: node.clone(), ..Ledger::default() });
        if let Err(shortage) = image.get::<Node>(node).map_or(Ok(()), |node| ledger.check(&node.facts, &task.claim, 0)) {
            return Err(format!("node {node} is overcommitted: {shortage:?} with task {}", task.id));
        }
        ledger.add(task);
    }
    for ledger in image.scan::<Ledger>() {
        let sum = summed.remove(&ledger.node).unwrap_or_else(|| Ledger { node: ledger.node.clone(), ..Ledger::default() });
        if *ledger != sum {
            return Err(format!("the ledger says {ledger:?}, the tasks sum to {sum:?}"));
        }
    }
    match summed.pop_first() {
        Some((node, sum)) => Err(format!("node {node} has no ledger, its tasks sum to {sum:?}")),
        None => Ok(()),
    }
}
