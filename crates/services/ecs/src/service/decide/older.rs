//! What tasks of older deployments are good for while a newer one is on its way, or has failed: they hold the floor. How many
//! of them are started again, and how many may go.

use super::super::Rollout;
use super::super::members::Member;
use super::super::situation::Situation;

/// Tasks of an older revision that are to be replaced by their like: while a new one is on its way the floor must hold
/// without it, and where it has failed the older one is what there is.
pub fn lost(situation: &Situation) -> usize {
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
pub fn may_stay(member: &Member) -> bool {
    member.deployment != Some(0) && !member.is_draining && !member.is_unhealthy()
}

/// How many older tasks may be stopped without being started again for the floor's sake: the two would go on for ever.
pub fn dispensable(situation: &Situation) -> usize {
    source(situation).map_or(usize::MAX, |source| standing(situation).saturating_sub(to_stand(situation, source)))
}

/// The newest deployment before the PRIMARY one that was completed, unless all of its tasks are gone for good.
pub fn source(situation: &Situation) -> Option<usize> {
    let is_source = |at: &usize| situation.service.deployments[*at].rollout == Rollout::Completed;
    let source = (1..situation.service.deployments.len()).find(is_source)?;
    situation.members.iter().any(|member| member.deployment == Some(source)).then_some(source)
}
