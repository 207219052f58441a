//! How long a task without a health check must have been RUNNING to count as healthy. AWS's 40 seconds, unless whoever runs
//! the server knows better.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html

use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::{Image, Key, Record, Tx};

const HEALTHY_AFTER_MS: u64 = 40_000;

/// One row; written at start by whoever knows the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    pub healthy_after_ms: u64,
}

impl Record for Pace {
    const TABLE: &'static str = "ecs/pace";

    fn key(&self) -> Key {
        Key::new("")
    }
}

pub fn set_healthy_after(tx: &mut Tx, after: Duration) {
    let row = Pace { healthy_after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX) };
    if tx.get::<Pace>("") != Some(&row) {
        tx.put(row);
    }
}

pub fn healthy_after(image: &Image) -> Duration {
    Duration::from_millis(image.get::<Pace>("").map_or(HEALTHY_AFTER_MS, |row| row.healthy_after_ms))
}
