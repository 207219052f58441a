//! What the agent's hands do to the host, and what comes of it.

use super::{Deed, Node};
use crate::catalog::{Program, dependencies};
use crate::host::{Done, End, Host, Pulled, Run};
use crate::mutation::Mutation;
use crate::stage::{Stage, brief};
use crate::world::Event as WorldEvent;
use agent::engine::{Effect, Event, Facts};
use workload::{Image, TaskSpec};

const SIGKILL: i32 = 9;

impl Node {
    pub(super) fn begin(&mut self, effect: Effect, stage: &mut Stage) {
        let slow = stage.profile.slow_pulls;
        let most_ms = match effect {
            Effect::Pull { .. } if stage.mishap(slow) => 60_000,
            Effect::Start { .. } => 80,
            Effect::Pull { .. } | Effect::Probe { .. } | Effect::Close(_) => 50,
            _ => 20,
        };
        if std::mem::take(&mut self.is_doomed) && !stage.calm {
            stage.plan_within(60, WorldEvent::AgentDies { node: self.id.clone() });
        }
        let Some(agent) = &mut self.agent else { return };
        agent.begun += 1;
        let deed = Deed::Finish { incarnation: self.incarnation, number: agent.begun };
        agent.doing.insert(agent.begun, effect);
        stage.plan_within(most_ms, WorldEvent::Deed { node: self.id.clone(), deed });
    }

    pub(super) fn finish(&mut self, effect: Effect, stage: &mut Stage) -> Option<Event> {
        let line = effect.to_string();
        let event = self.done(effect, stage);
        let failure = event.as_ref().and_then(failure).map(|reason| format!(": {reason}")).unwrap_or_default();
        if !line.starts_with("probe") {
            stage.say(&self.id, format_args!("{}{failure}", brief(&line)));
        }
        event
    }

    fn done(&mut self, effect: Effect, stage: &mut Stage) -> Option<Event> {
        Some(match effect {
            Effect::Open(spec) => {
                self.risen.extend(self.entombed.get(&spec.id).cloned());
                let result = attempt("ResourceInitializationError", stage).map(|()| self.host.open(&spec.id));
                Event::Opened { task: spec.id.clone(), result }
            }
            Effect::PrepareVolumes(spec) => {
                Event::VolumesReady { task: spec.id.clone(), result: attempt("CannotCreateVolumeError", stage) }
            }
            Effect::Fetch(spec) => {
                Event::Fetched { task: spec.id.clone(), result: attempt("ResourceInitializationError", stage) }
            }
            Effect::Attach { task, plug } => {
                self.risen.extend(self.entombed.get(&task).cloned());
                let result = attempt("CannotStartContainerError", stage).and_then(|()| self.host.attach(&plug));
                Event::Attached { task, id: plug.id, result }
            }
            Effect::Pull { task, container } => {
                let result = attempt("CannotPullContainerError", stage).map(|()| pull(&task, &container, stage));
                Event::Pulled { task: task.id.clone(), container, result }
            }
            Effect::Start { container, facts, .. } => return self.start(container, &facts, stage),
            Effect::Signal { task, container, signal } => return self.signal(task, container, signal, stage),
            Effect::Probe { task, container, runtime_id, .. } => {
                let healthy = self.is_healthy(&runtime_id, stage) && !stage.mishap(3);
                Event::Probed { task, container, runtime_id, healthy }
            }
            Effect::Remove { task, container } => {
                let id = (task.clone(), container.clone());
                let result = attempt("remove", stage).and_then(|()| self.host.remove(&id));
                Event::Removed { task, container, result }
            }
            Effect::Detach { task, id } => {
                let result = attempt("detach", stage);
                if result.is_ok() && !stage.is(Mutation::LeakyDetach) {
                    self.host.attachments.remove(&id);
                }
                Event::Detached { task, id, result }
            }
            Effect::Close(spec) => {
                let result = attempt("close", stage);
                if result.is_ok() {
                    self.close(&spec.id, stage);
                }
                Event::Closed { task: spec.id.clone(), result }
            }
            Effect::Remember { .. } | Effect::Report(_) | Effect::WakeAt(_) => return None,
        })
    }

    /// Its container may be gone again before the engine hears that it started.
    fn start(&mut self, container: String, facts: &Facts, stage: &mut Stage) -> Option<Event> {
        let task = facts.spec.id.clone();
        let (program, runtime_id) = (Program::of(&container), stage.rng.hex32());
        let life = program.live(&mut stage.rng, stage.calm);
        self.risen.extend(self.entombed.get(&task).cloned());
        let tried = attempt("CannotStartContainerError", stage);
        let id = (task.clone(), container.clone());
        let run = Run { id, image: pulled(facts, &container), started_at: stage.now, end: None, life: life.clone() };
        let result = tried.and_then(|()| self.host.start(&runtime_id, &program, run));
        if result.is_ok() {
            self.early_starts.extend(unmet(&self.host, &facts.spec, &container));
        }
        if let (Ok(()), Some((after_ms, code, oom_killed))) = (&result, life.end) {
            let deed = Deed::End { runtime_id: runtime_id.clone(), code, oom_killed };
            stage.plan(after_ms, WorldEvent::Deed { node: self.id.clone(), deed });
        }
        Some(Event::Started { task, container, result: result.map(|()| agent::engine::Run { runtime_id, at: stage.now }) })
    }

    fn signal(&mut self, task: String, container: String, signal: i32, stage: &mut Stage) -> Option<Event> {
        let Some((runtime_id, run)) = self.host.run(&(task.clone(), container)) else {
            self.tell_observed(task, stage);
            return None;
        };
        let is_deaf = run.life.is_stubborn && signal != SIGKILL || stage.is(Mutation::KillsLost) && signal == SIGKILL;
        let deed = Deed::End { runtime_id: runtime_id.clone(), code: 128 + signal, oom_killed: false };
        if !is_deaf && !stage.mishap(3) {
            let reaction_ms = if signal == SIGKILL { 5 } else { 1_000 };
            stage.plan_within(reaction_ms, WorldEvent::Deed { node: self.id.clone(), deed });
        }
        None
    }

    fn is_healthy(&self, runtime_id: &str, stage: &Stage) -> bool {
        let run = self.host.runs.get(runtime_id).filter(|run| run.end.is_none());
        run.is_some_and(|run| run.life.sick_after_ms.is_none_or(|ms| stage.now.since(run.started_at).as_millis() < ms.into()))
    }

    fn close(&mut self, task: &str, stage: &mut Stage) {
        if stage.is(Mutation::LeakyClose) {
            self.host.sandboxes.remove(task);
            return;
        }
        for (id, runtime_id, exit) in self.host.close(task, stage.now) {
            self.announce(id, runtime_id, exit, stage);
        }
    }
}

fn pull(task: &TaskSpec, container: &str, stage: &Stage) -> Image {
    let reference = reference(task, container);
    let tag = reference.split('@').next().unwrap_or_default();
    let asked = if stage.is(Mutation::DigestsIgnored) { tag } else { reference };
    Image { digest: stage.registry.digest(asked), ..Image::default() }
}

fn pulled(facts: &Facts, container: &str) -> Pulled {
    let digest = facts.images.get(container).map(|image| image.digest.clone()).unwrap_or_default();
    Pulled { reference: reference(&facts.spec, container).to_owned(), digest }
}

fn reference<'a>(task: &'a TaskSpec, container: &str) -> &'a str {
    task.containers.iter().find(|spec| spec.name == container).map(|spec| spec.image.as_str()).unwrap_or_default()
}

/// What the container that is being started had to wait for, and did not. Started again it waits for nobody.
fn unmet(host: &Host, spec: &TaskSpec, name: &str) -> Option<String> {
    // From what was registered, not from what the node was told.
    let depends_on = dependencies(&spec.family, name);
    if depends_on.is_empty() {
        return None;
    }
    let runs = |name: &str| host.runs.values().filter(|run| run.id == (spec.id.clone(), name.to_owned())).collect::<Vec<&Run>>();
    let ended = |run: &&Run| matches!(run.end, Some(End::Exit(_)));
    let succeeded = |run: &&Run| matches!(&run.end, Some(End::Exit(exit)) if exit.code == 0);
    if runs(name).len() > 1 {
        return None;
    }
    let is_met = |on: &(String, String)| match on.1.as_str() {
        "START" => !runs(&on.0).is_empty(),
        "COMPLETE" => runs(&on.0).iter().any(ended),
        "SUCCESS" => runs(&on.0).iter().any(succeeded),
        _ => runs(&on.0).iter().any(|run| run.life.sick_after_ms != Some(0)),
    };
    let missed = depends_on.into_iter().find(|on| !is_met(on))?;
    Some(format!("{name} of {} was started without {missed:?}", spec.id))
}

fn attempt(error: &str, stage: &mut Stage) -> Done<()> {
    let percent = stage.profile.effects_fail;
    if stage.mishap(percent) { Err(format!("{error}: simulated")) } else { Ok(()) }
}

fn failure(event: &Event) -> Option<&String> {
    match event {
        Event::Opened { result, .. } | Event::VolumesReady { result, .. } | Event::Fetched { result, .. } => {
            result.as_ref().err()
        }
        Event::Removed { result, .. } | Event::Detached { result, .. } | Event::Closed { result, .. } => result.as_ref().err(),
        Event::Attached { result, .. } => result.as_ref().err(),
        Event::Pulled { result, .. } => result.as_ref().err(),
        Event::Started { result, .. } => result.as_ref().err(),
        _ => None,
    }
}
