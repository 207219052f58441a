//! The entropy seam: one generator, seeded by the operating system in production and by the seed in the simulator.

use crate::Time;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;

#[derive(Clone)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    pub fn from_os() -> Rng {
        Rng(ChaCha12Rng::from_os_rng())
    }

    pub fn from_seed(seed: u64) -> Rng {
        Rng(ChaCha12Rng::seed_from_u64(seed))
    }

    /// A generator of its own, so that what one actor draws does not shift what another draws.
    pub fn fork(&mut self) -> Rng {
        Rng::from_seed(self.next_u64())
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..n`; `n` must not be zero.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "an empty range has no member");
        self.next_u64() % n
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len() as u64) as usize) }
    }

    /// 32 hexadecimal digits, the form of task and container-instance ids.
    pub fn hex32(&mut self) -> String {
        format!("{:016x}{:016x}", self.next_u64(), self.next_u64())
    }

    /// The same form, led by the time as in a UUID of version 7 (RFC 9562, 5.7): rows of things made together lie together, in
    /// memory and on the disk.
    pub fn hex32_at(&mut self, now: Time) -> String {
        let (a, b) = (self.next_u64(), self.next_u64());
        format!("{:012x}{:04x}{b:016x}", now.millis() & 0xffff_ffff_ffff, a & 0xffff)
    }

    /// A version 4 UUID.
    pub fn uuid(&mut self) -> String {
        let (a, b) = (self.next_u64(), self.next_u64());
        let (a, b) = ((a & !0xf000) | 0x4000, (b & !(0b11 << 62)) | (0b10 << 62));
        format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xffff, b >> 48, b & 0xffff_ffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_same_seed_draws_the_same() {
        let (mut a, mut b) = (Rng::from_seed(7), Rng::from_seed(7));
        assert_eq!((a.hex32(), a.uuid()), (b.hex32(), b.uuid()));
    }

    #[test]
    fn a_uuid_says_version_4() {
        let id = Rng::from_seed(1).uuid();
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
        assert!("89ab".contains(&id[19..20]), "{id}");
    }
}
