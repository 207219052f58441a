//! A point in time on the wire: epoch seconds as a JSON number. The XML protocols write the same value as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// Seconds since the Unix epoch; AWS keeps milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Timestamp(pub f64);

impl From<base::Time> for Timestamp {
    fn from(time: base::Time) -> Timestamp {
        Timestamp(time.seconds_f64())
    }
}

impl From<Timestamp> for base::Time {
    fn from(timestamp: Timestamp) -> base::Time {
        // `as` saturates: what lies before the epoch is the epoch, NaN too.
        base::Time::ZERO + Duration::from_millis((timestamp.0 * 1000.0).round() as u64)
    }
}

/// Whole seconds are printed without a fraction, as AWS does.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.0 as i64;
        if whole as f64 == self.0 { serializer.serialize_i64(whole) } else { serializer.serialize_f64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        f64::deserialize(deserializer).map(Timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;
    use base::Time;

    #[test]
    fn whole_seconds_have_no_fraction() {
        let json = |millis| serde_json::to_string(&Timestamp::from(Time(millis))).unwrap();
        assert_eq!((json(1_700_000_000_000), json(1_700_000_000_123)), ("1700000000".into(), "1700000000.123".into()));
    }

    #[test]
    fn a_time_survives_the_wire() {
        for millis in [0, 1, 999, 1_700_000_000_123, 4_102_444_800_001] {
            let json = serde_json::to_string(&Timestamp::from(Time(millis))).unwrap();
            assert_eq!(Time::from(serde_json::from_str::<Timestamp>(&json).unwrap()), Time(millis));
        }
    }

    #[test]
    fn no_number_is_out_of_range() {
        let times = [f64::NAN, f64::NEG_INFINITY, -1.0, f64::MAX].map(|seconds| Time::from(Timestamp(seconds)));
        assert_eq!(times, [Time(0), Time(0), Time(0), Time(u64::MAX)]);
    }
}
