//! The outbox is no archive: it has room for so many events, each for so long. The newest stays, as the next one's number
//! follows from it.

use super::Event;
use base::Time;
use base::limits::{STATE_EVENT_RETENTION_SECONDS, STATE_EVENTS};
use kernel::{Call, Plan, Reconciler};
use std::time::Duration;
use store::{Change, Image, Key, Record, Tx};

/// One key for the whole outbox: what is too old or too many stands at its beginning.
pub struct OutboxRetention;

#[derive(Debug, PartialEq)]
pub struct ForgetOldest {
    pub events: usize,
}

impl Reconciler for OutboxRetention {
    const NAME: &'static str = "ecs/outbox-retention";
    type Action = ForgetOldest;

    fn keys(_image: &Image) -> Vec<Key> {
        vec![Key::new("")]
    }

    fn concerns(_image: &Image, change: &Change) -> Vec<Key> {
        if change.table == Event::TABLE { vec![Key::new("")] } else { Vec::new() }
    }

    fn decide(image: &Image, _key: &Key, now: Time) -> Plan<ForgetOldest> {
        let until = |event: &Event| event.at + Duration::from_secs(STATE_EVENT_RETENTION_SECONDS);
        let count = image.len::<Event>();
        let excess = count.saturating_sub(STATE_EVENTS);
        let old = image.scan::<Event>().skip(excess).take_while(|event| until(event) <= now).count();
        match (excess + old).min(count.saturating_sub(1)) {
            0 if count > 1 => Plan { actions: Vec::new(), wake: image.scan::<Event>().next().map(until) },
            0 => Plan::rest(),
            events => Plan::act(vec![ForgetOldest { events }]),
        }
    }

    fn apply(_call: &mut Call, tx: &mut Tx, _key: &Key, action: ForgetOldest) {
        let oldest: Vec<Key> = tx.scan::<Event>().take(action.events).map(Event::key).collect();
        oldest.iter().for_each(|key| _ = tx.delete::<Event>(key.as_str()));
    }
}
