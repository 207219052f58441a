//! What everybody in the world shares: the time, the dice, the queue of things to come, and the story.

use crate::mutation::Mutation;
use crate::profile::{Profile, Trouble};
use crate::queue::Queue;
use crate::registry::Registry;
use crate::world::Event;
use base::{Rng, Time};
use std::time::Duration;

pub const START: Time = Time(1_800_000_000_000);

pub struct Stage {
    pub now: Time,
    pub rng: Rng,
    pub queue: Queue<Event>,
    pub registry: Registry,
    pub profile: Profile,
    pub mutation: Option<Mutation>,
    /// Nothing breaks any more.
    pub calm: bool,
    /// What happened, a line each: the same for the same seed.
    pub story: Vec<String>,
}

impl Stage {
    pub fn new(seed: u64, mutation: Option<Mutation>) -> Stage {
        let mut rng = Rng::from_seed(seed);
        let mut profile = Profile::draw(&mut rng);
        if mutation == Some(Mutation::BuriedForgotten) {
            profile.insist(Trouble::NodeStopped);
        }
        Stage {
            now: START,
            rng,
            queue: Queue::default(),
            registry: Registry::default(),
            profile,
            mutation,
            calm: false,
            story: Vec::new(),
        }
    }

    pub fn plan(&mut self, after_ms: u64, event: Event) {
        self.queue.plan(self.now + Duration::from_millis(after_ms), event);
    }

    /// Within a while drawn from the seed.
    pub fn plan_within(&mut self, most_ms: u64, event: Event) {
        let after = self.rng.below(most_ms.max(1));
        self.plan(after, event);
    }

    /// Something goes wrong: never in calm.
    pub fn mishap(&mut self, percent: u64) -> bool {
        let happens = self.rng.chance(percent);
        happens && !self.calm
    }

    pub fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    pub fn say(&mut self, who: &str, what: impl std::fmt::Display) {
        let ms = self.now.since(START).as_millis();
        self.story.push(format!("{:>6}.{:03} {who:<7} {what}", ms / 1000, ms % 1000));
    }
}

/// Enough of a task's id to know it by: what it begins with is the time.
pub fn short(id: &str) -> &str {
    id.get(id.len().saturating_sub(8)..).unwrap_or(id)
}

/// A line with ARNs and ids cut to what tells them apart.
pub fn brief(line: &str) -> String {
    let line = line.replace("arn:aws:ecs:us-east-1:123456789012:", "");
    let is_digit = |c: char| c.is_ascii_hexdigit();
    let mut brief = String::new();
    let mut rest = line.as_str();
    while let Some(from) = rest.find(is_digit) {
        let digits = rest[from..].find(|c| !is_digit(c)).map_or(rest.len(), |length| from + length);
        let word = &rest[from..digits];
        brief += &rest[..from];
        brief += if word.len() == 32 { short(word) } else { word };
        rest = &rest[digits..];
    }
    brief + rest
}
