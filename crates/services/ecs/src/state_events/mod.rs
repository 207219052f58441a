//! State-change events as EventBridge delivers those of Amazon ECS: an outbox of rows that are written in the transaction
//! of the change itself, so that each event is there exactly once, and in order. Details are rendered when they are
//! written, as what they tell may be another thing a moment later. Nothing here delivers; readers follow the rows.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html

mod container_instance;
mod envelope;
mod retention;
mod service;
mod task;
#[cfg(test)]
mod tests;

pub use container_instance::{Detail as ContainerInstanceDetail, container_instance_state_change};
pub use envelope::{envelope, iso};
pub use retention::OutboxRetention;
pub use service::{Action, Of, ServiceAction, deployment_state_change, service_action};
pub use task::task_state_change;

use base::{Scope, Time};
use kernel::Call;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use store::{Image, Key, Record, Tx};

/// `detail-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Task,
    ContainerInstance,
    ServiceAction,
    Deployment,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Task => "ECS Task State Change",
            Kind::ContainerInstance => "ECS Container Instance State Change",
            Kind::ServiceAction => "ECS Service Action",
            Kind::Deployment => "ECS Deployment State Change",
        }
    }
}

/// One row an event. Written by `tell` only, deleted by `OutboxRetention` only, which keeps the newest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// One more than the event before it has: none is missing between two that follow each other.
    pub sequence: u64,
    pub id: String,
    pub kind: Kind,
    pub scope: Scope,
    /// The cluster's name.
    pub cluster: String,
    pub at: Time,
    /// The ARN of what changed.
    pub resource: String,
    pub detail: Box<RawValue>,
}

impl Record for Event {
    const TABLE: &'static str = "ecs/outbox";
    const VERSION: u32 = 2;

    fn key(&self) -> Key {
        key(self.sequence)
    }

    /// Version 1 had the detail as text.
    fn migrate(_from: u32, mut row: Value) -> Value {
        row["detail"] = row["detail"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        row
    }
}

/// In the order of the sequence.
fn key(sequence: u64) -> Key {
    Key::new(format!("{sequence:020}"))
}

/// What is kept and comes behind `sequence`, oldest first.
pub fn after(image: &Image, sequence: u64) -> impl Iterator<Item = &Event> {
    image.after::<Event>(key(sequence).as_str())
}

/// The newest event's number, zero if there was none yet.
pub fn newest(image: &Image) -> u64 {
    image.last::<Event>().map_or(0, |event| event.sequence)
}

/// What an event is about.
pub struct Subject<'a> {
    pub kind: Kind,
    pub scope: &'a Scope,
    pub cluster: &'a str,
    pub resource: String,
}

/// The only writer of events.
fn tell(call: &mut Call, tx: &mut Tx, subject: Subject<'_>, detail: &impl Serialize) {
    let Subject { kind, scope, cluster, resource } = subject;
    tx.put(Event {
        sequence: newest(tx) + 1,
        id: call.rng.uuid(),
        kind,
        scope: scope.clone(),
        cluster: cluster.to_owned(),
        at: call.now,
        resource,
        detail: to_raw_value(detail).expect("details are plain data"),
    });
}
