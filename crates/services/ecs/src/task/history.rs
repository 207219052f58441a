//! A task's own history: every change of its state, of its containers' and of its desired status, each with its time and
//! its cause, kept for a week after the task's end. Derived from what a write changes in the task's row, in the same
//! transaction; nothing reads it to decide.

use super::{Task, is_meant};
use base::limits::{TASK_HISTORY_ENTRIES, TASK_HISTORY_RETENTION_SECONDS};
use base::{Scope, Time};
use kernel::{Call, Plan, Reconciler};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;
use store::{Change, Image, Key, Record, Tx};
use workload::{ContainerPhase, ContainerStatus, Desired, Health, TaskPhase};

/// Of a task that restarts containers without end, the beginning stays and the newest is there.
const FIRST_KEPT: usize = 16;
const _: () = assert!(FIRST_KEPT < TASK_HISTORY_ENTRIES);

/// One row per task that something has happened to since it was made, under its key. Written by `extend` only, deleted by
/// `HistoryRetention` only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    pub scope: Scope,
    pub cluster: String,
    pub id: String,
    pub family: String,
    pub revision: i32,
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// How many stood behind the first ones and had to go.
    pub left_out: u64,
    /// When the task's end was learned.
    pub ended_at: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When it happened, as whoever saw it says.
    pub at: Time,
    /// A container's name; none for the task itself.
    pub container: Option<String>,
    pub state: String,
    pub cause: Option<String>,
}

impl Record for History {
    const TABLE: &'static str = "ecs/task-history";

    fn key(&self) -> Key {
        super::key(&self.scope, &self.cluster, &self.id)
    }
}

/// Those of an account's tasks that `id` may mean, of all that are known.
pub fn find<'a>(image: &'a Image, account: &'a str, id: &'a str) -> impl Iterator<Item = Cow<'a, History>> {
    let kept = image.scan::<History>().map(Cow::Borrowed);
    let has_none = |task: &&Task| image.get::<History>(task.key().as_str()).is_none();
    let made = image.scan::<Task>().filter(move |task| is_meant(&task.id, id)).filter(has_none).map(History::of).map(Cow::Owned);
    kept.chain(made).filter(move |history| history.scope.account == account && is_meant(&history.id, id))
}

/// What is new in the task's row.
pub fn extend(tx: &mut Tx, before: &Task, task: &Task, now: Time) {
    let entries = entries(before, task, now);
    if !entries.is_empty() {
        let key = task.key();
        let mut history = tx.get::<History>(key.as_str()).cloned().unwrap_or_else(|| History::of(before));
        history.extend(entries);
        history.ended_at = task.stop_recorded_at;
        tx.put(history);
    }
}

impl History {
    /// That it was made is all that has happened to it.
    pub fn of(task: &Task) -> History {
        History {
            scope: task.scope.clone(),
            cluster: task.cluster.clone(),
            id: task.id.clone(),
            family: task.family.clone(),
            revision: task.revision,
            entries: vec![of_task(task.created_at, task.last.as_str(), Some(made(task)))],
            left_out: 0,
            ended_at: None,
        }
    }

    fn extend(&mut self, entries: Vec<Entry>) {
        self.entries.extend(entries);
        let excess = self.entries.len().saturating_sub(TASK_HISTORY_ENTRIES);
        if excess > 0 {
            self.entries.drain(FIRST_KEPT..FIRST_KEPT + excess);
            self.left_out += excess as u64;
        }
        // There are as many histories as tasks, and most of them are short.
        self.entries.shrink_to_fit();
    }
}

/// What has changed, in the order in which it happened where that is known. Pure.
fn entries(before: &Task, task: &Task, now: Time) -> Vec<Entry> {
    let mut entries: Vec<Entry> = containers(before, task, now);
    let mut cause = why(task).filter(|cause| why(before).as_ref() != Some(cause));
    if before.desired != task.desired && task.desired == Desired::Stopped {
        entries.push(of_task(task.stopping_at.unwrap_or(now), "STOPPED is desired", cause.take()));
    }
    if before.last != task.last {
        entries.push(of_task(time(task, now), task.last.as_str(), cause));
    }
    // By time alone: what is said first of a moment came first.
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn of_task(at: Time, state: &str, cause: Option<String>) -> Entry {
    Entry { at, container: None, state: state.to_owned(), cause }
}

fn made(task: &Task) -> String {
    let node = task.node.as_deref().unwrap_or("no node");
    match &task.started_by {
        Some(who) => format!("started by {who}, placed on {node}"),
        None => format!("placed on {node}"),
    }
}

fn why(task: &Task) -> Option<String> {
    let code = task.stop_code.as_ref().map(|code| code.to_string());
    match (code, task.stopped_reason.clone()) {
        (Some(code), Some(reason)) => Some(format!("{code}: {reason}")),
        (code, reason) => code.or(reason),
    }
}

/// The node's own time of what it does, which may be long before it is heard.
fn time(task: &Task, now: Time) -> Time {
    let known = match task.status.phase {
        _ if task.is_stopped() => task.stopped_at,
        TaskPhase::Running => task.started_at,
        TaskPhase::Stopping => task.stopping_at,
        _ => None,
    };
    known.unwrap_or(now)
}

fn containers(before: &Task, task: &Task, now: Time) -> Vec<Entry> {
    let unsaid = ContainerStatus::default();
    let of = |status: &ContainerStatus| {
        let was = before.status.containers.iter().find(|was| was.name == status.name).unwrap_or(&unsaid);
        container(was, status, now)
    };
    task.status.containers.iter().flat_map(of).collect()
}

fn container(was: &ContainerStatus, is: &ContainerStatus, now: Time) -> Vec<Entry> {
    let entry = |at: Option<Time>, state: &str, cause: Option<String>| {
        let container = Some(is.name.clone());
        Entry { at: at.unwrap_or(now), container, state: state.to_owned(), cause }
    };
    let mut entries = Vec::new();
    if was.restart_count < is.restart_count {
        let cause = end(is).map(|end| format!("its last run: {end}"));
        entries.push(entry(is.stopped_at, &format!("RESTARTING for the {} time", ordinal(is.restart_count)), cause));
    }
    if was.phase != is.phase || (was.restart_count < is.restart_count && is.phase == ContainerPhase::Running) {
        entries.push(match is.phase {
            ContainerPhase::Pending => entry(None, "PENDING", None),
            ContainerPhase::Running => entry(is.started_at, "RUNNING", None),
            ContainerPhase::Stopped => entry(is.stopped_at, "STOPPED", end(is)),
        });
    }
    if was.health != is.health {
        entries.push(entry(is.health_since, health(is.health), None));
    }
    entries
}

fn end(status: &ContainerStatus) -> Option<String> {
    let code = status.exit_code.map(|code| format!("exit code {code}"));
    match (code, status.reason.clone()) {
        (Some(code), Some(reason)) => Some(format!("{code}: {reason}")),
        (code, reason) => code.or(reason),
    }
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Healthy => "HEALTHY",
        Health::Unknown => "UNKNOWN health",
        Health::Unhealthy => "UNHEALTHY",
    }
}

fn ordinal(count: u32) -> String {
    let suffix = match (count % 10, count % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{count}{suffix}")
}

/// Deletes histories a week after their tasks' ends.
pub struct HistoryRetention;

#[derive(Debug, PartialEq)]
pub struct ForgetHistory;

impl Reconciler for HistoryRetention {
    const NAME: &'static str = "ecs/task-history-retention";
    type Action = ForgetHistory;

    fn keys(image: &Image) -> Vec<Key> {
        image.scan::<History>().filter(|history| history.ended_at.is_some()).map(History::key).collect()
    }

    fn concerns(image: &Image, change: &Change) -> Vec<Key> {
        let ended = |history: &History| history.ended_at.is_some();
        let concerned = change.table == History::TABLE && image.get::<History>(change.key.as_str()).is_some_and(ended);
        concerned.then(|| change.key.clone()).into_iter().collect()
    }

    fn decide(image: &Image, key: &Key, now: Time) -> Plan<ForgetHistory> {
        let retention = Duration::from_secs(TASK_HISTORY_RETENTION_SECONDS);
        match image.get::<History>(key.as_str()).and_then(|history| history.ended_at).map(|at| at + retention) {
            Some(until) if until <= now => Plan::act(vec![ForgetHistory]),
            Some(until) => Plan::wait(until),
            None => Plan::rest(),
        }
    }

    fn apply(_call: &mut Call, tx: &mut Tx, key: &Key, _action: ForgetHistory) {
        tx.delete::<History>(key.as_str());
    }
}

#[cfg(test)]
mod tests;
