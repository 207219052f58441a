//! Every decision of a node: events in, effects out. Level-triggered: an event changes what is known of a task, and from that
//! alone follows what it wants done next. Knows no I/O, no clock and no AWS; in suggested reading order: `event`, `effect`,
//! `state`, `settle`, `steps`, `order`, `ports`, `stop`, `health`, `restart`, `recover`, `memory`, `report`.
//!
//! Three rules hold it together. A generation is durable before anything is done about it. What is in flight counts as
//! observed. Nothing is done or said before the full inventory is there.

mod apply;
mod clock;
mod effect;
mod event;
mod health;
mod memory;
mod mutation;
pub mod network;
pub mod order;
mod ports;
mod recover;
mod report;
mod restart;
mod settle;
mod signal;
mod state;
mod steps;
mod stop;
#[cfg(test)]
mod tests;

pub use effect::{Effect, Facts};
pub use event::{Attachment, Event, Exit, Inventory, Observed, Outcome, Run};
pub use network::Plug;
pub use state::Task;

use base::Time;
use mutation::{Mutation, mutated};
use report::Essence;
use settle::settle;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use workload::{Assign, Desired, Report, TaskId, TaskPhase, TaskSpec, TaskStatus};

#[derive(Default)]
pub struct Engine {
    /// The newest one obeyed.
    generation: u64,
    /// The newest one that is, or is about to be, durable.
    remembered: u64,
    recovered: bool,
    /// The newest set that came before the inventory.
    early: Option<Assign>,
    tasks: BTreeMap<TaskId, Task>,
    /// What the plane was told last.
    said: Option<u64>,
    essences: BTreeMap<TaskId, Essence>,
    wake_at: Option<Time>,
    /// For ports that others hold: they look again whatever happens.
    waiting: BTreeSet<TaskId>,
}

/// What one event led to, in the order of its effects.
#[derive(Default)]
struct Turn {
    decided: Vec<Task>,
    effects: Vec<Effect>,
    learned: Vec<Task>,
    forgotten: Vec<TaskId>,
    news: bool,
}

impl Engine {
    pub fn new() -> Engine {
        Engine::default()
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Effect> {
        let mut touched = self.apply(now, event);
        touched.append(&mut self.waiting);
        let mut turn = Turn::default();
        for id in touched {
            self.advance(&id, now, &mut turn);
        }
        self.effects(turn)
    }

    /// Notes what happened; answers whom it concerns.
    fn apply(&mut self, now: Time, event: Event) -> BTreeSet<TaskId> {
        match event {
            Event::Recovered(inventory) => self.recover(inventory, now),
            Event::Assigned(assign) => self.assign(assign),
            Event::Tick => {
                self.wake_at = None;
                self.everyone()
            }
            Event::Opened { task, result } => self.of(task, |t| apply::opened(t, result)),
            Event::VolumesReady { task, result } => self.of(task, |t| apply::volumes_ready(t, result)),
            Event::Fetched { task, result } => self.of(task, |t| apply::fetched(t, result)),
            Event::Attached { task, id, result } => self.of(task, |t| apply::attached(t, &id, result)),
            Event::Pulled { task, container, result } => {
                self.one(task, &container, |t, index| apply::pulled(t, index, result, now))
            }
            Event::Started { task, container, result } => {
                self.one(task, &container, |t, index| apply::started(t, index, result, now))
            }
            Event::Exited { task, container, runtime_id, exit } => {
                self.one(task, &container, |t, index| apply::exited(t, index, &runtime_id, exit))
            }
            Event::Probed { task, container, runtime_id, healthy } => {
                self.one(task, &container, |t, index| apply::probed(t, index, &runtime_id, healthy, now))
            }
            Event::Removed { task, container, result } => {
                self.one(task, &container, |t, index| apply::removed(t, index, result, now))
            }
            Event::Detached { task, id, result } => self.of(task, |t| apply::detached(t, &id, result, now)),
            Event::Closed { task, result } => self.of(task, |t| apply::closed(t, result, now)),
            Event::Observed { task, containers } => self.of(task, |t| apply::observed(t, &containers, now)),
        }
    }

    fn of(&mut self, id: TaskId, change: impl FnOnce(&mut Task)) -> BTreeSet<TaskId> {
        self.tasks.get_mut(&id).map(change);
        BTreeSet::from([id])
    }

    fn one(&mut self, id: TaskId, container: &str, change: impl FnOnce(&mut Task, usize)) -> BTreeSet<TaskId> {
        self.of(id, |task| {
            if let Some(index) = task.index(container) {
                change(task, index);
            }
        })
    }

    fn everyone(&self) -> BTreeSet<TaskId> {
        self.tasks.keys().cloned().collect()
    }

    fn recover(&mut self, inventory: Inventory, now: Time) -> BTreeSet<TaskId> {
        self.recovered = true;
        (self.generation, self.remembered) = (inventory.generation, inventory.generation);
        self.tasks = recover::recover(inventory, now);
        if let Some(assign) = self.early.take() {
            self.assign(assign);
        }
        self.everyone()
    }

    /// The whole set. What is not in it has no place here any more.
    fn assign(&mut self, assign: Assign) -> BTreeSet<TaskId> {
        if !self.recovered && !mutated(Mutation::ActsBeforeInventory) {
            let newer = self.early.as_ref().is_none_or(|early| early.generation <= assign.generation);
            self.early = if newer { Some(assign) } else { self.early.take() };
            return BTreeSet::new();
        }
        if assign.generation < self.generation && !mutated(Mutation::OldSetObeyed) {
            return BTreeSet::new();
        }
        self.generation = assign.generation;
        // Whoever sends a set may not know what was said before: it is sent again when a session was broken.
        self.said = None;
        let assigned: BTreeSet<TaskId> = assign.tasks.iter().map(|spec| spec.id.clone()).collect();
        if mutated(Mutation::AbsentMeansGone) {
            self.tasks.retain(|id, _| assigned.contains(id));
        }
        for (id, task) in &mut self.tasks {
            task.orphan |= !assigned.contains(id) && !mutated(Mutation::OrphansNotStopped);
        }
        for spec in assign.tasks {
            self.admit(spec);
        }
        self.everyone()
    }

    /// All of a spec but `desired` is immutable, and that only goes one way.
    fn admit(&mut self, spec: Arc<TaskSpec>) {
        match self.tasks.get_mut(&spec.id) {
            None => {
                self.tasks.insert(spec.id.clone(), Task::new(spec));
            }
            Some(task) if recover::is_ghost(task) && !spec.containers.is_empty() => *task = recover::lost(task, spec),
            Some(task) if spec.desired == Desired::Stopped => task.spec = spec,
            Some(_) => {}
        }
    }

    fn advance(&mut self, id: &TaskId, now: Time, turn: &mut Turn) {
        let has_to_wait = ports::are_held(&self.tasks, id) && !mutated(Mutation::PortsNotAwaited);
        let Some(task) = self.tasks.get_mut(id) else { return };
        settle(task, now);
        turn.decided.extend(memory::decided(task));
        let mut wanted = steps::want(task, now);
        if has_to_wait && wanted.extract_if(.., |effect| ports::are_for(effect)).count() > 0 {
            self.waiting.insert(id.clone());
        }
        wanted.iter().for_each(|effect| steps::begin(task, effect, now));
        turn.effects.extend(wanted);
        turn.learned.extend(memory::learned(task));
        let over = task.phase == TaskPhase::Stopped && task.orphan && task.close == state::Step::Done;
        let essence = report::essence(task);
        if over {
            self.tasks.remove(id);
            self.essences.remove(id);
            turn.forgotten.push(id.clone());
            turn.news = true;
        } else if self.essences.get(id) != Some(&essence) {
            self.essences.insert(id.clone(), essence);
            turn.news = true;
        }
    }

    /// What a task is, for one of its containers that asks; `None` for a task that is not known, or by its rest only.
    pub fn known(&self, task: &str) -> Option<(Arc<TaskSpec>, TaskStatus)> {
        let task = self.tasks.get(task).filter(|task| !recover::is_ghost(task))?;
        Some((Arc::clone(&task.spec), report::status(task)))
    }

    /// Whether it may run already without its start having been told.
    pub fn is_starting(&self, task: &str, container: usize) -> bool {
        let container = self.tasks.get(task).and_then(|task| task.containers.get(container));
        container.is_some_and(|container| container.life == state::Life::Starting)
    }

    fn effects(&mut self, turn: Turn) -> Vec<Effect> {
        let Turn { mut decided, effects: wanted, mut learned, forgotten, news } = turn;
        let mut effects = vec![];
        if !self.recovered && !mutated(Mutation::ActsBeforeInventory) {
            return effects;
        }
        if mutated(Mutation::MemoryBehindEffects) {
            learned.splice(0..0, std::mem::take(&mut decided));
        }
        if mutated(Mutation::FactsForgotten) {
            learned.clear();
        }
        if !decided.is_empty() || self.generation != self.remembered {
            effects.push(self.remember(decided, vec![]));
        }
        effects.extend(wanted);
        effects.extend(self.report(news));
        if !learned.is_empty() || !forgotten.is_empty() {
            effects.push(self.remember(learned, forgotten));
        }
        effects.extend(self.wake());
        effects
    }

    fn remember(&mut self, put: Vec<Task>, forget: Vec<TaskId>) -> Effect {
        self.remembered = self.generation;
        Effect::Remember { generation: self.generation, put, forget }
    }

    fn report(&mut self, news: bool) -> Option<Effect> {
        if !news && self.said == Some(self.generation) {
            return None;
        }
        self.said = Some(self.generation);
        let known = self.tasks.values().filter(|task| !recover::is_ghost(task));
        Some(Effect::Report(Report { seen: self.generation, tasks: known.map(report::status).collect() }))
    }

    fn wake(&mut self) -> Option<Effect> {
        let next = self.tasks.values().filter_map(steps::wakes_at).min();
        let sooner = next.filter(|at| self.wake_at.is_none_or(|set| *at < set))?;
        self.wake_at = Some(sooner);
        Some(Effect::WakeAt(sooner))
    }
}
