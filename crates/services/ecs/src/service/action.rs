//! What a decision about a service says is to be done: the words between `decide`, `daemon`, `rebalance` and `rollout`, which
//! are pure, and `start`, `stop`, `outcome` and `pin`, which write.

use super::choose::Good;
use super::members::Member;
use super::pin::Digests;
use base::Time;

/// What a decision says. A deployment is named by its id.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Tasks of the deployment, where placement puts them, or on each of these container instances one.
    Start {
        deployment: String,
        count: usize,
        on: Vec<String>,
        /// Unhealthy tasks that nobody was started for yet: these are.
        instead_of: Vec<String>,
    },
    Stop(Vec<Stop>),
    /// One task more than desired, in this zone.
    Rebalance {
        deployment: String,
        zone: String,
    },
    /// These are over, and that has been taken account of.
    Count(Vec<Ended>),
    /// A task of the deployment has become healthy.
    Heal {
        deployment: String,
        at: Option<Time>,
    },
    /// These are the images of the deployment from now on.
    Pin {
        deployment: String,
        digests: Digests,
    },
    Begin,
    Complete,
    Fail(Cause),
    RollBack {
        to: String,
        cause: Cause,
    },
    /// The deployment has no task left.
    Forget {
        deployment: String,
    },
    Steady,
    Unsteady,
    /// The service is no more, but still told of.
    End,
    Delete,
    Complain(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    pub task: String,
    pub why: Why,
    pub is_running: bool,
}

impl Stop {
    pub fn of(member: &Member, why: Why) -> Stop {
        let is_running = Good::of(member) != Good::Starting;
        Stop { task: member.id.to_owned(), why, is_running }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Scale-in, or a deployment.
    Scaling,
    Unhealthy,
    Draining,
    /// A daemon's, whose instance does not meet the service's constraints any more.
    Misplaced,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    pub task: String,
    /// The deployment that this was a failure of.
    pub failed: Option<String>,
}

/// Why a deployment does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Breaker,
    Asked,
}
