//! The one door to tasks' rows: with the row goes what is new in it, into the task's history and, where its version grew,
//! as an event; and what the task had of its node goes back when it is STOPPED.

use super::{Task, history};
use crate::node::ledger;
use crate::state_events;
use kernel::Call;
use store::{Record, Tx};

pub fn put(call: &mut Call, tx: &mut Tx, task: Task) {
    let before = tx.get_arc::<Task>(task.key().as_str());
    let ends = task.is_stopped() && before.as_ref().is_some_and(|before| !before.is_stopped());
    if ends {
        ledger::release(tx, &task);
    }
    if let Some(before) = &before {
        history::extend(tx, before, &task, call.now);
    }
    if before.is_none_or(|before| before.version < task.version) {
        state_events::task_state_change(call, tx, &task);
    }
    tx.put(task);
}
