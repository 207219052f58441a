//! One node: an agent (the real engine behind the shell's outbox), its disk, and the host underneath. Performs effects as the
//! shell does, except that each takes a while drawn from the seed, may fail, and may be cut off by a crash of the agent.

mod effects;
mod speech;

use crate::host::{End, Host};
use crate::mutation::Mutation;
use crate::stage::{Stage, short};
use crate::world::Event as WorldEvent;
use agent::engine::{Effect, Engine, Event, Task};
use agent::{Group, outbox::Outbox, outbox::Step};
use base::Time;
use link::{NodeEnd, ToPlane};
use std::collections::{BTreeMap, BTreeSet};
use workload::{NodeFacts, NodeId, TaskId, TaskPhase};

/// Between tries to write to a disk that is full.
const WRITE_AGAIN_MS: u64 = 1_000;

pub struct Node {
    pub id: NodeId,
    /// What it really has.
    pub facts: NodeFacts,
    /// The most it ever had.
    pub most_memory_mib: u64,
    pub host: Host,
    pub disk: Disk,
    /// `None` while the agent is down.
    pub agent: Option<Agent>,
    /// Which life of the agent: results meant for an earlier one are lost.
    incarnation: u64,
    /// Tasks whose shim was killed: what then fails need not have failed on purpose.
    pub harmed: BTreeSet<TaskId>,
    /// What ended when the host was said to be stopped.
    pub buried: BTreeSet<TaskId>,
    /// What its agent remembered then.
    entombed: BTreeSet<TaskId>,
    /// What was begun again, or started, after its host had died.
    pub risen: Vec<TaskId>,
    /// Containers that were started before what they depend on.
    pub early_starts: Vec<String>,
    /// The agent dies once it has begun something.
    pub is_doomed: bool,
    /// Its link breaks once it has said something.
    pub is_cut_short: bool,
    /// How far each task was when it was last told of, for the story.
    told: BTreeMap<TaskId, TaskPhase>,
}

/// Survives the agent, and keeps of tasks what their JSON has.
#[derive(Default)]
pub struct Disk {
    pub generation: u64,
    pub tasks: BTreeMap<TaskId, Task>,
    pub is_full: bool,
}

#[derive(Default)]
pub struct Agent {
    engine: Engine,
    outbox: Outbox,
    pub wake_at: Option<Time>,
    /// Until then nothing is heard: it waits.
    is_recovered: bool,
    early: Vec<Event>,
    pub link: Option<Link>,
    /// Effects under way, and the write that is.
    doing: BTreeMap<u64, Effect>,
    writing: Option<Group>,
    begun: u64,
}

pub struct Link {
    pub session: u64,
    pub end: NodeEnd,
}

/// Something that happens on a host after a while.
#[allow(clippy::large_enum_variant)] // few live at a time; boxes would only blur the matches
pub enum Deed {
    Inventory {
        incarnation: u64,
    },
    Write {
        incarnation: u64,
    },
    Finish {
        incarnation: u64,
        number: u64,
    },
    /// The engine hears of it.
    Tell {
        incarnation: u64,
        event: Event,
    },
    /// A program ends, by itself or by a signal.
    End {
        runtime_id: String,
        code: i32,
        oom_killed: bool,
    },
    /// What nobody waits for any more (a mutation).
    Late {
        effect: Effect,
    },
}

impl Node {
    pub fn new(facts: NodeFacts) -> Node {
        Node {
            id: facts.id.clone(),
            most_memory_mib: facts.memory_mib,
            facts,
            host: Host::default(),
            disk: Disk::default(),
            agent: None,
            incarnation: 0,
            harmed: BTreeSet::new(),
            buried: BTreeSet::new(),
            entombed: BTreeSet::new(),
            risen: Vec::new(),
            early_starts: Vec::new(),
            is_doomed: false,
            is_cut_short: false,
            told: BTreeMap::new(),
        }
    }

    /// Something of it may be left, or may even come back with a set from before, until the plane's word arrives.
    pub fn has_buried(&self, task: &str) -> bool {
        self.buried.contains(task)
    }

    pub fn wake_at(&self) -> Option<Time> {
        self.agent.as_ref()?.wake_at
    }

    /// What was under way was done or was not; nobody is told.
    pub fn crash(&mut self, stage: &mut Stage) {
        let Some(agent) = self.agent.take() else { return };
        self.incarnation += 1;
        if let Some(group) = agent.writing.filter(|_| !self.disk.is_full && stage.rng.chance(50)) {
            self.disk.write(group);
        }
        for effect in agent.doing.into_values() {
            let is_start = matches!(effect, Effect::Start { .. });
            if is_start && stage.is(Mutation::StartsInventoriedEarly) {
                let deed = Deed::Late { effect };
                stage.plan_within(150, WorldEvent::Deed { node: self.id.clone(), deed });
            } else if !matches!(effect, Effect::Pull { .. } | Effect::Probe { .. }) && stage.rng.chance(50) {
                self.finish(effect, stage);
            }
        }
        if stage.is(Mutation::GenerationForgotten) {
            self.disk.generation = 0;
        }
        if stage.is(Mutation::TasksForgotten) {
            self.disk.tasks.clear();
        }
    }

    /// The shell says hello first, if there is anybody to hear it, and takes its inventory behind that.
    pub fn rise(&mut self, link: Option<Link>, stage: &mut Stage) {
        self.told.clear();
        self.agent = Some(Agent { link, ..Agent::default() });
        self.say_hello(stage);
        let deed = Deed::Inventory { incarnation: self.incarnation };
        stage.plan_within(150, WorldEvent::Deed { node: self.id.clone(), deed });
    }

    fn recover(&mut self, stage: &mut Stage) {
        if let Some(agent) = &mut self.agent {
            agent.is_recovered = true;
        }
        let mut inventory = self.host.inventory();
        if stage.is(Mutation::BlindInventory) {
            inventory.containers.clear();
            inventory.sandboxes.clear();
        }
        inventory.generation = self.disk.generation;
        inventory.tasks = self.disk.load();
        self.handle(Event::Recovered(inventory), stage);
        for event in self.agent.iter_mut().flat_map(|agent| std::mem::take(&mut agent.early)).collect::<Vec<_>>() {
            self.handle(event, stage);
        }
    }

    pub fn connect(&mut self, link: Link, stage: &mut Stage) {
        if let Some(agent) = &mut self.agent {
            agent.link = Some(link);
            self.say_hello(stage);
        }
    }

    fn say_hello(&mut self, stage: &mut Stage) {
        let mut facts = self.facts.clone();
        if stage.is(Mutation::BoastfulNode) {
            facts.memory_mib *= 2;
        }
        self.send(ToPlane::Hello(facts), stage);
    }

    pub fn tick(&mut self, stage: &mut Stage) {
        if let Some(agent) = &mut self.agent {
            agent.wake_at = None;
            if !stage.is(Mutation::NodeSleeps) {
                self.handle(Event::Tick, stage);
            }
        }
    }

    pub fn handle(&mut self, event: Event, stage: &mut Stage) {
        let Some(agent) = &mut self.agent else { return };
        if !agent.is_recovered {
            return agent.early.push(event);
        }
        let effects = agent.engine.handle(stage.now, event);
        agent.outbox.push(effects);
        self.pump(stage);
    }

    /// As the shell's: nothing passes a write.
    fn pump(&mut self, stage: &mut Stage) {
        while let Some(step) = self.agent.as_mut().and_then(|agent| agent.outbox.next()) {
            match step {
                Step::Write(group) => self.begin_write(group, stage),
                Step::Perform(Effect::Report(report)) => self.report(report, stage),
                Step::Perform(Effect::WakeAt(at)) => self.agent.iter_mut().for_each(|agent| agent.wake_at = Some(at)),
                Step::Perform(effect) => self.begin(effect, stage),
            }
        }
    }

    fn begin_write(&mut self, group: Group, stage: &mut Stage) {
        let Some(agent) = &mut self.agent else { return };
        agent.writing = Some(group);
        let incarnation = self.incarnation;
        if stage.is(Mutation::MemoryBehind) {
            agent.outbox.written();
            stage.plan(200, WorldEvent::Deed { node: self.id.clone(), deed: Deed::Write { incarnation } });
        } else {
            stage.plan_within(6, WorldEvent::Deed { node: self.id.clone(), deed: Deed::Write { incarnation } });
        }
    }

    fn write(&mut self, stage: &mut Stage) {
        if self.disk.is_full {
            let deed = Deed::Write { incarnation: self.incarnation };
            return stage.plan(WRITE_AGAIN_MS, WorldEvent::Deed { node: self.id.clone(), deed });
        }
        let Some(agent) = &mut self.agent else { return };
        if let Some(group) = agent.writing.take() {
            self.disk.write(group);
        }
        if !stage.is(Mutation::MemoryBehind) {
            agent.outbox.written();
        }
        self.pump(stage);
    }

    /// Carries a deed out. The host changes in any case; the engine hears of it if it is the one that asked.
    pub fn act(&mut self, deed: Deed, stage: &mut Stage) {
        match deed {
            Deed::Inventory { incarnation } if incarnation == self.incarnation => self.recover(stage),
            Deed::Write { incarnation } if incarnation == self.incarnation => self.write(stage),
            Deed::Tell { incarnation, event } if incarnation == self.incarnation => self.handle(event, stage),
            Deed::Finish { incarnation, number } if incarnation == self.incarnation => {
                let Some(effect) = self.agent.as_mut().and_then(|agent| agent.doing.remove(&number)) else { return };
                if let Some(event) = self.finish(effect, stage) {
                    self.tell(event, stage);
                }
            }
            Deed::End { runtime_id, code, oom_killed } => self.end(&runtime_id, code, oom_killed, stage),
            Deed::Late { effect } => drop(self.finish(effect, stage)),
            Deed::Inventory { .. } | Deed::Write { .. } | Deed::Tell { .. } | Deed::Finish { .. } => {}
        }
    }

    /// Almost at once; what is told about different things may overtake each other.
    fn tell(&mut self, event: Event, stage: &mut Stage) {
        let deed = Deed::Tell { incarnation: self.incarnation, event };
        stage.plan_within(4, WorldEvent::Deed { node: self.id.clone(), deed });
    }

    fn end(&mut self, runtime_id: &str, code: i32, oom_killed: bool, stage: &mut Stage) {
        let exit = agent::engine::Exit { code, oom_killed, at: stage.now };
        let Some((id, _)) = self.host.end(runtime_id, End::Exit(exit.clone())) else { return };
        stage.say(
            &self.id,
            format_args!("{}.{} exits {code}{}", short(&id.0), id.1, if oom_killed { ", out of memory" } else { "" }),
        );
        self.announce(id, runtime_id.to_owned(), exit, stage);
    }

    fn announce(&mut self, (task, container): crate::host::Id, runtime_id: String, exit: agent::engine::Exit, stage: &mut Stage) {
        if !stage.is(Mutation::ExitsUntold) {
            self.tell(Event::Exited { task, container, runtime_id, exit }, stage);
        }
    }

    /// The shim of one of its tasks is killed.
    pub fn lose_a_shim(&mut self, stage: &mut Stage) {
        let sandboxes: Vec<TaskId> = self.host.sandboxes.iter().cloned().collect();
        let Some(task) = stage.rng.pick(&sandboxes).cloned() else { return };
        stage.say(&self.id, format_args!("the shim of {} is killed", short(&task)));
        self.host.lose_shim(&task, stage.now);
        self.harmed.insert(task.clone());
        self.tell_observed(task, stage);
    }

    /// Everything the runtime has of one task.
    fn tell_observed(&mut self, task: TaskId, stage: &mut Stage) {
        let containers = self.host.observed().filter(|seen| seen.task == task).collect();
        self.tell(Event::Observed { task, containers }, stage);
    }

    /// With the tasks that it was given.
    pub fn stop(&mut self, given: Vec<TaskId>, stage: &mut Stage) {
        self.buried.extend(given.into_iter().chain(self.host.tasks().into_iter().map(str::to_owned)));
        self.reboot(stage);
        self.entombed.extend(self.disk.tasks.keys().cloned());
        if !stage.is(Mutation::BuriedForgotten) {
            self.disk.bury();
        }
    }

    pub fn reboot(&mut self, stage: &mut Stage) {
        self.crash(stage);
        self.harmed.extend(self.host.sandboxes.iter().cloned());
        self.host.reboot(stage.now, || stage.rng.chance(20));
    }
}

impl Disk {
    fn write(&mut self, group: Group) {
        self.generation = group.generation;
        for (id, task) in group.tasks {
            match task {
                Some(task) => drop(self.tasks.insert(id, task)),
                None => drop(self.tasks.remove(&id)),
            }
        }
    }

    /// As whoever starts the agent of a machine that died does.
    fn bury(&mut self) {
        for task in self.tasks.values_mut() {
            *task = read_again(task);
            task.bury();
        }
    }

    fn load(&self) -> Vec<Task> {
        self.tasks.values().map(read_again).collect()
    }
}

/// Whatever its JSON does not keep is lost.
fn read_again(task: &Task) -> Task {
    let json = serde_json::to_vec(task).expect("memory is plain data");
    serde_json::from_slice(&json).expect("what was written is read")
}
