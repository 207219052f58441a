//! A node: a host with a ledger of CPU, memory and ports, over all clusters and accounts. Not a container instance, which is
//! a node's registration in one cluster; FARGATE tasks of any cluster draw on the same ledger.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use store::{Key, Record};
use workload::NodeFacts;

/// Written by `joined` and `left`; kept while any container instance names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    pub facts: NodeFacts,
    pub connected: bool,
}

impl Record for Node {
    const TABLE: &'static str = "ecs/node";

    fn key(&self) -> Key {
        Key::new(self.facts.id.as_str())
    }
}

/// What the node's tasks that are not STOPPED have claimed, summed. Its own row, because it changes with every task and the
/// facts do not; written by `ledger::take` and `ledger::release` only, in the transaction that makes or ends the task.
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
