//! What a node says becomes rows. A report repeats everything the node has, so a task it says nothing new of costs no write.

use super::{Task, put, state};
use kernel::Call;
use std::collections::BTreeMap;
use store::{Revision, Tx};
use workload::{NodeId, Report, TaskStatus};

pub fn report(call: &mut Call, tx: &mut Tx, node: &NodeId, report: &Report) {
    let said: BTreeMap<&str, &TaskStatus> = report.tasks.iter().map(|status| (status.id.as_str(), status)).collect();
    let changed: Vec<Task> = tx
        .by::<Task>("node", node)
        .filter_map(|task| match said.get(task.id.as_str()) {
            Some(status) if **status == task.status => None,
            Some(status) => {
                let mut task = task.clone();
                state::observe(&mut task, status, call.now).then_some(task)
            }
            None if was_told(task, report.seen) => {
                let mut task = task.clone();
                state::lose(&mut task, call.now);
                Some(task)
            }
            None => None,
        })
        .collect();
    keep(call, tx, changed);
}

/// Everything that was there ended with the host.
pub fn lose_host(call: &mut Call, tx: &mut Tx, node: &NodeId, reason: &str) {
    let mut lost: Vec<Task> = tx.by::<Task>("node", node).cloned().collect();
    lost.iter_mut().for_each(|task| state::lose_host(task, reason, call.now));
    keep(call, tx, lost);
}

fn keep(call: &mut Call, tx: &mut Tx, changed: Vec<Task>) {
    changed.into_iter().for_each(|task| put(call, tx, task));
}

/// A set that the node has seen contained the task.
fn was_told(task: &Task, seen: Revision) -> bool {
    task.placed_after.is_some_and(|placed_after| seen > placed_after)
}
