//! What a task wants done now: from its state alone, and only what is not in flight. `begin` is the other half: it notes
//! that an effect is on its way, which counts as observed from then on.

use super::effect::{Effect, Facts};
use super::order::{self, Turn};
use super::state::{Container, Life, Step, Task};
use super::{health, network, stop};
use base::Time;
use std::sync::Arc;
use workload::ContainerSpec;

pub fn want(task: &Task, now: Time) -> Vec<Effect> {
    match task.cause {
        Some(_) => stop::steps(task, now),
        None => [prepare(task), pulls(task), removals(task, now), starts(task, now), health::probes(task, now)].concat(),
    }
}

/// When `want` may answer differently although nothing happens.
pub fn wakes_at(task: &Task) -> Option<Time> {
    if task.cause.is_some() {
        return stop::wakes_at(task);
    }
    let each = (0..task.containers.len()).filter_map(|index| {
        let container = &task.containers[index];
        match container.life {
            Life::Waiting if !container.has_started() => order::gives_up_at(task, index),
            Life::Restarting => container.removal.retry_at(),
            _ => health::next_probe_at(container),
        }
    });
    each.min()
}

/// Sandbox, volumes, networks and what is only referred to, all at once, for whoever is still to be started.
fn prepare(task: &Task) -> Vec<Effect> {
    let mut effects = vec![];
    if !task.any(Life::Waiting) {
        return effects;
    }
    if task.sandbox == Step::Todo {
        effects.push(Effect::Open(Arc::clone(&task.spec)));
    }
    if task.volumes == Step::Todo {
        effects.push(Effect::PrepareVolumes(Arc::clone(&task.spec)));
    }
    if task.fetch == Step::Todo {
        effects.push(Effect::Fetch(Arc::clone(&task.spec)));
    }
    let waiting = |id: &str| waiting(task).any(|(_, spec, _)| network::plug_id(&task.spec, &spec.name).as_deref() == Some(id));
    let missing = |id: &str| task.networks.get(id).is_some_and(|n| n.attach == Step::Todo);
    let plugs = network::plugs(&task.spec).into_iter().filter(|p| missing(&p.id) && waiting(&p.id));
    effects.extend(plugs.map(|plug| Effect::Attach { task: task.spec.id.clone(), plug }));
    effects
}

/// Whose registry asks who is there has to wait for the answer.
fn pulls(task: &Task) -> Vec<Effect> {
    let may = |spec: &ContainerSpec| spec.registry_credentials.is_none() || task.fetch == Step::Done;
    let missing = waiting(task).filter(|(_, spec, c)| c.image.is_none() && c.pull == Step::Todo && may(spec));
    let pull = |(_, spec, _): (usize, &ContainerSpec, &Container)| Effect::Pull {
        task: Arc::clone(&task.spec),
        container: spec.name.clone(),
    };
    missing.map(pull).collect()
}

fn removals(task: &Task, now: Time) -> Vec<Effect> {
    let due = task.each().filter(|(_, c)| c.life == Life::Restarting && c.removal.due(now));
    due.map(|(spec, _)| Effect::Remove { task: task.spec.id.clone(), container: spec.name.clone() }).collect()
}

fn starts(task: &Task, now: Time) -> Vec<Effect> {
    let ready = waiting(task)
        .filter(|(index, spec, container)| is_prepared(task, spec, container) && order::turn(task, *index, now) == Turn::Now);
    let start = |(_, spec, container): (usize, &ContainerSpec, &Container)| Effect::Start {
        container: spec.name.clone(),
        again: container.restart_count > 0,
        facts: facts(task),
    };
    ready.map(start).collect()
}

fn is_prepared(task: &Task, spec: &ContainerSpec, container: &Container) -> bool {
    let connected = match network::plug_id(&task.spec, &spec.name) {
        Some(id) => task.networks.get(&id).is_some_and(|n| n.attach == Step::Done),
        None => true,
    };
    let prepared = [task.sandbox, task.volumes, task.fetch].iter().all(|step| *step == Step::Done);
    connected && prepared && container.image.is_some()
}

fn facts(task: &Task) -> Facts {
    let images = task.each().filter_map(|(spec, c)| Some((spec.name.clone(), Arc::clone(c.image.as_ref()?))));
    let attachments = task.networks.iter().filter_map(|(id, n)| Some((id.clone(), n.attachment.clone()?)));
    Facts { spec: Arc::clone(&task.spec), images: images.collect(), attachments: attachments.collect() }
}

fn waiting(task: &Task) -> impl Iterator<Item = (usize, &ContainerSpec, &Container)> {
    let each = task.each().enumerate().map(|(index, (spec, container))| (index, spec, container));
    each.filter(|(_, _, container)| container.life == Life::Waiting)
}

/// The effect is on its way.
pub fn begin(task: &mut Task, effect: &Effect, now: Time) {
    match effect {
        Effect::Open(_) => task.sandbox = Step::Doing,
        Effect::PrepareVolumes(_) => task.volumes = Step::Doing,
        Effect::Fetch(_) => task.fetch = Step::Doing,
        Effect::Close(_) => task.close = Step::Doing,
        Effect::Attach { plug, .. } => task.networks.entry(plug.id.clone()).or_default().attach = Step::Doing,
        Effect::Detach { id, .. } => task.networks.entry(id.clone()).or_default().detach = Step::Doing,
        Effect::Pull { container, .. } => {
            task.pull_started_at.get_or_insert(now);
            change(task, container, |c| c.pull = Step::Doing);
        }
        Effect::Start { container, .. } => change(task, container, |c| c.life = Life::Starting),
        Effect::Remove { container, .. } => change(task, container, |c| c.removal = Step::Doing),
        Effect::Probe { container, .. } => change(task, container, |c| c.pulse.probing_since = Some(now)),
        Effect::Signal { container, .. } => change(task, container, |c| match c.signalled_at {
            None => c.signalled_at = Some(now),
            Some(_) => c.killed_at = Some(now),
        }),
        Effect::Remember { .. } | Effect::Report(_) | Effect::WakeAt(_) => {}
    }
}

fn change(task: &mut Task, container: &str, how: impl FnOnce(&mut Container)) {
    let index = task.index(container).expect("an effect is wanted for containers of the task only");
    how(&mut task.containers[index]);
}
