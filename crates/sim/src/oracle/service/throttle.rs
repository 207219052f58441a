//! Who keeps failing is started ever more rarely. Counts setbacks for itself, from what the scheduler was seen to count.

use super::super::{Check, violated};
use super::fleet::Fleet;
use crate::scheduler::Deed;
use api_ecs::TaskStopCode;
use base::Time;
use ecs::service::{Action, Deployment, Ended, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::Image;

#[derive(Default)]
pub struct Throttle {
    /// By deployment id.
    deployments: BTreeMap<String, Held>,
}

#[derive(Default)]
struct Held {
    setbacks: u32,
    until: Option<Time>,
}

impl Throttle {
    /// What was seen last may not have been kept, and some of what was kept was not seen: from here on as the rows say.
    pub fn begin_again(&mut self, image: &Image) {
        let held = |one: &Deployment| (one.id.clone(), Held { setbacks: one.setbacks, until: one.throttled_until });
        self.deployments = image.scan::<Service>().flat_map(|service| &service.deployments).map(held).collect();
    }

    pub fn deed(&mut self, deed: &Deed) -> Check {
        match &deed.action {
            Action::Count(ended) => {
                let started = |ended: &&Ended| !was_stopped(deed, &ended.task);
                let failed: BTreeSet<&String> = ended.iter().filter(started).filter_map(|ended| ended.failed.as_ref()).collect();
                for deployment in failed {
                    self.deployments.entry(deployment.clone()).or_default().fails(deed.at);
                }
            }
            Action::Heal { deployment, .. } | Action::RollBack { to: deployment, .. } => {
                self.deployments.remove(deployment);
            }
            _ => return self.starts_wait(deed),
        }
        Ok(())
    }

    fn starts_wait(&self, deed: &Deed) -> Check {
        let (before, after) = (Fleet::of(&deed.before, &deed.service, deed.at), Fleet::of(&deed.after, &deed.service, deed.at));
        let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
        for task in after.tasks.iter().filter(|task| before.task(&task.id).is_none()) {
            let held = task.member.as_ref().and_then(|member| self.deployments.get(&member.deployment));
            if let Some(until) = held.and_then(|held| held.until).filter(|until| *until > deed.at) {
                let early = until.since(deed.at).as_millis();
                return violated(
                    "who keeps failing waits",
                    format!("{}: {} is started {early} ms early", before.name(), task.id),
                );
            }
        }
        Ok(())
    }
}

/// By the scheduler, for its checks: it did start.
fn was_stopped(deed: &Deed, id: &str) -> bool {
    let task = Fleet::of(&deed.after, &deed.service, deed.at).and_then(|fleet| fleet.task(id));
    task.is_some_and(|task| task.stop_code == Some(TaskStopCode::ServiceSchedulerInitiated))
}

impl Held {
    /// Ends while it is held anyway are the same setback.
    fn fails(&mut self, now: Time) {
        if self.until.is_some_and(|until| until > now) {
            return;
        }
        self.setbacks += 1;
        let seconds = if self.setbacks < 2 { 0 } else { 2u64.saturating_pow(self.setbacks - 2).min(27 * 60) };
        self.until = Some(now + Duration::from_secs(seconds));
    }
}
