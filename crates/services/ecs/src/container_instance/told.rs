//! When an instance tells of itself: whenever what it would tell has changed, once a commit. On AWS too every task that comes
//! or goes is such a change, as it changes what is left; of many in one commit only what they come to is told. A row of its
//! own, so that those who wait for another instance are not woken by every task.

use super::{ContainerInstance, key};
use crate::node::{Ledger, Node, freed};
use crate::state_events::{ContainerInstanceDetail, container_instance_state_change};
use base::Scope;
use kernel::{Call, Plan, Reconciler};
use serde::{Deserialize, Serialize};
use store::{Change, Image, Key, Record, Tx};

/// What was last told. One row per instance, under its key; written by `tell` only, gone with the instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    pub scope: Scope,
    pub cluster: String,
    pub id: String,
    /// One more with each event.
    pub version: i64,
    pub digest: String,
}

impl Record for Told {
    const TABLE: &'static str = "ecs/container-instance-told";

    fn key(&self) -> Key {
        key(&self.scope, &self.cluster, &self.id)
    }
}

/// Of an instance that nothing was told of yet: zero.
pub fn version(image: &Image, instance: &ContainerInstance) -> i64 {
    image.get::<Told>(instance.key().as_str()).map_or(0, |told| told.version)
}

/// Writes the instance's row, and tells of it if there is something new to tell.
pub fn put(call: &mut Call, tx: &mut Tx, instance: ContainerInstance) {
    tx.put(instance.clone());
    // It may be a place now that it was not.
    freed::note(tx);
    if let Some(news) = news(tx, &instance) {
        tell(call, tx, &instance, news);
    }
}

/// It is in its cluster no more.
pub fn forget(call: &mut Call, tx: &mut Tx, instance: &ContainerInstance) {
    let version = version(tx, instance) + 1;
    let detail = ContainerInstanceDetail::of(instance, tx).inactive();
    container_instance_state_change(call, tx, instance, &detail, version);
    let key = instance.key();
    tx.delete::<ContainerInstance>(key.as_str());
    tx.delete::<Told>(key.as_str());
}

/// What is to be told, if that is another thing than was told last.
fn news(image: &Image, instance: &ContainerInstance) -> Option<Tell> {
    let detail = ContainerInstanceDetail::of(instance, image);
    let digest = detail.digest();
    let told = image.get::<Told>(instance.key().as_str());
    told.is_none_or(|told| told.digest != digest).then_some(Tell { detail, digest })
}

fn tell(call: &mut Call, tx: &mut Tx, instance: &ContainerInstance, news: Tell) {
    let version = version(tx, instance) + 1;
    let Tell { detail, digest } = news;
    container_instance_state_change(call, tx, instance, &detail, version);
    let ContainerInstance { scope, cluster, id, .. } = instance.clone();
    tx.put(Told { scope, cluster, id, version, digest });
}

/// Tells what changes by way of others: the node's connection and facts, and what its tasks take.
pub struct Telling;

#[derive(Debug, PartialEq)]
pub struct Tell {
    detail: ContainerInstanceDetail,
    digest: String,
}

impl Reconciler for Telling {
    const NAME: &'static str = "ecs/container-instance-telling";
    type Action = Tell;

    fn keys(image: &Image) -> Vec<Key> {
        image.scan::<ContainerInstance>().map(ContainerInstance::key).collect()
    }

    fn concerns(image: &Image, change: &Change) -> Vec<Key> {
        match change.table {
            ContainerInstance::TABLE => vec![change.key.clone()],
            Ledger::TABLE | Node::TABLE => {
                image.by::<ContainerInstance>("node", &change.key).map(ContainerInstance::key).collect()
            }
            _ => Vec::new(),
        }
    }

    fn decide(image: &Image, key: &Key, _now: base::Time) -> Plan<Tell> {
        let news = image.get::<ContainerInstance>(key.as_str()).and_then(|instance| news(image, instance));
        Plan::act(news.into_iter().collect())
    }

    fn apply(call: &mut Call, tx: &mut Tx, key: &Key, action: Tell) {
        let instance = tx.get::<ContainerInstance>(key.as_str()).cloned();
        let instance = instance.expect("what is decided about is there");
        tell(call, tx, &instance, action);
    }
}
