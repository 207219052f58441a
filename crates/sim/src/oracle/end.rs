//! What must be true once nothing is disturbed any more: after calm, after everything was stopped, and a day later.

use super::service::is_restless;
use super::{Check, Scene, Violation, held, ledger_is_the_sum, violated};
use crate::node::Node;
use ecs::container_instance::ContainerInstance;
use ecs::node::{Ledger, Node as NodeRow};
use ecs::task::{ClientToken, Last, Task};
use ecs::task_definition::TaskDefinition;
use std::collections::BTreeSet;
use store::Image;
use workload::{ContainerPhase, Desired, Health};

pub fn converged(scene: &Scene<'_>) -> Check {
    let image = image(scene)?;
    every_task_is_where_it_is_wanted(image)?;
    for (name, node) in scene.nodes {
        rows_are_what_runs(image, name, node)?;
        nothing_else_is_held(image, name, node)?;
        ledger_is_the_sum(image, name)?;
    }
    every_node_is_there(image, scene)?;
    super::service::settled(image, scene.now)?;
    every_call_is_answered(scene)
}

pub fn all_stopped(scene: &Scene<'_>) -> Check {
    let image = image(scene)?;
    if let Some(task) = image.scan::<Task>().find(|task| !task.is_stopped()) {
        return violated("after all is stopped: all is", format!("{} is {:?}", task.id, task.last));
    }
    for (name, node) in scene.nodes {
        nothing_else_is_held(image, name, node)?;
        let ledger = image.get::<Ledger>(name).cloned().unwrap_or_default();
        if ledger.tasks != 0 || ledger.cpu_units != 0 || ledger.memory_mib != 0 || !ledger.ports_tcp.is_empty() {
            return violated("after all is stopped: ledgers are empty", format!("{ledger:?}"));
        }
    }
    every_call_is_answered(scene)
}

/// Stopped tasks for an hour, tokens for a day.
pub fn forgotten(scene: &Scene<'_>) -> Check {
    let image = image(scene)?;
    let (tasks, tokens) = (image.len::<Task>(), image.len::<ClientToken>());
    if tasks + tokens > 0 {
        return violated("a day later: nothing is left", format!("{tasks} tasks, {tokens} tokens"));
    }
    let deleting = image.scan::<TaskDefinition>().filter(|one| !one.is_active()).map(|one| one.definition.status.clone());
    match deleting.filter(|status| *status == Some(api_ecs::TaskDefinitionStatus::DeleteInProgress)).count() {
        0 => Ok(()),
        count => violated("a day later: nothing is left", format!("{count} definitions that were deleted")),
    }
}

fn image<'a>(scene: &Scene<'a>) -> Result<&'a Image, Violation> {
    scene.image.ok_or_else(|| Violation::new("after calm: the plane is up", "it is not"))
}

fn every_task_is_where_it_is_wanted(image: &Image) -> Check {
    for task in image.scan::<Task>().filter(|task| !is_restless(image, task)) {
        let settled = match task.desired {
            Desired::Running => task.last == Last::Running,
            Desired::Stopped => task.is_stopped(),
        };
        if !settled {
            return violated("after calm: settled", format!("{} is {:?}, wanted {:?}", task.id, task.last, task.desired));
        }
    }
    Ok(())
}

fn rows_are_what_runs(image: &Image, name: &str, node: &Node) -> Check {
    for task in image.by::<Task>("node", name).filter(|task| !is_restless(image, task)) {
        let shared = node.host.attachments.get(&task.id).and_then(|attachment| attachment.address.as_ref());
        if shared.is_some() && shared != task.status.address.as_ref() {
            return violated("after calm: rows are what runs", format!("{} is not at {shared:?}", task.id));
        }
        an_essential_end_is_the_end(task, image)?;
        for said in &task.status.containers {
            let id = (task.id.clone(), said.name.clone());
            let runs = node.host.run(&id).filter(|(_, run)| run.end.is_none());
            let same = match said.phase {
                ContainerPhase::Running => runs.is_some_and(|(runtime_id, _)| said.runtime_id.as_ref() == Some(runtime_id)),
                ContainerPhase::Stopped => runs.is_none(),
                ContainerPhase::Pending => false,
            };
            let health = match runs {
                Some((_, run)) if run.life.sick_after_ms.is_some() => Health::Unhealthy,
                _ => Health::Healthy,
            };
            let is_well = said.phase != ContainerPhase::Running || said.health_since.is_none() || said.health == health;
            let attachment = node.host.attachments.get(&format!("{}.{}", task.id, said.name));
            let bound = attachment.is_none_or(|a| a.bindings == said.bindings) || said.phase == ContainerPhase::Stopped;
            if !same || !is_well || !bound {
                let truth = node.host.run(&id);
                return violated("after calm: rows are what runs", format!("{id:?} is said to be {said:?}, and is {truth:?}"));
            }
        }
    }
    Ok(())
}

fn an_essential_end_is_the_end(task: &Task, image: &Image) -> Check {
    let definition = task.definition(image).map(|row| &row.definition);
    let declared = definition.iter().flat_map(|definition| definition.container_definitions.iter().flatten());
    let essential: Vec<&str> = declared.filter(|c| c.essential != Some(false)).filter_map(|c| c.name.as_deref()).collect();
    let mut ended = task.status.containers.iter().filter(|c| c.phase == ContainerPhase::Stopped);
    match ended.find(|c| essential.contains(&c.name.as_str())) {
        Some(c) => violated("an essential container's end is the task's", format!("{} of {}", c.name, task.id)),
        None => Ok(()),
    }
}

/// On the host, and in the memory of its agent.
fn nothing_else_is_held(image: &Image, name: &str, node: &Node) -> Check {
    let wanted: BTreeSet<&str> = image.by::<Task>("node", name).map(|task| task.id.as_str()).collect();
    if let Some(task) = node.host.tasks().into_iter().find(|task| !wanted.contains(task)) {
        return violated("after calm: nothing is left behind", held(task, name, node));
    }
    let is_over = |id: &&String| !image.scan::<Task>().any(|task| task.id == **id && is_restless(image, task));
    match node.disk.tasks.keys().filter(is_over).find(|task| !wanted.contains(task.as_str())) {
        Some(task) => violated("after calm: nothing is left behind", format!("{name} still remembers {task}")),
        None => Ok(()),
    }
}

fn every_node_is_there(image: &Image, scene: &Scene<'_>) -> Check {
    for (name, node) in scene.nodes {
        let row = image.get::<NodeRow>(name);
        let is_known = row.is_some_and(|row| row.connected && row.facts.id == node.facts.id);
        if !is_known || image.by::<ContainerInstance>("node", name).count() != 1 {
            return violated("after calm: every node is there", format!("{name} has the row {row:?}"));
        }
        if row.is_some_and(|row| row.facts != node.facts) {
            return violated("after calm: every node is there", format!("{name} is known for what it was"));
        }
    }
    Ok(())
}

fn every_call_is_answered(scene: &Scene<'_>) -> Check {
    match scene.client.runs.iter().find(|(_, run)| run.answered.is_none() && !run.is_abandoned) {
        Some((token, _)) => violated("after calm: every call is answered", token.clone()),
        None => Ok(()),
    }
}
