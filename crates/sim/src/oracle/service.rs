//! What the service scheduler may do by its own action, judged write by write: the rows before, the rows after. Failures and
//! what users change are not its doing. Bounds are computed here once more, from rows alone.

mod consistency;
mod fleet;
mod older;
mod rollout;
mod rows;
mod sayings;
mod settled;
mod splits;
mod throttle;
mod told;

pub use rows::{check as rows, check_changes as changed_rows};
pub use sayings::{Sayings, converged as last_words};
pub use settled::is_restless;
pub use settled::settled;
pub use splits::{Splits, provider_fits};
pub use throttle::Throttle;

use super::{Check, violated};
use crate::scheduler::Deed;
use crate::stage::short;
use ecs::container_instance::ContainerInstance;
use ecs::service::{Action, Rollout, Service, Status};
use ecs::task::{Last, Task};
use fleet::Fleet;
use store::Image;
use workload::Desired;

pub fn deed(deed: &Deed) -> Check {
    let Some(before) = Fleet::of(&deed.before, &deed.service, deed.at) else { return Ok(()) };
    let Some(after) = Fleet::of(&deed.after, &deed.service, deed.at) else {
        return deletion_is_of_the_inactive(&before);
    };
    let started: Vec<&Task> = after.tasks.iter().copied().filter(|task| before.task(&task.id).is_none()).collect();
    let stopped: Vec<&Task> = before.live().filter(|task| after.task(&task.id).is_none_or(is_to_stop)).collect();
    floor_holds(&before, &stopped)?;
    ceiling_holds(&after, &started)?;
    protection_holds(&before, &stopped)?;
    nothing_wanted_is_stopped(&before, &stopped)?;
    daemons_are_once(&after, &started)?;
    starts_are_of_what_may_start(&before, &started)?;
    starts_spare_the_draining(&deed.after, &started)?;
    rollout::check(deed, &before, &after)?;
    consistency::check(deed, &before, &after, &started)?;
    splits::check(deed, &before, &started)?;
    ends_are_counted_once(deed, &before, &after)?;
    told::check(deed)
}

fn is_to_stop(task: &Task) -> bool {
    task.desired == Desired::Stopped
}

/// A stop of a healthy task leaves as many as the floor asks.
fn floor_holds(before: &Fleet, stopped: &[&Task]) -> Check {
    let counts = |task: &&&Task| before.is_healthy(task) && !before.is_misplaced_daemon(task);
    let (healthy, gone) = (before.healthy(), stopped.iter().filter(counts).count());
    if gone == 0 || healthy >= before.floor() + gone {
        return Ok(());
    }
    violated("never below the floor", format!("{}: {gone} of {healthy} healthy stopped, floor {}", before.name(), before.floor()))
}

/// A start leaves no more, those that are stopping included, than the ceiling allows.
fn ceiling_holds(after: &Fleet, started: &[&Task]) -> Check {
    let present = after.tasks.iter().filter(|task| !task.is_stopped()).count();
    if started.is_empty() || after.service.is_daemon() || present <= after.ceiling() {
        return Ok(());
    }
    violated("never above the ceiling", format!("{}: {present} tasks, ceiling {}", after.name(), after.ceiling()))
}

/// Scale-in and deployments spare the protected; failed checks and the end of the service do not, nor does a daemon stay
/// where it may not be. What has not begun to run where all is drained does not begin there.
fn protection_holds(before: &Fleet, stopped: &[&Task]) -> Check {
    if before.service.status != Status::Active {
        return Ok(());
    }
    let is_hurt = |task: &&&Task| {
        let is_protected = task.protected_until.is_some_and(|until| until > before.now);
        let never_begins = task.last < Last::Running && before.instance(task).is_some_and(|instance| instance.draining);
        is_protected && !never_begins && !before.is_unhealthy(task) && !before.is_misplaced_daemon(task)
    };
    match stopped.iter().find(is_hurt) {
        Some(task) => violated("the protected are spared", format!("{}: {} is stopped", before.name(), short(&task.id))),
        None => Ok(()),
    }
}

/// Of what is as it should be, no more is stopped than there is too much of.
fn nothing_wanted_is_stopped(before: &Fleet, stopped: &[&Task]) -> Check {
    let gone = stopped.iter().filter(|task| before.is_current(task)).count();
    let current = before.live().filter(|task| before.is_current(task)).count();
    if gone == 0 || before.service.is_daemon() || current >= before.desired() + gone {
        return Ok(());
    }
    violated("nothing wanted is stopped", format!("{}: {gone} of {current}, desired {}", before.name(), before.desired()))
}

fn daemons_are_once(after: &Fleet, started: &[&Task]) -> Check {
    if !after.service.is_daemon() {
        return Ok(());
    }
    let there = |task: &&&Task| {
        let same = |other: &&&Task| !other.is_stopped() && other.container_instance == task.container_instance;
        after.tasks.iter().filter(same).count() > 1
    };
    match started.iter().find(there) {
        Some(task) => violated("a daemon is once on an instance", format!("{}: {}", after.name(), short(&task.id))),
        None => Ok(()),
    }
}

/// A FAILED deployment starts nothing; an older one only if it was completed.
fn starts_are_of_what_may_start(before: &Fleet, started: &[&Task]) -> Check {
    for task in started {
        let id = task.member.as_ref().map(|member| member.deployment.as_str()).unwrap_or_default();
        let at = before.service.deployments.iter().position(|deployment| deployment.id == id);
        let rollout = at.map(|at| before.service.deployments[at].rollout);
        let may = match (at, rollout) {
            (Some(0), Some(rollout)) => rollout != Rollout::Failed,
            (_, rollout) => rollout == Some(Rollout::Completed),
        };
        if !may || before.service.status != Status::Active {
            let name = before.name();
            return violated("a failed deployment starts nothing", format!("{name}: {} of {id}, {rollout:?}", short(&task.id)));
        }
    }
    Ok(())
}

fn starts_spare_the_draining(image: &Image, started: &[&Task]) -> Check {
    let is_draining = |task: &&&Task| {
        let mut instances = image.scan::<ContainerInstance>();
        instances.any(|instance| Some(&instance.id) == task.container_instance.as_ref() && instance.draining)
    };
    match started.iter().find(is_draining) {
        Some(task) => violated("nothing is placed on a DRAINING instance", task.id.clone()),
        None => Ok(()),
    }
}

/// What an end counts for, it counts for once.
fn ends_are_counted_once(deed: &Deed, before: &Fleet, after: &Fleet) -> Check {
    let is_counted = |task: &Task| task.member.as_ref().is_some_and(|member| member.is_counted);
    let is_new = |task: &&&Task| !is_counted(task) && after.task(&task.id).is_some_and(is_counted);
    let counted = before.tasks.iter().filter(is_new).count();
    let failures = |service: &Service| service.deployments.iter().map(|deployment| deployment.failed_tasks as usize).sum();
    let (was, is): (usize, usize) = (failures(before.service), failures(after.service));
    let asked = if let Action::Count(ended) = &deed.action { ended.len() } else { 0 };
    if asked == counted && is <= was + counted {
        return Ok(());
    }
    violated("an end is counted once", format!("{}: {counted} of {asked} ends, {was} failures, then {is}", before.name()))
}

fn deletion_is_of_the_inactive(before: &Fleet) -> Check {
    if before.service.status == Status::Inactive {
        return Ok(());
    }
    violated("a service ends before it is gone", before.name().to_owned())
}
