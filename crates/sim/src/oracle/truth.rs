//! What a row says of its containers, against what their host knows of every run there was.

use super::{Check, Scene, violated};
use crate::host::{End, Run};
use crate::node::Node;
use api_ecs::TaskStopCode;
use ecs::task::{Last, Task};
use store::Image;
use workload::{ContainerPhase, ContainerStatus};

const OUT_OF_MEMORY: &str = "OutOfMemoryError: Container killed due to memory usage";
const VANISHED: &str = "ContainerVanishedError: No container matching saved ID found";
/// What the stock agent says for a container that never ran.
const NEVER_STARTED: i32 = 143;

pub fn check(task: &Task, scene: &Scene<'_>, image: &Image) -> Check {
    let Some(node) = task.node.as_ref().and_then(|node| scene.nodes.get(node)) else { return Ok(()) };
    // What became of its containers nobody saw.
    if task.is_stopped() && node.buried.contains(&task.id) {
        return Ok(());
    }
    task.status.containers.iter().try_for_each(|said| container(task, said, node))?;
    code_fits(task, scene, node, image)
}

fn container(task: &Task, said: &ContainerStatus, node: &Node) -> Check {
    let name = format!("{} of {}", said.name, task.id);
    reason_is_known(said, &name, node.harmed.contains(&task.id))?;
    let Some(runtime_id) = &said.runtime_id else {
        let is_odd = said.exit_code.is_some_and(|code| code != NEVER_STARTED) || said.phase == ContainerPhase::Running;
        return if is_odd { violated("containers are as they were", format!("{name} never ran: {said:?}")) } else { Ok(()) };
    };
    let Some(run) = node.host.runs.get(runtime_id) else {
        return violated("containers are as they were", format!("{name} has a run {runtime_id} that never was"));
    };
    if run.id != (task.id.clone(), said.name.clone()) || said.started_at.is_some_and(|at| at != run.started_at) {
        return violated("containers are as they were", format!("{name} is said to be {said:?}, and was {run:?}"));
    }
    image_is_the_pinned_one(task, said, run, &name)?;
    end_is_true(said, run, &name)
}

/// It runs what its deployment is pinned to; where it is not, whatever the tag means then. An agent that crashed may not know.
fn image_is_the_pinned_one(task: &Task, said: &ContainerStatus, run: &Run, name: &str) -> Check {
    let pinned = task.member.as_ref().and_then(|member| member.digests.get(&said.name));
    let is_as_told = said.image_digest.as_ref().is_none_or(|said| *said == run.image.digest);
    let is_right = match pinned {
        Some(digest) => run.image.digest == *digest,
        None => !run.image.reference.contains('@'),
    };
    if is_as_told && is_right {
        return Ok(());
    }
    let what = format!("{name} is pinned to {pinned:?}, said to run {:?}, and ran {:?}", said.image_digest, run.image);
    violated("tasks run what is pinned", what)
}

/// Nothing fails that was not made to fail.
fn reason_is_known(said: &ContainerStatus, name: &str, is_harmed: bool) -> Check {
    let Some(reason) = &said.reason else { return Ok(()) };
    let made = reason.contains("simulated") || reason.contains("dependency graph") || reason.contains("non running container");
    let harm = is_harmed && (reason.contains("there is no such sandbox") || reason == VANISHED);
    if made || harm || reason == OUT_OF_MEMORY {
        Ok(())
    } else {
        violated("nothing fails but for a reason", format!("{name}: {reason}"))
    }
}

fn end_is_true(said: &ContainerStatus, run: &Run, name: &str) -> Check {
    let truth = match &run.end {
        Some(End::Exit(exit)) => (Some(exit.code), Some(exit.at), exit.oom_killed),
        _ => (None, None, false),
    };
    let is_over = run.end.is_some();
    let told = (said.exit_code, said.stopped_at, said.reason.as_deref() == Some(OUT_OF_MEMORY));
    let is_false = match said.phase {
        ContainerPhase::Stopped if !is_over => true,
        ContainerPhase::Stopped if run.end == Some(End::Vanished) => said.exit_code.is_some(),
        ContainerPhase::Stopped => told != truth,
        _ => said.exit_code.is_some(),
    };
    if is_false { violated("exits are as they were", format!("{name} is said to be {said:?}, and was {run:?}")) } else { Ok(()) }
}

/// `stopCode` says what happened, and `stoppedReason` in whose words.
fn code_fits(task: &Task, scene: &Scene<'_>, node: &Node, image: &Image) -> Check {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    let stop = scene.client.stops.get(&task.id);
    let fits = match &task.stop_code {
        None => true,
        Some(TaskStopCode::UserInitiated) => stop.is_some_and(|stop| stop.reasons.contains(reason)),
        Some(TaskStopCode::EssentialContainerExited) => {
            reason == "Essential container in task exited" && an_essential_ended(task, node, image)
        }
        Some(TaskStopCode::TerminationNotice) => reason == "Container instance deregistration forced by user",
        Some(TaskStopCode::ServiceSchedulerInitiated) => task.member.is_some() && !reason.is_empty(),
        Some(TaskStopCode::TaskFailedToStart) => task.started_at.is_none() && failed(task, reason, node),
        _ => false,
    };
    let code = task.stop_code.as_ref().map(|code| code.as_str());
    if fits { Ok(()) } else { violated("why it stopped is why", format!("{} ({:?}): {code:?}, {reason}", task.id, task.last)) }
}

fn an_essential_ended(task: &Task, node: &Node, image: &Image) -> bool {
    let definition = task.definition(image).map(|row| &row.definition);
    let declared = definition.iter().flat_map(|definition| definition.container_definitions.iter().flatten());
    let essential: Vec<&str> = declared.filter(|c| c.essential != Some(false)).filter_map(|c| c.name.as_deref()).collect();
    let ended = |c: &&ContainerStatus| {
        let run = c.runtime_id.as_ref().and_then(|id| node.host.runs.get(id));
        run.is_some_and(|run| run.end.is_some())
    };
    let any = task.status.containers.iter().filter(ended).any(|c| essential.contains(&c.name.as_str()));
    any || task.status.containers.iter().all(|c| c.phase == ContainerPhase::Stopped)
}

fn failed(task: &Task, reason: &str, node: &Node) -> bool {
    let lost = node.harmed.contains(&task.id) && reason.contains("there is no such sandbox");
    task.last != Last::Running
        && (lost
            || reason.contains("simulated")
            || reason.contains("dependency graph")
            || reason.contains("non running container"))
}
