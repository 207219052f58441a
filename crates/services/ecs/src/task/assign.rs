//! What a node must run, for the dispatcher: the tasks on it that are not STOPPED.

use super::{Task, compile, report};
use crate::node;
use kernel::{Given, Workloads};
use store::{Change, Image, Key, Record};
use workload::{Desired, NodeId, TaskSpec};

pub fn workloads() -> Workloads {
    let (connected, joined, left, gone) = (node::connected, node::joined, node::left, node::stopped);
    Workloads { given, assigned, compile, connected, joined, left, gone, report: report::report }
}

fn given(image: &Image, change: &Change) -> Option<Given> {
    if change.table != Task::TABLE {
        return None;
    }
    let task = image.get::<Task>(change.key.as_str())?;
    Some(Given { node: task.node.clone()?, desired: (!task.is_stopped()).then_some(task.desired) })
}

fn assigned(image: &Image, node: &NodeId) -> Vec<(Key, Desired)> {
    image.by::<Task>("node", node).map(|task| (task.key(), task.desired)).collect()
}

fn compile(image: &Image, key: &Key) -> Option<TaskSpec> {
    let task = image.get::<Task>(key.as_str())?;
    Some(compile::compile(task, &task.definition(image)?.definition))
}
