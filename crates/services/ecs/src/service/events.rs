//! What a service has said of itself, in the words of `sentences`: newest first, a hundred kept, none twice in a row before its cause
//! is over. A row of its own, because it changes when nothing else does.

use super::Service;
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
