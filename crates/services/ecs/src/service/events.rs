//! What a service says of itself, in ECS's own sentences: newest first, a hundred kept, none twice in a row before its cause
//! is over. A row of its own, because it changes when nothing else does.

use super::rebalance::Zones;
use super::{Deployment, Service};
use base::limits::SERVICE_EVENTS;
use base::{Scope, Time};
use kernel::Call;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::{Key, Record, Tx};

/// After this a sentence is said again though nothing changed.
pub const REPEAT_AFTER: Duration = Duration::from_secs(6 * 3600);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    pub at: Time,
    pub message: String,
}

/// One row per service, under its key. Written by `say` only; deleted with the service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Events {
    pub scope: Scope,
    pub cluster: String,
    pub service: String,
    /// Newest first.
    pub events: Vec<Event>,
}

impl Record for Events {
    const TABLE: &'static str = "ecs/service-events";

    fn key(&self) -> Key {
        super::key(&self.scope, &self.cluster, &self.service)
    }
}

/// Says `(service NAME) sentence`.
pub fn say(call: &mut Call, tx: &mut Tx, service: &Service, sentence: &str) {
    let message = format!("(service {}) {sentence}", service.name);
    let mut row = tx.get::<Events>(service.key().as_str()).cloned().unwrap_or_else(|| Events {
        scope: service.scope.clone(),
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        events: Vec::new(),
    });
    row.events.insert(0, Event { id: call.rng.uuid(), at: call.now, message });
    row.events.truncate(SERVICE_EVENTS);
    tx.put(row);
}

pub const STUCK: &str = "was unable to stop or start tasks during a deployment because of the service deployment configuration. \
     Update the minimumHealthyPercent or maximumPercent value and try again.";

pub fn protected(deployment: &Deployment, count: usize) -> String {
    let name = deployment.name();
    format!(
        "was unable to reach steady state because (taskSet {name}) was unable to scale in due to (reason {count} tasks under \
         protection)"
    )
}

/// Some of them, maybe none, in the place of unhealthy ones.
pub fn started<'a>(ids: impl ExactSizeIterator<Item = &'a str>, replaced: usize) -> String {
    let count = ids.len();
    let started = format!("has started {count} tasks: {}.", tasks(ids));
    match replaced {
        0 => started,
        _ => format!("{started} Amazon ECS replaced {replaced} tasks due to an unhealthy status."),
    }
}

/// `(task a) (task b)`.
pub fn tasks<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    ids.map(|id| format!("(task {id})")).collect::<Vec<_>>().join(" ")
}

/// `is not AZ balanced with 3 tasks in a, 1 tasks in b. AZ Rebalancing in progress.`
pub fn unbalanced(zones: &Zones) -> String {
    format!("{UNBALANCED} {}. AZ Rebalancing in progress.", by_zone(zones))
}

/// How that begins.
pub const UNBALANCED: &str = "is not AZ balanced with";

/// `is AZ balanced with 2 tasks in a, 2 tasks in b.`
pub fn balanced(zones: &Zones) -> String {
    format!("is AZ balanced with {}.", by_zone(zones))
}

fn by_zone(zones: &Zones) -> String {
    zones.iter().map(|(zone, count)| format!("{count} tasks in {zone}")).collect::<Vec<_>>().join(", ")
}
