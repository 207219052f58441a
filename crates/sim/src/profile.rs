//! What a seed is like. Each leaves some troubles out and has more of others: faults that are always all there hide behind
//! each other.

use base::Rng;
use std::time::Duration;

pub struct Profile {
    pub nodes: u64,
    /// Of a hundred calls, so many are about services.
    pub services: u64,
    /// How long a task must run to count as healthy where nothing checks it.
    pub healthy_after_ms: u64,
    /// So many times chaos, each with a calm behind it in which everything has to converge.
    pub rounds: u64,
    pub chaos: Duration,
    /// Between calls and between troubles, at most.
    pub call_pause_ms: u64,
    pub trouble_pause_ms: u64,
    pub troubles: Vec<(Trouble, u64)>,
    /// Percentages.
    pub effects_fail: u64,
    pub slow_pulls: u64,
    pub answers_lost: u64,
    /// A copy of a set arrives late, whatever has become of the session it was sent in.
    pub sets_again: u64,
    pub message_delay_ms: u64,
    pub commit_ms: u64,
    /// How long the plane does not see that a link is gone.
    pub notices_within_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    AgentCrash,
    /// As soon as it has begun something.
    AgentCrashMidway,
    PlaneCrash,
    /// In the middle of a commit: either before or after it is durable.
    PlaneCrashInCommit,
    BothCrash,
    LinkBreak,
    /// As soon as the node has said something.
    LinkBreakMidway,
    PlaneDiskFull,
    NodeDiskFull,
    ShimDeath,
    Reboot,
    /// It comes back with other resources.
    NodeReplaced,
    /// Somebody who knows says so. It comes back with nothing running.
    NodeStopped,
    /// For good; another one takes its place.
    NodeTerminated,
    /// Everything sleeps for hours, as a laptop does.
    Sleep,
    /// Somebody moves the tag that all images are named by.
    ImagePushed,
}

const TROUBLES: [Trouble; 16] = [
    Trouble::AgentCrash,
    Trouble::AgentCrashMidway,
    Trouble::PlaneCrash,
    Trouble::PlaneCrashInCommit,
    Trouble::BothCrash,
    Trouble::LinkBreak,
    Trouble::LinkBreakMidway,
    Trouble::PlaneDiskFull,
    Trouble::NodeDiskFull,
    Trouble::ShimDeath,
    Trouble::Reboot,
    Trouble::NodeReplaced,
    Trouble::NodeStopped,
    Trouble::NodeTerminated,
    Trouble::Sleep,
    Trouble::ImagePushed,
];

impl Profile {
    pub fn draw(rng: &mut Rng) -> Profile {
        let mut one_of = |choices: &[u64]| choices[rng.below(choices.len() as u64) as usize];
        let troubles: Vec<(Trouble, u64)> = TROUBLES.iter().map(|trouble| (*trouble, one_of(&[0, 0, 1, 3]))).collect();
        let services = one_of(&[0, 40, 90]);
        let chaos = if services > 0 { [30, 90, 240] } else { [20, 40, 90] };
        Profile {
            nodes: one_of(&[1, 2, 3]),
            services,
            healthy_after_ms: one_of(&[1_000, 5_000, 40_000]),
            rounds: one_of(&[1, 2, 3]),
            chaos: Duration::from_secs(one_of(&chaos)),
            call_pause_ms: one_of(&[500, 1_500, 4_000]),
            trouble_pause_ms: one_of(&[1_000, 4_000, 12_000]),
            troubles,
            effects_fail: one_of(&[0, 0, 3, 8]),
            slow_pulls: one_of(&[0, 5, 20]),
            answers_lost: one_of(&[0, 5, 15]),
            sets_again: one_of(&[0, 10, 30]),
            message_delay_ms: one_of(&[5, 50, 300]),
            commit_ms: one_of(&[2, 10, 200]),
            notices_within_ms: one_of(&[1, 1_000, 10_000]),
        }
    }

    /// Of a fault that shows only in one trouble, seeds without that trouble say nothing.
    pub fn insist(&mut self, on: Trouble) {
        self.troubles.iter_mut().filter(|(trouble, _)| *trouble == on).for_each(|(_, weight)| *weight = 30);
    }

    /// `None` where all weights are zero.
    pub fn trouble(&self, rng: &mut Rng) -> Option<Trouble> {
        let total: u64 = self.troubles.iter().map(|(_, weight)| weight).sum();
        let mut at = if total == 0 { return None } else { rng.below(total) };
        self.troubles.iter().find_map(|(trouble, weight)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here.then_some(*trouble)
        })
    }
}
