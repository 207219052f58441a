//! How often the metadata endpoint may be asked: a token bucket for each asker and path, as the stock agent has it (tollbooth's
//! default key). Pure: time is handed in.

use base::Time;
use base::limits::{METADATA_REQUESTS_BURST, METADATA_REQUESTS_PER_SECOND};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Beyond these, those that nobody has asked for a while are forgotten: a full bucket is like none.
const KEPT: usize = 1024;

#[derive(Default)]
pub struct Limiter {
    buckets: BTreeMap<(IpAddr, String), Bucket>,
}

struct Bucket {
    tokens: f64,
    at: Time,
}

impl Limiter {
    pub fn admits(&mut self, asker: IpAddr, path: &str, now: Time) -> bool {
        if self.buckets.len() >= KEPT {
            self.buckets.retain(|_, bucket| bucket.tokens_at(now) < f64::from(METADATA_REQUESTS_BURST));
        }
        let full = || Bucket { tokens: METADATA_REQUESTS_BURST.into(), at: now };
        self.buckets.entry((asker, path.to_owned())).or_insert_with(full).take(now)
    }
}

impl Bucket {
    fn tokens_at(&self, now: Time) -> f64 {
        let earned = now.since(self.at).as_secs_f64() * f64::from(METADATA_REQUESTS_PER_SECOND);
        (self.tokens + earned).min(METADATA_REQUESTS_BURST.into())
    }

    fn take(&mut self, now: Time) -> bool {
        (self.tokens, self.at) = (self.tokens_at(now), now);
        let admitted = self.tokens >= 1.0;
        self.tokens -= if admitted { 1.0 } else { 0.0 };
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const ASKER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    fn admitted(limiter: &mut Limiter, path: &str, at_ms: u64, times: usize) -> usize {
        (0..times).filter(|_| limiter.admits(ASKER, path, Time(at_ms))).count()
    }

    #[test]
    fn a_burst_of_sixty_then_forty_a_second_for_each_path() {
        let mut limiter = Limiter::default();
        let cases = [
            ("/a", 1_000, 100, 60),
            ("/b", 1_000, 100, 60),
            ("/a", 1_000, 1, 0),
            ("/a", 1_500, 100, 20),
            ("/a", 1_400, 1, 0), // the clock was set back
            ("/a", 1_425, 100, 1),
            ("/a", 60_000, 100, 60),
        ];
        for (path, at_ms, times, expected) in cases {
            assert_eq!(admitted(&mut limiter, path, at_ms, times), expected, "{path} at {at_ms}");
        }
    }

    #[test]
    fn over_time_nobody_gets_more_than_the_rate() {
        for every_ms in [1, 3, 10, 24, 26] {
            let mut limiter = Limiter::default();
            let seconds = 20;
            let got: usize = (0..seconds * 1000 / every_ms).map(|i| admitted(&mut limiter, "/", i * every_ms, 1)).sum();
            assert!(got <= 60 + 40 * seconds as usize, "{got} of one every {every_ms} ms");
            assert!(got >= (seconds * 1000 / every_ms).min(40 * seconds) as usize, "{got} of one every {every_ms} ms");
        }
    }

    #[test]
    fn what_nobody_asks_is_forgotten() {
        let mut limiter = Limiter::default();
        for i in 0..10 * KEPT as u64 {
            limiter.admits(ASKER, &i.to_string(), Time(i * 10));
        }
        assert!(limiter.buckets.len() <= KEPT, "{}", limiter.buckets.len());
    }
}
