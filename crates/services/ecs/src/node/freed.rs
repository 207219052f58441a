//! How often capacity became free anywhere: who waits for a place looks again when this grows, and not before.

use serde::{Deserialize, Serialize};
use store::{Key, Record, Tx};

/// One row. Grows in each transaction that gives something back, or in which a node or an instance comes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Freed {
    pub count: u64,
}

impl Record for Freed {
    const TABLE: &'static str = "ecs/freed";

    fn key(&self) -> Key {
        Key::new("")
    }
}

pub fn note(tx: &mut Tx) {
    let count = tx.get::<Freed>("").map_or(0, |row| row.count);
    tx.put(Freed { count: count + 1 });
}
