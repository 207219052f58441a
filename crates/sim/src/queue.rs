//! What is to happen, in order of time; what happens at the same time, in the order it was planned.

use base::Time;
use std::collections::BTreeMap;

pub struct Queue<T> {
    entries: BTreeMap<(Time, u64), T>,
    planned: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { entries: BTreeMap::new(), planned: 0 }
    }
}

impl<T> Queue<T> {
    pub fn plan(&mut self, at: Time, what: T) {
        self.planned += 1;
        self.entries.insert((at, self.planned), what);
    }

    pub fn next_at(&self) -> Option<Time> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    pub fn take(&mut self) -> Option<T> {
        self.entries.pop_first().map(|(_, what)| what)
    }
}
