//! Whom to stop, in this order: who has not begun to run where all is drained; who is on the way out, if a current task stands
//! in or needs the place; who is more than desired. Never below the floor, and never who is spared.

use super::super::action::{Stop, Why};
use super::super::choose::{Good, stops};
use super::super::members::Member;
use super::super::situation::Situation;
use super::super::{Rollout, Status};
use super::{missing, older};

/// Who is stopped, given how many current tasks are being started.
pub fn stops_of(situation: &Situation, started: usize) -> Vec<Stop> {
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
        let mut dispensable = older::dispensable(situation);
        let may_go = out.into_iter().filter(|member| !is_spared(situation, member));
        for member in stops(may_go, situation.live(), &situation.emptying) {
            let is_surplus = surplus > 0;
            if older::may_stay(member) && dispensable == 0 {
                continue;
            }
            let is_over = !is_surplus && (places == 0 || !self.may_make_place(member));
            if is_over || self.is_needed(member) {
                break;
            }
            self.stop(member);
            let left = if is_surplus { &mut surplus } else { &mut places };
            *left -= 1;
            dispensable = dispensable.saturating_sub(usize::from(older::may_stay(member)));
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
        let may_go = situation.counted().filter(|member| !is_spared(situation, member));
        for member in stops(may_go, situation.live(), &situation.emptying) {
            if excess == 0 || self.is_needed(member) {
                break;
            }
            self.stop(member);
            excess -= 1;
        }
    }

    /// By the floor; so are all that would be stopped after it, as healthy ones come last.
    fn is_needed(&self, member: &Member) -> bool {
        member.is_healthy() && self.healthy_left <= self.situation.floor
    }

    fn is_stopped(&self, member: &Member) -> bool {
        self.stops.iter().any(|stop| stop.task == member.id)
    }

    fn stop(&mut self, member: &Member) {
        self.healthy_left -= usize::from(member.is_healthy());
        self.stops.push(Stop::of(member, why(member)));
    }
}

/// Protection is from scale-in and from deployments, not from failed checks, nor from the end of the service. Who is spared
/// is no candidate at all: its zone would count as less crowded for it, and another one would pay.
fn is_spared(situation: &Situation, member: &Member) -> bool {
    member.is_protected() && !member.is_unhealthy() && situation.service.status == Status::Active
}

pub fn why(member: &Member) -> Why {
    match () {
        () if member.is_unhealthy() => Why::Unhealthy,
        () if member.is_draining => Why::Draining,
        () => Why::Scaling,
    }
}
