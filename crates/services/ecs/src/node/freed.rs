//! How often capacity became free anywhere: who waits for a place looks again when this grows, and not before.

use serde::{Deserialize, Serialize};
use store::{Image, Key, Record, Tx};

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
    tx.put(Freed { count: count(tx) + 1 });
}

pub fn count(image: &Image) -> u64 {
    image.get::<Freed>("").map_or(0, |row| row.count)
}
