//! Start throttling: who keeps failing is started ever more rarely, up to every 27 minutes, for ever.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
//!
//! AWS documents the longest delay only, and throttles tasks that never ran. Here a start takes milliseconds, so a task that
//! ends before it was ever healthy counts as well: nothing is to spin.

use base::Time;
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(27 * 60);
/// From then on the service says that it cannot start its tasks.
pub const CONSISTENT: u32 = 3;

/// After that many setbacks in a row. The first one may be bad luck.
pub fn delay(setbacks: u32) -> Duration {
    match setbacks.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST.saturating_mul(1 << doublings.min(20)).min(LONGEST),
    }
}

/// Tasks that fail while starting is held back anyway are the same setback.
pub fn is_new(throttled_until: Option<Time>, now: Time) -> bool {
    throttled_until.is_none_or(|until| until <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_27_minutes() {
        let seconds: Vec<u64> = (0..=14).map(|setbacks| delay(setbacks).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1620, 1620]);
        assert_eq!(delay(u32::MAX), LONGEST);
    }
}
