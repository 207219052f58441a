//! What must never be seen, each rule a function. They look at effects and at the world, not at the engine.

use super::{BTreeMap, Verdict, World};
use crate::engine::*;
use std::time::Duration;
use workload::{Condition, ContainerPhase, ContainerSpec, TaskStatus};

/// What the oracles remember from one step to the next.
#[derive(Default)]
pub struct Oracles {
    specs: BTreeMap<TaskId, Arc<TaskSpec>>,
    /// The furthest that each task was said to be, and when something was remembered after that. RUNNING is said before it
    /// is durable, so it may be forgotten by an agent that dies together with the container.
    phases: BTreeMap<TaskId, TaskPhase>,
    durable: BTreeMap<TaskId, TaskPhase>,
    asked_to_stop: BTreeSet<TaskId>,
    /// Starts that were begun and have neither failed nor been seen to end.
    starting: BTreeSet<(TaskId, String)>,
    signalled: BTreeSet<(TaskId, String)>,
    /// Containers that are known to have run, at the latest when something was remembered after it was said.
    said_to_run: BTreeSet<(TaskId, String)>,
    ran: BTreeSet<(TaskId, String)>,
    /// Tasks that lost their sandbox, which the engine may not have heard.
    lost: BTreeSet<TaskId>,
    recovered: bool,
}

impl Oracles {
    pub fn crashed(&mut self) {
        self.starting.clear();
        self.signalled.clear();
        self.said_to_run.clear();
        self.phases = self.durable.clone();
        self.recovered = false;
    }

    pub fn recovered(&mut self) {
        self.recovered = true;
    }

    pub fn told(&mut self, event: &Event) {
        match event {
            Event::Started { task, container, .. } => {
                self.starting.remove(&(task.clone(), container.clone()));
            }
            Event::Observed { task, .. } => {
                self.lost.insert(task.clone());
            }
            Event::Assigned(assign) => {
                for spec in &assign.tasks {
                    self.specs.entry(spec.id.clone()).or_insert_with(|| Arc::clone(spec));
                }
            }
            _ => {}
        }
    }

    pub fn performed(&mut self, effect: &Effect, world: &World) -> Verdict {
        match effect {
            Effect::Remember { generation, put, .. } => self.remembers(*generation, put, world),
            Effect::Attach { plug, .. } => is_free(plug, world),
            Effect::Start { container, facts, .. } => self.starts(&facts.spec, container, world),
            Effect::Signal { task, container, signal } => self.signals(task, container, *signal, world),
            Effect::Report(report) => self.reports(report, world),
            Effect::Close(spec) => nothing_runs("closed", &spec.id, world),
            Effect::Detach { task, .. } => nothing_runs("detached", task, world),
            _ => Ok(()),
        }
    }

    fn remembers(&mut self, generation: u64, put: &[Task], world: &World) -> Verdict {
        for task in put {
            if task.spec.desired == Desired::Stopped || task.orphan || task.cause.is_some() {
                self.asked_to_stop.insert(task.spec.id.clone());
            }
        }
        self.ran.append(&mut self.said_to_run);
        self.durable = self.phases.clone();
        rule(generation >= world.generation, || format!("generation {} after {}", generation, world.generation))
    }

    fn starts(&mut self, spec: &TaskSpec, name: &str, world: &World) -> Verdict {
        let id = (spec.id.clone(), name.to_owned());
        rule(world.memory.contains_key(&spec.id), || format!("{id:?} starts and its task is not remembered"))?;
        rule(!self.asked_to_stop.contains(&spec.id), || format!("{id:?} starts although its task stops"))?;
        rule(!world.containers.contains_key(&id), || format!("{id:?} starts a second time"))?;
        rule(self.starting.insert(id.clone()), || format!("{id:?} is started twice at once"))?;
        let again = spec.container(name).is_some_and(|c| c.restart.is_some());
        rule(again || !self.ran.contains(&id), || format!("{id:?} has run and starts again"))?;
        let open = world.sandboxes.contains(&spec.id) || self.lost.contains(&spec.id);
        rule(open, || format!("{id:?} starts without a sandbox"))?;
        let plugged = network::plug_id(spec, name).is_none_or(|plug| world.attachments.contains_key(&plug));
        rule(plugged, || format!("{id:?} starts without its network"))?;
        self.dependencies_hold(spec, name, world)
    }

    /// Checked at the first start only; what the world cannot tell (health) is checked as far as it can.
    fn dependencies_hold(&self, spec: &TaskSpec, name: &str, world: &World) -> Verdict {
        if remembered(world, &spec.id).is_some_and(|task| task.container(name).is_some_and(|(_, c)| c.has_started())) {
            return Ok(());
        }
        if self.lost.contains(&spec.id) {
            return Ok(()); // what it depends on may have gone since the engine looked
        }
        let container = spec.container(name).ok_or("an unknown container starts")?;
        for dependency in &container.depends_on {
            let id = (spec.id.clone(), dependency.container.clone());
            let exit = world.ever_exited.get(&id);
            let holds = match dependency.condition {
                Condition::Start => world.ever_started.contains(&id), // it may just be restarted
                Condition::Complete => exit.is_some(),
                Condition::Success => exit == Some(&0),
                Condition::Healthy => world.ever_started.contains(&id),
            };
            rule(holds, || format!("{}.{name} starts although {dependency:?} does not hold", spec.id))?;
        }
        Ok(())
    }

    fn signals(&mut self, task: &str, name: &str, signal: i32, world: &World) -> Verdict {
        let id = (task.to_owned(), name.to_owned());
        let runs = world.containers.get(&id).is_some_and(|seen| seen.exit.is_none());
        let spec = self.specs.get(task).ok_or("an unknown task is signalled")?;
        let first = self.signalled.insert(id.clone());
        rule(first || signal == signal::SIGKILL, || format!("{id:?} is asked to stop again"))?;
        if let (true, Some((_, container))) = (signal == signal::SIGKILL, spec.container(name).map(|c| ((), c))) {
            self.was_given_its_time(task, container, world)?;
        }
        let depends = |other: &&ContainerSpec| other.depends_on.iter().any(|d| d.container == name);
        for other in spec.containers.iter().filter(depends) {
            let seen = world.containers.get(&(task.to_owned(), other.name.clone()));
            let lives = seen.is_some_and(|seen| seen.exit.is_none());
            rule(!lives || !runs, || format!("{id:?} is stopped before {}", other.name))?;
        }
        Ok(())
    }

    fn was_given_its_time(&self, task: &str, container: &ContainerSpec, world: &World) -> Verdict {
        let Some(memory) = remembered(world, task) else { return Ok(()) };
        let timeout = Duration::from_secs(container.stop_timeout_s.unwrap_or(30).into());
        let asked_at = memory.container(&container.name).and_then(|(_, c)| c.signalled_at);
        let due = asked_at.is_none_or(|at| at + timeout <= world.now);
        rule(due, || format!("{task}.{} is killed before its time", container.name))
    }

    fn reports(&mut self, report: &Report, world: &World) -> Verdict {
        rule(self.recovered, || "a report before the inventory".to_owned())?;
        rule(report.seen <= world.generation, || "a generation is said to be obeyed that is not durable".to_owned())?;
        for task in &report.tasks {
            let ran = task.containers.iter().filter(|c| c.started_at.is_some());
            self.said_to_run.extend(ran.map(|c| (task.id.clone(), c.name.clone())));
            self.moves_forward(task)?;
            says_what_is(task, world)?;
        }
        for id in self.phases.keys().filter(|id| !report.tasks.iter().any(|task| &task.id == *id)) {
            nothing_runs("said to be gone", id, world)?;
        }
        Ok(())
    }

    fn moves_forward(&mut self, task: &TaskStatus) -> Verdict {
        let before = self.phases.insert(task.id.clone(), task.phase).unwrap_or_default();
        rule(before <= task.phase, || format!("{} goes from {before:?} back to {:?}", task.id, task.phase))
    }

    /// All assigned tasks run or have stopped, and nothing else is left.
    pub fn after_calm(&self, wanted: &BTreeMap<TaskId, TaskSpec>, world: &World) -> Verdict {
        rule(settled(wanted, world), || format!("not settled: {}", phases(world)))?;
        for (id, spec) in wanted {
            let phase = said(world, id).map(|task| task.phase);
            let stops = spec.desired == Desired::Stopped;
            rule(!stops || phase == Some(TaskPhase::Stopped), || format!("{id} was asked to stop and is {phase:?}"))?;
        }
        let known = |id: &TaskId| wanted.contains_key(id) && said(world, id).is_some_and(|t| t.phase == TaskPhase::Running);
        let held = world.sandboxes.iter().chain(world.containers.keys().map(|(task, _)| task));
        let held = held.cloned().chain(world.attachments.keys().map(|id| network::owner(id).to_owned()));
        let orphans: BTreeSet<TaskId> = held.filter(|id| !known(id)).collect();
        rule(orphans.is_empty(), || format!("still held for {orphans:?}"))?;
        let remembered: BTreeSet<_> = world.memory.keys().filter(|id| !wanted.contains_key(*id)).collect();
        rule(remembered.is_empty(), || format!("still remembered: {remembered:?}"))
    }
}

/// No port is asked for that another one still has.
fn is_free(plug: &Plug, world: &World) -> Verdict {
    let has_ports = |attachment: &Attachment| !attachment.bindings.is_empty();
    let mut others = world.attachments.iter().filter(|(id, attachment)| **id != plug.id && has_ports(attachment));
    rule(plug.ports.is_empty() || others.next().is_none(), || format!("{} asks for a port that is taken", plug.id))
}

/// A task that is said to be stopped holds nothing, and an ended container does not run.
fn says_what_is(task: &TaskStatus, world: &World) -> Verdict {
    if task.phase == TaskPhase::Stopped {
        nothing_runs("said to be stopped", &task.id, world)?;
        let holds = world.attachments.keys().any(|id| network::owner(id) == task.id);
        rule(!holds, || format!("{} is said to be stopped and holds its ports", task.id))?;
        rule(task.stopped_at.is_some() && task.execution_stopped_at.is_some(), || format!("{}: stopped when?", task.id))?;
    }
    for container in task.containers.iter().filter(|c| c.phase == ContainerPhase::Stopped) {
        let seen = world.containers.get(&(task.id.clone(), container.name.clone()));
        let runs = seen.is_some_and(|seen| seen.exit.is_none());
        rule(!runs, || format!("{}.{} is said to have stopped and runs", task.id, container.name))?;
        let code = seen.and_then(|seen| seen.exit.as_ref()).map(|exit| exit.code);
        let lost = code.is_some() && code != container.exit_code;
        rule(!lost, || format!("{}.{} exited with {code:?}, said is {:?}", task.id, container.name, container.exit_code))?;
    }
    Ok(())
}

/// What is said to run runs; one that is being restarted does again, soon.
fn runs_as_said(task: &TaskStatus, world: &World) -> bool {
    let runs = |name: &String| world.running().any(|seen| seen.task == task.id && &seen.container == name);
    task.containers.iter().filter(|c| c.phase == ContainerPhase::Running).all(|c| runs(&c.name))
}

/// Also a start that is under way counts.
fn nothing_runs(what: &str, task: &str, world: &World) -> Verdict {
    let runs = world.running().find(|seen| seen.task == task);
    rule(runs.is_none(), || format!("{task} is {what} while {} runs", runs.map_or("?", |seen| &seen.container)))?;
    let starts = |e: &Effect| matches!(e, Effect::Start { facts, .. } if facts.spec.id == task);
    rule(!world.in_flight.iter().any(starts), || format!("{task} is {what} while a container starts"))
}

fn phases(world: &World) -> String {
    let tasks = world.said.iter().flat_map(|report| &report.tasks);
    tasks.map(|task| format!("{}:{:?} ", task.id, task.phase)).collect()
}

fn rule(holds: bool, broken: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(broken()) }
}

fn remembered(world: &World, id: &str) -> Option<Task> {
    world.memory.get(id).and_then(|json| serde_json::from_str(json).ok())
}

fn said<'a>(world: &'a World, id: &str) -> Option<&'a TaskStatus> {
    world.said.as_ref()?.tasks.iter().find(|task| task.id == id)
}

pub fn settled(wanted: &BTreeMap<TaskId, TaskSpec>, world: &World) -> bool {
    let at_rest = |id: &TaskId| said(world, id).is_some_and(|task| matches!(task.phase, TaskPhase::Running | TaskPhase::Stopped));
    let mut all = world.said.iter().flat_map(|report| &report.tasks);
    wanted.keys().all(at_rest) && all.all(|task| wanted.contains_key(&task.id) && runs_as_said(task, world))
}

/// A running container whose completion somebody waits for who has not started.
pub fn waited_for(wanted: &BTreeMap<TaskId, TaskSpec>, world: &World) -> Option<(TaskId, String)> {
    let running = |task: &TaskId, name: &str| {
        world.containers.get(&(task.clone(), name.to_owned())).is_some_and(|seen| seen.exit.is_none())
    };
    for (id, spec) in wanted {
        let pending = spec.containers.iter().filter(|c| !world.containers.contains_key(&(id.clone(), c.name.clone())));
        let needs = pending.flat_map(|c| &c.depends_on);
        let ends = |d: &&workload::Dependency| matches!(d.condition, Condition::Complete | Condition::Success);
        let timeless = |d: &&workload::Dependency| spec.container(&d.container).is_some_and(|c| c.start_timeout_s.is_none());
        if let Some(dependency) = needs.filter(ends).filter(timeless).find(|d| running(id, &d.container)) {
            return Some((id.clone(), dependency.container.clone()));
        }
    }
    None
}
