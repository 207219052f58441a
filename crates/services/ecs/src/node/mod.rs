//! A node: a host with a ledger of CPU, memory and ports, over all clusters and accounts. Not a container instance, which is
//! a node's registration in one cluster; FARGATE tasks of any cluster draw on the same ledger.

mod connection;
pub mod freed;
mod gone;
pub mod ledger;

pub use connection::{connected, joined, left};
pub use freed::Freed;
pub use gone::{Gone, gone, stopped};
pub use ledger::Ledger;

use serde::{Deserialize, Serialize};
use store::{Key, Record};
use workload::NodeFacts;

/// Written by `joined` and `left`; kept while any container instance names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub facts: NodeFacts,
    pub connected: bool,
}

impl Node {
    /// `x86_64` or `arm64`.
    pub fn cpu_architecture(&self) -> Option<&str> {
        self.facts.attributes.get("ecs.cpu-architecture")?.as_deref()
    }
}

impl Record for Node {
    const TABLE: &'static str = "ecs/node";

    fn key(&self) -> Key {
        Key::new(self.facts.id.as_str())
    }
}
