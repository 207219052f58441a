//! What to start and what to stop, so that a REPLICA service comes to have its desired count of current tasks: the heart of
//! the scheduler. Pure; knows no row and places nothing.
//!
//! A task is *current* if it is of the PRIMARY deployment, may stay where it is and does not fail its checks; the others are
//! on their way out. Starts never make more tasks than the ceiling (`maximumPercent`); stops never leave fewer healthy ones
//! than the floor (`minimumHealthyPercent`). A task on its way out stays as long as no healthy current one stands in for it,
//! unless its place is needed for that one to start.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html

use super::action::{Action, Stop, Why};
use super::choose::{Good, stops};
use super::members::Member;
use super::situation::Situation;
use super::{Deployment, Rollout, Status};

pub fn moves(situation: &Situation) -> Vec<Action> {
    let starts = starts(situation);
    let stops = stops_of(situation, starts.current);
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
        let source = source(situation).unwrap_or_default();
        start(0, self.current).into_iter().chain(start(source, self.restored)).collect()
    }
}

/// Tasks of the deployment that are to be replaced and are not yet.
fn unhealthy<'a>(situation: &Situation<'a>, deployment: usize) -> impl Iterator<Item = &'a str> {
    let is_to_be = move |member: &&Member| member.deployment == Some(deployment) && member.is_unhealthy() && !member.is_replaced;
    situation.live().filter(is_to_be).map(|member| member.id)
}

fn starts(situation: &Situation) -> Starts {
    let room = situation.ceiling.saturating_sub(situation.present());
    let primary = situation.primary().filter(|primary| situation.may_start(primary));
    let primary = primary.filter(|primary| !situation.is_waiting_for_place(primary));
    let wanted = primary.map_or(0, |primary| missing(situation).saturating_sub(held_back(situation, primary)));
    let current = wanted.min(room);
    Starts { current, restored: lost(situation).min(room - current) }
}

pub fn missing(situation: &Situation) -> usize {
    situation.desired.saturating_sub(situation.counted().count())
}

/// In the place of tasks that are failing: once that is known to go on, not before it is counted, which may hold starts back.
fn held_back(situation: &Situation, primary: &Deployment) -> usize {
    let failing = situation.members.iter().filter(|member| member.deployment == Some(0) && member.is_failing);
    if primary.setbacks == 0 { 0 } else { failing.count() }
}

/// Tasks of an older revision that are to be replaced by their like: while a new one is on its way the floor must hold
/// without it, and where it has failed the older one is what there is.
fn lost(situation: &Situation) -> usize {
    let Some(source) = source(situation) else { return 0 };
    let deployment = &situation.service.deployments[source];
    if !situation.may_start(deployment) || situation.is_waiting_for_place(deployment) {
        return 0;
    }
    to_stand(situation, source).saturating_sub(standing(situation))
}

/// How many tasks are to hold the floor, if need be of the older revision.
fn to_stand(situation: &Situation, source: usize) -> usize {
    match situation.primary().map_or(Rollout::Completed, |primary| primary.rollout) {
        Rollout::Completed => 0,
        Rollout::InProgress => situation.floor.min(situation.service.deployments[source].desired as usize),
        Rollout::Failed => situation.desired,
    }
}

/// What holds the floor: healthy tasks of the new revision, and those of older ones that may stay.
fn standing(situation: &Situation) -> usize {
    situation.healthy_current() + situation.live().filter(|member| may_stay(member)).count()
}

/// Of an older revision, with nothing wrong about it.
fn may_stay(member: &Member) -> bool {
    member.deployment != Some(0) && !member.is_draining && !member.is_unhealthy()
}

/// How many older tasks may be stopped without being started again for the floor's sake: the two would go on for ever.
fn dispensable(situation: &Situation) -> usize {
    source(situation).map_or(usize::MAX, |source| standing(situation).saturating_sub(to_stand(situation, source)))
}

/// The newest deployment before the PRIMARY one that was completed, unless all of its tasks are gone for good.
fn source(situation: &Situation) -> Option<usize> {
    let is_source = |at: &usize| situation.service.deployments[*at].rollout == Rollout::Completed;
    let source = (1..situation.service.deployments.len()).find(is_source)?;
    situation.members.iter().any(|member| member.deployment == Some(source)).then_some(source)
}

/// Who is stopped, given how many current tasks are being started.
fn stops_of(situation: &Situation, started: usize) -> Vec<Stop> {
    let is_unplaced = situation.primary().is_some_and(|primary| primary.unplaced.is_some());
    let started = if is_unplaced { 0 } else { started };
    let mut stopping = Stopping { situation, started, healthy_left: situation.healthy(), stops: Vec::new() };
    stopping.drain_starting();
    stopping.replace();
    stopping.scale_in();
    stopping.stops
}

struct Stopping<'s, 'a> {
    situation: &'s Situation<'a>,
    /// Current tasks that start in the same decision; none where the last ones had no place.
    started: usize,
    healthy_left: usize,
    stops: Vec<Stop>,
}

impl<'s, 'a> Stopping<'s, 'a> {
    /// What has not begun to run on a draining instance is not to begin there.
    fn drain_starting(&mut self) {
        let is_starting = |member: &&Member| member.is_draining && Good::of(member) == Good::Starting;
        let starting: Vec<&Member> = self.situation.live().filter(is_starting).collect();
        starting.into_iter().for_each(|member| self.stop(member));
    }

    /// Tasks on their way out: those that somebody stands in for, and those in whose place somebody waits to start.
    fn replace(&mut self) {
        let situation = self.situation;
        let is_out = |member: &&Member| !situation.is_current(member) && !self.is_stopped(member);
        let out: Vec<&Member> = situation.live().filter(is_out).collect();
        let stays = situation.desired.saturating_sub(situation.healthy_current());
        let mut surplus = out.len().saturating_sub(stays);
        let mut places = self.needed_places().saturating_sub(surplus.saturating_sub(self.over()));
        let mut dispensable = dispensable(situation);
        for member in stops(out.into_iter(), situation.live(), &situation.emptying) {
            let is_surplus = surplus > 0;
            if may_stay(member) && dispensable == 0 {
                continue;
            }
            let is_over = !is_surplus && (places == 0 || !self.may_make_place(member));
            if is_over || self.is_needed(member) {
                break;
            }
            if self.try_stop(member) {
                let left = if is_surplus { &mut surplus } else { &mut places };
                *left -= 1;
                dispensable = dispensable.saturating_sub(usize::from(may_stay(member)));
            }
        }
    }

    /// How many current tasks are missing and cannot start beside what there is.
    fn needed_places(&self) -> usize {
        let situation = self.situation;
        if situation.primary().is_none_or(|primary| !situation.may_start(primary)) {
            return 0;
        }
        missing(situation).saturating_sub(self.started + situation.stopping())
    }

    /// How many tasks there are above the ceiling: their ends make no place.
    fn over(&self) -> usize {
        self.situation.present().saturating_sub(self.situation.ceiling)
    }

    /// Outside deployments unhealthy tasks make place one at a time.
    fn may_make_place(&self, member: &Member) -> bool {
        let is_rolling = self.situation.primary().is_some_and(|primary| primary.rollout == Rollout::InProgress);
        is_rolling || !member.is_unhealthy() || !self.is_busy()
    }

    fn is_busy(&self) -> bool {
        !self.stops.is_empty() || self.situation.stopping() > 0 || self.starting() > 0
    }

    fn starting(&self) -> usize {
        self.started + self.situation.live().filter(|member| Good::of(member) == Good::Starting).count()
    }

    fn scale_in(&mut self) {
        let situation = self.situation;
        let mut excess = situation.counted().count().saturating_sub(situation.desired);
        if excess == 0 {
            return;
        }
        for member in stops(situation.counted(), situation.live(), &situation.emptying) {
            if excess == 0 || self.is_needed(member) {
                break;
            }
            if self.try_stop(member) {
                excess -= 1;
            }
        }
    }

    /// By the floor; so are all that would be stopped after it, as healthy ones come last.
    fn is_needed(&self, member: &Member) -> bool {
        member.is_healthy() && self.healthy_left <= self.situation.floor
    }

    /// Unless it is spared.
    fn try_stop(&mut self, member: &Member) -> bool {
        if self.is_spared(member) {
            return false;
        }
        self.stop(member);
        true
    }

    /// Protection is from scale-in and from deployments, not from failed checks, nor from the end of the service.
    fn is_spared(&self, member: &Member) -> bool {
        member.is_protected() && !member.is_unhealthy() && self.situation.service.status == Status::Active
    }

    fn is_stopped(&self, member: &Member) -> bool {
        self.stops.iter().any(|stop| stop.task == member.id)
    }

    fn stop(&mut self, member: &Member) {
        self.healthy_left -= usize::from(member.is_healthy());
        self.stops.push(Stop::of(member, why(member)));
    }
}

pub fn why(member: &Member) -> Why {
    match () {
        () if member.is_unhealthy() => Why::Unhealthy,
        () if member.is_draining => Why::Draining,
        () => Why::Scaling,
    }
}

/// Nothing can be done, though something should.
fn complaint(situation: &Situation) -> Option<Action> {
    let is_still = situation.live().all(|member| member.is_healthy() || member.is_unhealthy()) && situation.stopping() == 0;
    let is_free =
        situation.primary().is_some_and(|primary| situation.may_start(primary) && !situation.is_waiting_for_place(primary));
    let spared = situation.live().filter(|member| member.is_protected()).count();
    let out = situation.live().filter(|member| !situation.is_current(member)).count();
    let too_many = situation.live().count() > situation.desired;
    if spared > 0 && too_many && is_still {
        return Some(Action::Complain(super::sentences::protected(situation.primary()?, spared)));
    }
    let is_stuck = is_still && is_free && (missing(situation) > 0 || out > 0) && situation.desired > 0;
    is_stuck.then(|| Action::Complain(super::sentences::STUCK.to_owned()))
}
