//! A clock that was set back. What was noted before then lies in the future, and nobody shall wait for that: it counts as
//! just happened, so that every wait is at most as long again as it is meant to be.

use super::health;
use super::state::{Container, Step, Task};
use super::stop::RETRY;
use base::Time;
use workload::ContainerSpec;

pub fn not_ahead(task: &mut Task, now: Time) {
    for (spec, container) in task.spec.containers.iter().zip(&mut task.containers) {
        of_container(spec, container, now);
    }
    for network in task.networks.values_mut() {
        of_step(&mut network.detach, now);
    }
    of_step(&mut task.close, now);
}

fn of_container(spec: &ContainerSpec, container: &mut Container, now: Time) {
    for noted in [&mut container.started_at, &mut container.signalled_at, &mut container.killed_at] {
        *noted = noted.map(|at| at.min(now));
    }
    of_step(&mut container.removal, now);
    health::not_ahead(spec, container, now);
}

fn of_step(step: &mut Step, now: Time) {
    if let Step::Again(at) = step {
        *at = (*at).min(now + RETRY);
    }
}
