//! Which reconciler looks at which key, and when. Remembers nothing else: after a restart it scans all keys and goes on.

use crate::Call;
use crate::reconcile::Erased;
use base::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Change, Image, Key, Tx};

/// A decision that keeps acting on its own result would hold the writer for ever; past this it waits for the next group.
const ROUNDS_PER_GROUP: usize = 16;

type Slot = (usize, Key);

#[derive(Default)]
pub struct Driver {
    reconcilers: Vec<Arc<dyn Erased>>,
    /// Looked at in the next round.
    hinted: BTreeSet<Slot>,
    wakes: BTreeMap<Slot, Time>,
    by_time: BTreeSet<(Time, Slot)>,
}

impl Driver {
    pub(crate) fn new(reconcilers: Vec<Arc<dyn Erased>>, image: &Image) -> Driver {
        let mut driver = Driver { reconcilers, ..Driver::default() };
        for (at, reconciler) in driver.reconcilers.iter().enumerate() {
            driver.hinted.extend(reconciler.keys(image).into_iter().map(|key| (at, key)));
        }
        driver
    }

    pub fn hint(&mut self, image: &Image, changes: &[Change]) {
        for (at, reconciler) in self.reconcilers.iter().enumerate() {
            let keys = changes.iter().flat_map(|change| reconciler.concerns(image, change));
            self.hinted.extend(keys.map(|key| (at, key)));
        }
    }

    /// When `settle` has something to do again, if no change comes before.
    pub fn next_wake(&self) -> Option<Time> {
        if self.hinted.is_empty() { self.by_time.first().map(|(time, _)| *time) } else { Some(Time::ZERO) }
    }

    /// Decides and applies until nothing that is due has anything left to do.
    pub fn settle(&mut self, call: &mut Call, tx: &mut Tx) {
        for _ in 0..ROUNDS_PER_GROUP {
            let due = self.take_due(call.now);
            if due.is_empty() {
                return;
            }
            let before = tx.savepoint();
            for slot in due {
                self.look(call, tx, slot);
            }
            let changes = tx.changes_since(&before);
            self.hint(tx, &changes);
        }
    }

    fn look(&mut self, call: &mut Call, tx: &mut Tx, slot: Slot) {
        let reconciler = Arc::clone(&self.reconcilers[slot.0]);
        let (_, wake) = reconciler.run(call, tx, &slot.1);
        if let Some(wake) = wake {
            self.wakes.insert(slot.clone(), wake);
            self.by_time.insert((wake, slot));
        }
    }

    fn take_due(&mut self, now: Time) -> BTreeSet<Slot> {
        let mut due = std::mem::take(&mut self.hinted);
        while let Some((time, slot)) = self.by_time.first().cloned() {
            if time > now {
                break;
            }
            self.by_time.remove(&(time, slot.clone()));
            due.insert(slot);
        }
        for slot in &due {
            if let Some(wake) = self.wakes.remove(slot) {
                self.by_time.remove(&(wake, slot.clone()));
            }
        }
        due
    }
}
