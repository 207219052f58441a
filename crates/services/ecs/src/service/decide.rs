//! What to start and what to stop, so that a REPLICA service comes to have its desired count of current tasks: the heart of
//! the scheduler. Pure; knows no row and places nothing.
//!
//! A task is *current* if it is of the PRIMARY deployment, may stay where it is and does not fail its checks; the others are
//! on their way out. Starts never make more tasks than the ceiling (`maximumPercent`); stops never leave fewer healthy ones
//! than the floor (`minimumHealthyPercent`). A task on its way out stays as long as no healthy current one stands in for it,
//! unless its place is needed for that one to start.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html

mod older;
mod stopping;

pub use stopping::why;

use super::action::Action;
use super::members::Member;
use super::situation::Situation;
use super::{Deployment, sentences};

/// Starts before stops: below the ceiling the one that replaces comes first, and only what finds no room there needs a place
/// that a stop makes. What neither can do is complained of.
pub fn moves(situation: &Situation) -> Vec<Action> {
    let starts = starts(situation);
    let stops = stopping::stops_of(situation, starts.current);
    let idle = starts.current == 0 && starts.restored == 0 && stops.is_empty();
    let mut actions = starts.actions(situation);
    actions.extend((!stops.is_empty()).then_some(Action::Stop(stops)));
    actions.extend(if idle { complaint(situation) } else { None });
    actions
}

#[derive(Debug, PartialEq)]
struct Starts {
    /// Of the PRIMARY deployment.
    current: usize,
    /// Of an older one, in the place of its tasks that were lost.
    restored: usize,
}

impl Starts {
    fn actions(&self, situation: &Situation) -> Vec<Action> {
        let start = |at: usize, count: usize| {
            let deployment = situation.service.deployments.get(at).filter(|_| count > 0)?;
            let instead_of = unhealthy(situation, at).take(count).map(str::to_owned).collect();
            Some(Action::Start { deployment: deployment.id.clone(), count, on: Vec::new(), instead_of })
        };
        let source = older::source(situation).unwrap_or_default();
        start(0, self.current).into_iter().chain(start(source, self.restored)).collect()
    }
}

/// Tasks of the deployment that are to be replaced and are not yet.
fn unhealthy<'a>(situation: &Situation<'a>, deployment: usize) -> impl Iterator<Item = &'a str> {
    let is_to_be = move |member: &&Member| member.deployment == Some(deployment) && member.is_unhealthy() && !member.is_replaced;
    situation.live().filter(is_to_be).map(|member| member.id)
}

/// Current tasks first; older ones have the room that is left.
fn starts(situation: &Situation) -> Starts {
    let room = situation.ceiling.saturating_sub(situation.present());
    let primary = situation.primary().filter(|primary| situation.may_start(primary));
    let primary = primary.filter(|primary| !situation.is_waiting_for_place(primary));
    let wanted = primary.map_or(0, |primary| missing(situation).saturating_sub(held_back(situation, primary)));
    let current = wanted.min(room);
    Starts { current, restored: older::lost(situation).min(room - current) }
}

pub fn missing(situation: &Situation) -> usize {
    situation.desired.saturating_sub(situation.counted().count())
}

/// In the place of tasks that are failing: once that is known to go on, not before it is counted, which may hold starts back.
fn held_back(situation: &Situation, primary: &Deployment) -> usize {
    let failing = situation.members.iter().filter(|member| member.deployment == Some(0) && member.is_failing);
    if primary.setbacks == 0 { 0 } else { failing.count() }
}

/// Nothing can be done, though something should, and nothing is on its way any more.
fn complaint(situation: &Situation) -> Option<Action> {
    let is_still = situation.live().all(|member| member.is_healthy() || member.is_unhealthy()) && situation.stopping() == 0;
    let sentence = is_still.then(|| protected(situation).or_else(|| stuck(situation)))?;
    sentence.map(Action::Complain)
}

fn protected(situation: &Situation) -> Option<String> {
    let spared = situation.live().filter(|member| member.is_protected()).count();
    let too_many = situation.live().count() > situation.desired;
    let primary = situation.primary().filter(|_| spared > 0 && too_many)?;
    Some(sentences::protected(primary, spared))
}

fn stuck(situation: &Situation) -> Option<String> {
    let is_free = |primary: &Deployment| situation.may_start(primary) && !situation.is_waiting_for_place(primary);
    let is_unfinished = missing(situation) > 0 || situation.live().any(|member| !situation.is_current(member));
    let is_stuck = situation.primary().is_some_and(is_free) && is_unfinished && situation.desired > 0;
    is_stuck.then(|| sentences::STUCK.to_owned())
}
