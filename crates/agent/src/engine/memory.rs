//! What of a task is durable. Decisions are remembered before anything follows from them, so that an agent that comes back
//! never takes one again differently; facts, which would only be a loss, are remembered behind the effects they came with.

use super::state::{Container, Life, Task};
use base::Time;
use workload::{Desired, Health, StopCause, TaskPhase};

/// How a task was when it was last remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    pub decisions: Option<Decisions>,
    pub facts: Vec<Fact>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Decisions {
    desired: Desired,
    orphan: bool,
    cause: Option<StopCause>,
    stopped: bool,
    /// Of each container: it ended for good, and how often it was sent back.
    ends: Vec<(bool, u32)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    running: Option<String>,
    image: bool,
    health: Health,
    signalled_at: Option<Time>,
}

impl Marks {
    pub fn of(task: &Task) -> Marks {
        Marks { decisions: decisions(task), facts: facts(task) }
    }
}

fn decisions(task: &Task) -> Option<Decisions> {
    Some(Decisions {
        desired: task.spec.desired,
        orphan: task.orphan,
        cause: task.cause.clone(),
        stopped: task.phase == TaskPhase::Stopped,
        ends: task.containers.iter().map(|c| (c.life == Life::Ended, c.restart_count)).collect(),
    })
}

fn facts(task: &Task) -> Vec<Fact> {
    let fact = |c: &Container| Fact {
        running: c.runtime_id.clone().filter(|_| c.life == Life::Running),
        image: c.image.is_some(),
        health: c.pulse.status,
        signalled_at: c.signalled_at,
    };
    task.containers.iter().map(fact).collect()
}

/// The task as it is to be remembered, if it differs from what is.
pub fn decided(task: &mut Task) -> Option<Task> {
    let decisions = decisions(task);
    let new = decisions != task.remembered.decisions;
    new.then(|| remember(task))
}

pub fn learned(task: &mut Task) -> Option<Task> {
    let new = facts(task) != task.remembered.facts;
    new.then(|| remember(task))
}

fn remember(task: &mut Task) -> Task {
    task.remembered = Marks::of(task);
    task.clone()
}
