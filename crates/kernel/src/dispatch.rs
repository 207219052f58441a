//! Which whole set each connected node was last sent. Compiles a task once, sends a set only when it differs, and holds
//! nothing that a restart would miss: a node that says hello again is sent everything.

use crate::Workloads;
use crate::workloads::Given;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Change, Image, Key};
use workload::{Assign, Desired, NodeId, TaskSpec};

type Set = BTreeMap<Key, Arc<TaskSpec>>;

#[derive(Default)]
pub struct Dispatcher {
    sent: BTreeMap<NodeId, Set>,
}

impl Dispatcher {
    /// The node's set as of `image`, whatever it was sent before.
    pub fn joined(&mut self, workloads: &Workloads, image: &Image, node: &NodeId) -> Assign {
        let mut set = Set::new();
        for (key, desired) in (workloads.assigned)(image, node) {
            renew(workloads, image, &mut set, &key, Some(desired));
        }
        self.sent.insert(node.clone(), set);
        self.assign(image, node)
    }

    pub fn left(&mut self, node: &NodeId) {
        self.sent.remove(node);
    }

    /// One set for each connected node whose set `changes` made different. A row that is gone was in the set that the image
    /// before says.
    pub fn changed(&mut self, w: &Workloads, before: &Image, image: &Image, changes: &[Change]) -> Vec<(NodeId, Assign)> {
        let mut nodes = BTreeSet::new();
        for change in changes {
            let gone = || (w.given)(before, change).map(|given| Given { desired: None, ..given });
            let Some(Given { node, desired }) = (w.given)(image, change).or_else(gone) else { continue };
            let Some(set) = self.sent.get_mut(&node) else { continue };
            if renew(w, image, set, &change.key, desired) {
                nodes.insert(node);
            }
        }
        nodes.into_iter().map(|node| (node.clone(), self.assign(image, &node))).collect()
    }

    fn assign(&self, image: &Image, node: &NodeId) -> Assign {
        let tasks = self.sent.get(node).map(|set| set.values().cloned().collect()).unwrap_or_default();
        Assign { generation: image.revision(), tasks }
    }
}

/// Brings a set up to date with one row; `true` if it differs from what it was.
fn renew(workloads: &Workloads, image: &Image, set: &mut Set, key: &Key, desired: Option<Desired>) -> bool {
    let known = set.get(key);
    if known.map(|spec| spec.desired) == desired {
        return false;
    }
    let spec = desired.and_then(|desired| match known {
        Some(spec) => Some(TaskSpec { desired, ..(**spec).clone() }),
        None => (workloads.compile)(image, key).map(|spec| TaskSpec { desired, ..spec }),
    });
    match spec {
        Some(spec) => {
            set.insert(key.clone(), Arc::new(spec));
            true
        }
        None => set.remove(key).is_some(),
    }
}
