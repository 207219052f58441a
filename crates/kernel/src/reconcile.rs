//! The shape of everything that happens over time: a pure decision about one key, and the rows it writes. All it must
//! remember is in rows; the driver remembers only when to look again.

use crate::Call;
use base::Time;
use std::fmt::Debug;
use store::{Change, Image, Key, Tx};

/// What to do now, and when to look again if nothing changes before.
#[derive(Debug, PartialEq)]
pub struct Plan<Action> {
    pub actions: Vec<Action>,
    pub wake: Option<Time>,
}

impl<Action> Plan<Action> {
    pub fn rest() -> Plan<Action> {
        Plan { actions: Vec::new(), wake: None }
    }

    pub fn act(actions: Vec<Action>) -> Plan<Action> {
        Plan { actions, wake: None }
    }

    pub fn wait(until: Time) -> Plan<Action> {
        Plan { actions: Vec::new(), wake: Some(until) }
    }
}

pub trait Reconciler: Send + Sync + 'static {
    const NAME: &'static str;
    /// `Debug` is the decision log: one line per action, fit for a human and for the simulator's trace.
    type Action: Debug;

    /// Every key there is: the full scan at start.
    fn keys(image: &Image) -> Vec<Key>;
    /// Which keys a change may concern. Says where to look, never what happened.
    fn concerns(image: &Image, change: &Change) -> Vec<Key>;
    /// Pure.
    fn decide(image: &Image, key: &Key, now: Time) -> Plan<Self::Action>;
    /// Writes rows, nothing else.
    fn apply(call: &mut Call, tx: &mut Tx, key: &Key, action: Self::Action);
}

/// A reconciler as the driver holds it, its types erased.
pub(crate) trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn keys(&self, image: &Image) -> Vec<Key>;
    fn concerns(&self, image: &Image, change: &Change) -> Vec<Key>;
    /// Decides and applies; returns how many actions there were, and when to look again.
    fn run(&self, call: &mut Call, tx: &mut Tx, key: &Key) -> (usize, Option<Time>);
}

pub(crate) struct Of<R>(pub std::marker::PhantomData<fn() -> R>);

impl<R: Reconciler> Erased for Of<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn keys(&self, image: &Image) -> Vec<Key> {
        R::keys(image)
    }

    fn concerns(&self, image: &Image, change: &Change) -> Vec<Key> {
        R::concerns(image, change)
    }

    fn run(&self, call: &mut Call, tx: &mut Tx, key: &Key) -> (usize, Option<Time>) {
        let plan = R::decide(tx, key, call.now);
        let count = plan.actions.len();
        for action in plan.actions {
            tracing::debug!(reconciler = R::NAME, %key, ?action, "decided");
            R::apply(call, tx, key, action);
        }
        (count, plan.wake)
    }
}
