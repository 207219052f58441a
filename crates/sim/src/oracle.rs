//! What must be true: of every row that changes, of hosts at every step, and of everything after calm. Each says what it saw;
//! none knows how it came about.

mod end;
mod outbox;
mod row;
mod service;
mod truth;

pub use end::{all_stopped, converged, forgotten};

use crate::client::{Client, Request, text};
use crate::node::Node;
use crate::scheduler::Deed;
use crate::stage::short;
use base::Time;
use ecs::container_instance::ContainerInstance;
use ecs::node::{Ledger, Node as NodeRow};
use ecs::task::Task;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::{Change, Image, Record};
use workload::{Desired, NodeId, TaskId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub oracle: &'static str,
    pub what: String,
}

impl Violation {
    pub fn new(oracle: &'static str, what: impl Into<String>) -> Violation {
        Violation { oracle, what: what.into() }
    }
}

type Check = Result<(), Violation>;

fn violated(oracle: &'static str, what: impl Into<String>) -> Check {
    Err(Violation::new(oracle, what))
}

/// All there is to look at.
pub struct Scene<'a> {
    /// `None` while the plane is down.
    pub image: Option<&'a Image>,
    pub nodes: &'a BTreeMap<NodeId, Node>,
    pub client: &'a Client,
    pub now: Time,
}

const HOUR: Duration = Duration::from_secs(3600);

/// What the oracles remember between steps.
#[derive(Default)]
pub struct Oracles {
    /// Every task as it was last published.
    tasks: BTreeMap<String, Arc<Task>>,
    /// Its tasks, by what they were started by.
    started_by: BTreeMap<String, BTreeSet<String>>,
    /// When a group was published last, and the longest time without one so far.
    published_at: Option<Time>,
    longest_absence: Duration,
    /// The plane has just come back: what it has may be older.
    is_back: bool,
    /// When each was published as STOPPED.
    stopped: BTreeMap<String, Time>,
    outbox: outbox::Outbox,
    throttle: service::Throttle,
    splits: service::Splits,
    sayings: service::Sayings,
}

impl Oracles {
    /// A group is published; answers what is worth telling of it.
    pub fn rows(&mut self, changes: &[Change], scene: &Scene<'_>) -> Result<Vec<String>, Violation> {
        let Some(image) = scene.image else { return Ok(Vec::new()) };
        self.published_at = Some(scene.now);
        let mut story = Vec::new();
        if changes.is_empty() {
            return Ok(story);
        }
        for change in changes.iter().filter(|change| change.table == Task::TABLE) {
            match image.get_arc::<Task>(change.key.as_str()) {
                Some(task) => story.extend(self.task(task, scene, image)?),
                None => self.gone(change.key.as_str(), scene)?,
            }
        }
        for change in changes.iter().filter(|change| [Ledger::TABLE, NodeRow::TABLE].contains(&change.table)) {
            ledger_is_the_sum(image, change.key.as_str())?;
        }
        self.outbox.group(changes, image)?;
        service::changed_rows(changes, image)?;
        self.sayings.group(changes, image)?;
        Ok(story)
    }

    /// What the service scheduler wrote in a group, kept or not.
    pub fn deeds(&mut self, deeds: &[Deed], are_kept: bool) -> Check {
        deeds.iter().try_for_each(service::deed)?;
        deeds.iter().for_each(|deed| self.splits.deed(deed));
        if are_kept {
            deeds.iter().try_for_each(|deed| self.throttle.deed(deed))?;
        }
        Ok(())
    }

    fn task(&mut self, task: Arc<Task>, scene: &Scene<'_>, image: &Image) -> Result<Option<String>, Violation> {
        // Read once more by a plane that has come back; what has ended long ago is what it was.
        if task.is_stopped() && self.tasks.get(&task.id).is_some_and(|before| Arc::ptr_eq(before, &task)) {
            return Ok(None);
        }
        row::check(&task)?;
        truth::check(&task, scene, image)?;
        let before = self.tasks.insert(task.id.clone(), Arc::clone(&task));
        match &before {
            Some(before) => row::check_change(before, &task)?,
            None => self.appeared(&task, scene, image)?,
        }
        if task.is_stopped() && !self.stopped.contains_key(&task.id) {
            self.stopped.insert(task.id.clone(), scene.now);
            the_stopped_hold_nothing(&task.id, scene)?;
        }
        let differs = before.is_none_or(|before| (before.last, before.desired) != (task.last, task.desired));
        Ok(differs.then(|| row::story(&task)))
    }

    fn appeared(&mut self, task: &Task, scene: &Scene<'_>, image: &Image) -> Check {
        let by = task.started_by.clone().unwrap_or_default();
        self.started_by.entry(by.clone()).or_default().insert(task.id.clone());
        let answered = scene.client.runs.get(&by).and_then(|run| run.answered.as_ref());
        if answered.is_some_and(|answered| !answered.contains(&task.id)) {
            return violated("a token makes its tasks once", format!("{by} was answered, and now makes {}", task.id));
        }
        // Its node may have come to its end in the same group.
        if task.is_stopped() {
            return Ok(());
        }
        placement_had_room(task, image)?;
        if !self.is_back {
            placement_had_somebody(task, image)?;
        }
        placement_spares_the_draining(task, scene, image)
    }

    /// Rows go an hour after their end and not before.
    fn gone(&mut self, key: &str, scene: &Scene<'_>) -> Check {
        let id = key.rsplit('/').next().unwrap_or_default();
        self.tasks.remove(id);
        if self.is_due(id, scene.now) { Ok(()) } else { violated("a task is kept for an hour", id) }
    }

    /// A commit that the plane died behind is heard of when it is back, if at all.
    fn is_due(&self, id: &str, now: Time) -> bool {
        let known_for = self.stopped.get(id).map(|at| now.since(*at)).unwrap_or_default();
        known_for + self.longest_absence >= HOUR
    }

    /// After calm, what depends on how it came about.
    pub fn converged(&self, scene: &Scene<'_>) -> Check {
        let Some(image) = scene.image else { return Ok(()) };
        self.splits.converged(image, scene.now)?;
        service::last_words(image, scene.now)
    }

    pub fn plane_is_back(&mut self, image: Option<&Image>, now: Time) {
        self.is_back = true;
        image.into_iter().for_each(|image| self.throttle.begin_again(image));
        let absence = self.published_at.map(|at| now.since(at)).unwrap_or_default();
        self.longest_absence = self.longest_absence.max(absence);
    }

    /// What was published is there, and no task has gone back.
    pub fn after_recovery(&mut self, has_begun: bool, scene: &Scene<'_>) -> Check {
        let Some(image) = scene.image else { return Ok(()) };
        let there: BTreeMap<&str, &Task> = image.scan::<Task>().map(|task| (task.id.as_str(), task)).collect();
        for (id, before) in &self.tasks {
            match there.get(id.as_str()) {
                Some(task) if std::ptr::eq(*task, &raw const **before) => {}
                Some(task) => row::check_change(before, task)?,
                None if self.is_due(id, scene.now) => {}
                None => return violated("what was published is durable", format!("task {id} is gone")),
            }
        }
        let changes: Vec<Change> = image.scan::<Task>().map(|task| Change { table: Task::TABLE, key: task.key() }).collect();
        self.outbox.after_recovery(image)?;
        self.sayings.begin_again(image)?;
        self.rows(&changes, scene)?;
        service::rows(image)?;
        self.is_back = false;
        let mut nodes = image.scan::<NodeRow>();
        nodes.try_for_each(|node| ledger_is_the_sum(image, &node.facts.id))?;
        if has_begun { nobody_is_connected(image) } else { Ok(()) }
    }

    /// A call was answered and the answer heard.
    pub fn answered(&self, request: &Request, is_refused: bool, client: &Client) -> Check {
        match request.operation {
            "RunTask" => self.run_is_whole(&text(&request.input["clientToken"]), client),
            "StopTask" if !is_refused => self.stop_is_noted(crate::client::id_of(&text(&request.input["task"]))),
            _ => Ok(()),
        }
    }

    /// An answered RunTask made the tasks that it was answered with and no others.
    fn run_is_whole(&self, token: &str, client: &Client) -> Check {
        let none = BTreeSet::new();
        let Some(answered) = client.runs.get(token).and_then(|run| run.answered.as_ref()) else { return Ok(()) };
        let made = self.started_by.get(token).unwrap_or(&none);
        if made == answered {
            Ok(())
        } else {
            violated("a token makes its tasks once", format!("{token} made {made:?}, not {answered:?}"))
        }
    }

    fn stop_is_noted(&self, id: &str) -> Check {
        match self.tasks.get(id) {
            Some(task) if task.desired == Desired::Stopped => Ok(()),
            Some(_) => violated("an answered StopTask is done", format!("{id} is to run")),
            None if self.stopped.contains_key(id) => Ok(()),
            None => violated("an answered StopTask is done", format!("{id} is not there")),
        }
    }

    /// What a host holds, at every step in which that, or what is said of it, may have changed.
    pub fn host(&self, name: &NodeId, node: &Node) -> Check {
        for task in node.host.tasks() {
            if self.stopped.contains_key(task) && !node.has_buried(task) {
                return violated("a STOPPED task holds nothing", held(task, name, node));
            }
            if self.tasks.get(task).is_some_and(|row| row.node.as_ref() != Some(name)) {
                return violated("a task is on one node", held(task, name, node));
            }
        }
        if let Some(task) = node.risen.first() {
            return violated("what died with its host stays dead", format!("{name} begins {task} again"));
        }
        if let Some(start) = node.early_starts.first() {
            return violated("containers start in order", start);
        }
        self.host_holds_what_it_can(name, node)
    }

    fn host_holds_what_it_can(&self, name: &NodeId, node: &Node) -> Check {
        let is_held = |task: &&TaskId| !node.has_buried(task);
        let held = node.host.sandboxes.iter().filter(is_held).filter_map(|task| self.tasks.get(task));
        let memory_mib: u64 = held.map(|task| task.claim.memory_mib).sum();
        if memory_mib <= node.most_memory_mib {
            return Ok(());
        }
        violated("no node overcommitted: sandboxes", format!("{name} has {} MiB, its tasks {memory_mib}", node.most_memory_mib))
    }
}

fn held(task: &str, name: &str, node: &Node) -> String {
    format!("{name} holds {} of {}", node.host.holds(task).unwrap_or_default(), short(task))
}

fn the_stopped_hold_nothing(id: &str, scene: &Scene<'_>) -> Check {
    match scene.nodes.iter().find(|(_, node)| node.host.holds(id).is_some() && !node.has_buried(id)) {
        Some((name, node)) => violated("a STOPPED task holds nothing", held(id, name, node)),
        None => Ok(()),
    }
}

/// Summed here once more, on purpose, from nothing but the tasks.
fn ledger_is_the_sum(image: &Image, node: &str) -> Check {
    let ledger = image.get::<Ledger>(node).cloned().unwrap_or_else(|| Ledger { node: node.to_owned(), ..Ledger::default() });
    let mut sum = Ledger { node: node.to_owned(), ..Ledger::default() };
    for task in image.scan::<Task>().filter(|task| !task.is_stopped() && task.node.as_deref() == Some(node)) {
        sum.cpu_units += task.claim.cpu_units;
        sum.memory_mib += task.claim.memory_mib;
        sum.ports_tcp.extend(&task.claim.ports_tcp);
        sum.ports_udp.extend(&task.claim.ports_udp);
        sum.tasks += 1;
    }
    if ledger == sum { Ok(()) } else { violated("ledgers are the sum", format!("{ledger:?}, the tasks sum to {sum:?}")) }
}

/// When a task is given to a node, all that the node has then fits.
fn placement_had_room(task: &Task, image: &Image) -> Check {
    let Some(node) = task.node.as_ref().and_then(|node| image.get::<NodeRow>(node)) else {
        return violated("no node overcommitted: placement", format!("{} is on no node that is known", task.id));
    };
    let facts = &node.facts;
    let (mut cpu_units, mut memory_mib, mut ports) = (0, 0, BTreeSet::from_iter(facts.reserved_ports.iter().copied()));
    for other in image.by::<Task>("node", &facts.id) {
        cpu_units += other.claim.cpu_units;
        memory_mib += other.claim.memory_mib;
        if !other.claim.ports_tcp.iter().all(|port| ports.insert(*port)) {
            return violated("no node overcommitted: placement", format!("a port of {} was taken on {}", other.id, facts.id));
        }
    }
    if cpu_units > facts.cpu_units || memory_mib > facts.memory_mib {
        return violated("no node overcommitted: placement", format!("{} with {} MiB of tasks", facts.id, memory_mib));
    }
    Ok(())
}

fn placement_had_somebody(task: &Task, image: &Image) -> Check {
    let node = task.node.as_ref().and_then(|node| image.get::<NodeRow>(node));
    match node.filter(|node| !node.connected) {
        Some(node) => violated("nothing is placed where nobody is", format!("{} on {}", task.id, node.facts.id)),
        None => Ok(()),
    }
}

fn placement_spares_the_draining(task: &Task, scene: &Scene<'_>, image: &Image) -> Check {
    let by_run = task.started_by.as_ref().is_some_and(|by| by.starts_with("token-"));
    let mut instances = image.scan::<ContainerInstance>();
    let instance = instances.find(|instance| task.container_instance.as_ref() == Some(&instance.id)).filter(|_| by_run);
    let is_draining = instance.is_some_and(|instance| scene.client.drains.get(&instance.arn()) == Some(&Some(true)));
    if is_draining { violated("nothing is placed on a DRAINING instance", task.id.clone()) } else { Ok(()) }
}

/// After a start the plane has heard of nobody.
fn nobody_is_connected(image: &Image) -> Check {
    match image.scan::<NodeRow>().find(|node| node.connected) {
        Some(node) => violated("who is said to be connected is", format!("{}, to a plane that has just started", node.facts.id)),
        None => Ok(()),
    }
}
