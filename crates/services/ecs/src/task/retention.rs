//! Stopped tasks stay visible for a while, then their rows go, each at its own time.

use super::Task;
use base::Time;
use base::limits::STOPPED_TASK_RETENTION_SECONDS;
use kernel::{Call, Plan, Reconciler};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::{Change, Image, Key, Record, Tx};

/// How long, if not an hour. One row; written at start by whoever knows the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetentionPeriod {
    pub seconds: u64,
}

impl Record for RetentionPeriod {
    const TABLE: &'static str = "ecs/stopped-task-retention";

    fn key(&self) -> Key {
        Key::new("")
    }
}

pub fn set_stopped_task_retention(tx: &mut Tx, period: Duration) {
    let row = RetentionPeriod { seconds: period.as_secs() };
    if tx.get::<RetentionPeriod>("") != Some(&row) {
        tx.put(row);
    }
}

fn period(image: &Image) -> Duration {
    Duration::from_secs(image.get::<RetentionPeriod>("").map_or(STOPPED_TASK_RETENTION_SECONDS, |row| row.seconds))
}

pub struct Retention;

#[derive(Debug, PartialEq)]
pub struct Forget;

impl Reconciler for Retention {
    const NAME: &'static str = "ecs/task-retention";
    type Action = Forget;

    fn keys(image: &Image) -> Vec<Key> {
        image.keyed::<Task>().filter(|(_, task)| task.is_stopped()).map(|(key, _)| key.clone()).collect()
    }

    fn concerns(image: &Image, change: &Change) -> Vec<Key> {
        match change.table {
            Task::TABLE if image.get::<Task>(change.key.as_str()).is_some_and(Task::is_stopped) => vec![change.key.clone()],
            RetentionPeriod::TABLE => Retention::keys(image),
            _ => Vec::new(),
        }
    }

    fn decide(image: &Image, key: &Key, now: Time) -> Plan<Forget> {
        let stopped = image.get::<Task>(key.as_str()).filter(|task| task.is_stopped());
        match stopped.and_then(|task| task.stop_recorded_at).map(|at| at + period(image)) {
            Some(until) if until <= now => Plan::act(vec![Forget]),
            Some(until) => Plan::wait(until),
            None => Plan::rest(),
        }
    }

    fn apply(_call: &mut Call, tx: &mut Tx, key: &Key, _action: Forget) {
        tx.delete::<Task>(key.as_str());
    }
}
