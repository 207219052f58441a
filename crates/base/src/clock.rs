//! The clock seam. Shells read it once per event and pass `now` inward; the simulator has a counter instead.

use crate::Time;

pub trait Clock: Send + Sync {
    fn now(&self) -> Time;
}

/// The host's wall clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that reads the clock
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Time(since.unwrap_or_default().as_millis() as u64)
    }
}
