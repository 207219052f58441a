//! What a service tells nodes and hears from them. A service that runs nothing has none of this.

use crate::Call;
use store::{Change, Image, Key, Tx};
use workload::{Desired, NodeFacts, NodeId, Report, TaskSpec};

/// A row that is given to a node.
pub struct Given {
    pub node: NodeId,
    /// As what it is in the node's set: in none any more once the node is done with it.
    pub desired: Option<Desired>,
}

/// A table of plain functions, as operations are.
#[derive(Clone, Copy)]
pub struct Workloads {
    /// Where a changed row stands in the sets, if it is one for nodes.
    pub given: fn(&Image, &Change) -> Option<Given>,
    /// What the node must have now: row keys with their desired state.
    pub assigned: fn(&Image, &NodeId) -> Vec<(Key, Desired)>,
    /// The row as the node sees it. Pure, and the same for the life of the row but for `desired`.
    pub compile: fn(&Image, &Key) -> Option<TaskSpec>,
    /// Nodes that are said to be connected.
    pub connected: fn(&Image) -> Vec<NodeId>,
    /// A node said hello (again).
    pub joined: fn(&mut Call, &mut Tx, &NodeFacts),
    /// A node's connection is gone.
    pub left: fn(&mut Call, &mut Tx, &NodeId),
    /// A node is known to be dead, with all that it ran.
    pub gone: fn(&mut Call, &mut Tx, &NodeId),
    pub report: fn(&mut Call, &mut Tx, &NodeId, &Report),
}
