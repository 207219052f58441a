//! Which whole set each connected node was last sent. Compiles a task once, sends a set only when it differs, and holds
//! nothing that a restart would miss: a node that says hello again is sent everything.

use crate::Workloads;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Change, Image, Key};
use workload::{Assign, Desired, NodeId, TaskSpec};

type Sets = BTreeMap<Key, Arc<TaskSpec>>;

#[derive(Default)]
pub struct Dispatcher {
    sent: BTreeMap<NodeId, Sets>,
}

impl Dispatcher {
    /// The node's set as of `image`, whatever it was sent before.
    pub fn joined(&mut self, workloads: &Workloads, image: &Image, node: &NodeId) -> Assign {
        self.sent.insert(node.clone(), Sets::new());
        self.renew(workloads, image, node);
        self.assign(image, node)
    }

    pub fn left(&mut self, node: &NodeId) {
        self.sent.remove(node);
    }

    /// One set for each connected node whose set `changes` made different.
    pub fn changed(&mut self, workloads: &Workloads, image: &Image, changes: &[Change]) -> Vec<(NodeId, Assign)> {
        let mut nodes: Vec<NodeId> = changes.iter().filter_map(|change| (workloads.concerns)(image, change)).collect();
        nodes.sort();
        nodes.dedup();
        nodes.retain(|node| self.sent.contains_key(node) && self.renew(workloads, image, node));
        nodes.into_iter().map(|node| (node.clone(), self.assign(image, &node))).collect()
    }

    fn assign(&self, image: &Image, node: &NodeId) -> Assign {
        let tasks = self.sent.get(node).map(|sets| sets.values().cloned().collect()).unwrap_or_default();
        Assign { generation: image.revision(), tasks }
    }

    /// Brings the remembered set up to date; `true` if it differs from what it was.
    fn renew(&mut self, workloads: &Workloads, image: &Image, node: &NodeId) -> bool {
        let old = self.sent.remove(node).unwrap_or_default();
        let wanted = (workloads.assigned)(image, node);
        let mut changed = wanted.len() != old.len();
        let mut new = Sets::new();
        for (key, desired) in wanted {
            let known = old.get(&key).filter(|spec| spec.desired == desired).cloned();
            changed |= known.is_none();
            let spec = known.or_else(|| recompiled(workloads, image, &old, &key, desired));
            new.extend(spec.map(|spec| (key, spec)));
        }
        self.sent.insert(node.clone(), new);
        changed
    }
}

fn recompiled(w: &Workloads, image: &Image, old: &Sets, key: &Key, desired: Desired) -> Option<Arc<TaskSpec>> {
    if let Some(spec) = old.get(key) {
        return Some(Arc::new(TaskSpec { desired, ..(**spec).clone() }));
    }
    (w.compile)(image, key).map(|spec| Arc::new(TaskSpec { desired, ..spec }))
}
