//! One node: the real engine, its durable memory, and the host underneath. Performs effects as the shell does, except that
//! each takes a while drawn from the seed and may be cut off by a crash of the agent.

use crate::Mutation;
use crate::host::{Container, Host, Id};
use agent::engine::{Effect, Engine, Event, Exit, Run, Task};
use base::{Rng, Time};
use std::collections::BTreeMap;
use std::time::Duration;
use workload::{Image, NodeFacts, Report, TaskId};

pub struct Node {
    pub facts: NodeFacts,
    pub host: Host,
    /// `None` while the agent is down.
    pub engine: Option<Engine>,
    memory: Memory,
    /// Which life of the agent: results meant for an earlier one are lost.
    pub incarnation: u64,
    pub wake_at: Option<Time>,
    mutation: Option<Mutation>,
}

/// Survives the agent.
#[derive(Default)]
struct Memory {
    generation: u64,
    tasks: BTreeMap<TaskId, Task>,
}

/// Something a host does after a while.
pub enum Deed {
    /// The rest of an effect: changes the host, then tells the engine if the agent that asked still lives.
    Finish { incarnation: u64, effect: Effect },
    /// A container ends by itself.
    End { id: Id, runtime_id: String, code: i32, oom_killed: bool },
}

/// What performing led to, for the world to carry on.
#[derive(Default)]
pub struct Performed {
    pub deeds: Vec<(Duration, Deed)>,
    pub reports: Vec<Report>,
}

impl Node {
    pub fn new(facts: NodeFacts, mutation: Option<Mutation>) -> Node {
        let (host, memory) = (Host::default(), Memory::default());
        Node { facts, host, engine: None, memory, incarnation: 0, wake_at: None, mutation }
    }

    pub fn crash(&mut self) {
        self.engine = None;
        self.wake_at = None;
        self.incarnation += 1;
        if self.mutation == Some(Mutation::GenerationForgotten) {
            self.memory.generation = 0;
        }
        if self.mutation == Some(Mutation::MemoryForgotten) {
            self.memory.tasks.clear();
        }
    }

    pub fn recover(&mut self, now: Time, rng: &mut Rng) -> Performed {
        self.engine = Some(Engine::new());
        let mut inventory = self.host.inventory();
        if self.mutation == Some(Mutation::BlindInventory) {
            inventory.containers.clear();
            inventory.sandboxes.clear();
        }
        inventory.generation = self.memory.generation;
        inventory.tasks = self.memory.tasks.values().cloned().collect();
        self.handle(now, rng, Event::Recovered(inventory))
    }

    pub fn handle(&mut self, now: Time, rng: &mut Rng, event: Event) -> Performed {
        let Some(engine) = &mut self.engine else { return Performed::default() };
        let effects = engine.handle(now, event);
        let mut performed = Performed::default();
        for effect in effects {
            self.perform(effect, rng, &mut performed);
        }
        performed
    }

    fn perform(&mut self, effect: Effect, rng: &mut Rng, performed: &mut Performed) {
        match effect {
            Effect::Remember { generation, put, forget } => self.remember(generation, put, &forget),
            Effect::WakeAt(at) => self.wake_at = Some(at),
            Effect::Report(report) => performed.reports.push(self.spoken(report, rng)),
            effect => {
                let while_ms = match effect {
                    Effect::Pull { .. } if rng.chance(10) => rng.below(5_000),
                    Effect::Pull { .. } => rng.below(50),
                    _ => rng.below(20),
                };
                let deed = Deed::Finish { incarnation: self.incarnation, effect };
                performed.deeds.push((Duration::from_millis(while_ms), deed));
            }
        }
    }

    fn remember(&mut self, generation: u64, put: Vec<Task>, forget: &[TaskId]) {
        self.memory.generation = generation;
        self.memory.tasks.extend(put.into_iter().map(|task| (task.spec.id.clone(), task)));
        self.memory.tasks.retain(|id, _| !forget.contains(id));
    }

    fn spoken(&self, mut report: Report, rng: &mut Rng) -> Report {
        if self.mutation == Some(Mutation::FalseAbsence) && !report.tasks.is_empty() && rng.chance(10) {
            report.tasks.remove(0);
        }
        report
    }

    /// Carries a deed out. The host changes in any case; the engine hears of it if it is the one that asked.
    pub fn act(&mut self, now: Time, rng: &mut Rng, chaos: bool, deed: Deed) -> Performed {
        let (mut ends, event, incarnation) = match deed {
            Deed::End { id, runtime_id, code, oom_killed } => {
                let event = self.end(&id, &runtime_id, Exit { code, oom_killed, at: now });
                (vec![], event, self.incarnation)
            }
            Deed::Finish { incarnation, effect } => {
                // A shell that died does not finish what it had not begun.
                if incarnation != self.incarnation && rng.chance(50) {
                    return Performed::default();
                }
                let (ends, event) = self.finish(now, rng, chaos, effect);
                (ends, event, incarnation)
            }
        };
        let mut performed = match event.filter(|_| incarnation == self.incarnation) {
            Some(event) => self.handle(now, rng, event),
            None => Performed::default(),
        };
        performed.deeds.append(&mut ends);
        performed
    }

    fn finish(&mut self, now: Time, rng: &mut Rng, chaos: bool, effect: Effect) -> (Vec<(Duration, Deed)>, Option<Event>) {
        let fails = chaos && rng.chance(3);
        let outcome = |what: &str| if fails { Err(format!("{what}: simulated")) } else { Ok(()) };
        let event = match effect {
            Effect::Open(spec) => {
                let result = outcome("ResourceInitializationError");
                if result.is_ok() {
                    self.host.sandboxes.insert(spec.id.clone());
                }
                Event::Opened { task: spec.id.clone(), result }
            }
            Effect::PrepareVolumes(spec) => {
                Event::VolumesReady { task: spec.id.clone(), result: outcome("CannotCreateVolumeError") }
            }
            Effect::Attach { task, plug } => {
                let result = outcome("CannotStartContainerError");
                let result = result.map(|()| self.host.attach(&plug.id, plug.connected));
                Event::Attached { task, id: plug.id, result }
            }
            Effect::Pull { task, container, .. } => {
                let image = Image { digest: "sha256:0".into(), ..Image::default() };
                Event::Pulled { task: task.id.clone(), container, result: outcome("CannotPullContainerError").map(|()| image) }
            }
            Effect::Start { container, facts } => return self.start(now, rng, (facts.spec.id.clone(), container), outcome("CannotStartContainerError")),
            Effect::Signal { task, container, signal } => return (self.signal(rng, (task, container), signal), None),
            Effect::Probe { task, container, runtime_id, .. } => {
                let healthy = !chaos || rng.chance(80);
                Event::Probed { task, container, runtime_id, healthy }
            }
            Effect::Remove { task, container } => {
                self.host.containers.remove(&(task.clone(), container.clone()));
                Event::Removed { task, container, result: Ok(()) }
            }
            Effect::Detach { task, id } => {
                self.host.attachments.remove(&id);
                Event::Detached { task, id, result: Ok(()) }
            }
            Effect::Close(spec) => {
                if self.mutation == Some(Mutation::LeakyClose) {
                    self.host.sandboxes.remove(&spec.id);
                } else {
                    self.host.close(&spec.id);
                }
                Event::Closed { task: spec.id.clone(), result: Ok(()) }
            }
            Effect::Remember { .. } | Effect::Report(_) | Effect::WakeAt(_) => return (vec![], None),
        };
        (vec![], Some(event))
    }

    fn start(
        &mut self,
        now: Time,
        rng: &mut Rng,
        id: Id,
        outcome: Result<(), String>,
    ) -> (Vec<(Duration, Deed)>, Option<Event>) {
        let (task, container) = id.clone();
        if let Err(reason) = outcome {
            return (vec![], Some(Event::Started { task, container, result: Err(reason) }));
        }
        if !self.host.sandboxes.contains(&task) {
            let result = Err("CannotStartContainerError: no sandbox".to_owned());
            return (vec![], Some(Event::Started { task, container, result }));
        }
        let runtime_id = rng.hex32();
        let stubborn = rng.chance(10);
        self.host.start(id.clone(), Container { runtime_id: runtime_id.clone(), started_at: now, exit: None, stubborn });
        let mut deeds = vec![];
        // Names say how long a pretended program lives: a job ends, a server does not.
        if container.starts_with("job") || rng.chance(5) {
            let code = if rng.chance(80) { 0 } else { 1 };
            let deed = Deed::End { id, runtime_id: runtime_id.clone(), code, oom_killed: rng.chance(2) };
            deeds.push((Duration::from_millis(rng.below(3_000)), deed));
        }
        (deeds, Some(Event::Started { task, container, result: Ok(Run { runtime_id, at: now }) }))
    }

    fn signal(&mut self, rng: &mut Rng, id: Id, signal: i32) -> Vec<(Duration, Deed)> {
        let Some(container) = self.host.containers.get(&id).filter(|c| c.exit.is_none()) else { return vec![] };
        if container.stubborn && signal != 9 {
            return vec![];
        }
        let deed = Deed::End { id, runtime_id: container.runtime_id.clone(), code: 128 + signal, oom_killed: false };
        vec![(Duration::from_millis(rng.below(200)), deed)]
    }

    fn end(&mut self, id: &Id, runtime_id: &str, exit: Exit) -> Option<Event> {
        let exit = self.host.end(id, runtime_id, exit)?;
        if self.mutation == Some(Mutation::ExitsLost) {
            return None;
        }
        Some(Event::Exited { task: id.0.clone(), container: id.1.clone(), runtime_id: runtime_id.to_owned(), exit })
    }
}
