//! The world: who is up, what is on its way, and the loop that lets one thing happen after another.

mod links;
mod phases;
mod troubles;
mod users;

use crate::client::Client;
use crate::mutation::Mutation;
use crate::node::{Deed, Node};
use crate::oracle::{Oracles, Scene, Violation};
use crate::plane::{Plane, Turned};
use crate::scheduler::story;
use crate::stage::Stage;
use base::Time;
use ecs::task::Task;
use kernel::Word;
use link::PlaneEnd;
use phases::Phase;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::Record;
use workload::{Assign, NodeId, TaskId};

/// More than this at one instant, and somebody goes round in circles.
const STEPS_PER_INSTANT: usize = 5_000;

/// Not sooner than this.
const TRIED_AGAIN: Duration = Duration::from_millis(500);

/// How a run went.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub seed: u64,
    pub steps: usize,
    /// What happened, a line each: the same for the same seed.
    pub story: Vec<String>,
    pub violation: Option<Violation>,
}

#[allow(clippy::large_enum_variant)] // few live at a time; boxes would only blur the matches
pub enum Event {
    ReadAtPlane {
        node: NodeId,
        session: u64,
    },
    ReadAtNode {
        node: NodeId,
        session: u64,
    },
    /// A copy of a set that was held up somewhere.
    LateSet {
        node: NodeId,
        assign: Assign,
    },
    Deed {
        node: NodeId,
        deed: Deed,
    },
    Call,
    Trouble,
    AgentDies {
        node: NodeId,
    },
    LinkBreaks {
        node: NodeId,
    },
    NodeUp {
        node: NodeId,
    },
    PlaneUp,
    /// A node is known to be gone for good.
    NodeGone {
        node: NodeId,
        said: u32,
    },
    /// One that there never was.
    NodeComes,
    Connect {
        node: NodeId,
    },
    /// The plane sees that a link is gone.
    Silence {
        node: NodeId,
    },
    /// If it is of no cluster any more.
    Register {
        node: NodeId,
    },
    PlaneDiskFreed,
    NodeDiskFreed {
        node: NodeId,
    },
    Phase(Phase),
}

pub struct World {
    stage: Stage,
    plane: Plane,
    /// The plane's writer commits until then.
    busy_until: Time,
    nodes: BTreeMap<NodeId, Node>,
    /// Hosts that were stopped: said again until it is kept.
    dead: BTreeSet<NodeId>,
    /// How many there ever were.
    born: u64,
    links: BTreeMap<NodeId, Session>,
    sessions: u64,
    client: Client,
    oracles: Oracles,
    /// Nodes whose hosts may be another thing than when they were looked at last, or are said to be.
    touched: BTreeSet<NodeId>,
    rounds: u64,
    is_over: bool,
    /// When a group that nobody asked for was not kept.
    failed_idly_at: Option<Time>,
    at_this_instant: usize,
}

pub fn run(seed: u64, mutation: Option<Mutation>) -> Outcome {
    let mut world = World::new(seed, mutation);
    let mut steps = 0;
    let verdict = loop {
        match world.step() {
            Ok(true) => steps += 1,
            Ok(false) => break None,
            Err(violation) => break Some(violation),
        }
    };
    Outcome { seed, steps, story: world.stage.story, violation: verdict }
}

/// The plane's end of a link.
struct Session {
    number: u64,
    end: PlaneEnd,
    is_greeted: bool,
}

impl World {
    fn new(seed: u64, mutation: Option<Mutation>) -> World {
        let mut stage = Stage::new(seed, mutation);
        let services = stage.profile.services;
        let plane = Plane::new(stage.rng.fork(), mutation);
        let mut world = World {
            busy_until: stage.now,
            stage,
            plane,
            nodes: BTreeMap::new(),
            dead: BTreeSet::new(),
            born: 0,
            links: BTreeMap::new(),
            sessions: 0,
            client: Client::of(services),
            oracles: Oracles::default(),
            touched: BTreeSet::new(),
            rounds: 0,
            is_over: false,
            failed_idly_at: None,
            at_this_instant: 0,
        };
        world.begin();
        world
    }

    /// One thing; `false` when nothing is left to happen.
    fn step(&mut self) -> Result<bool, Violation> {
        if self.is_over {
            return Ok(false);
        }
        let planned = self.stage.queue.next_at();
        let plane = self.plane.due_at().map(|at| at.max(self.busy_until));
        let node = self.nodes.values().filter_map(|node| Some((node.wake_at()?, &node.id))).min();
        let (node, node_at) = (node.map(|(_, id)| id.clone()), node.map(|(at, _)| at));
        let Some(next) = [planned, plane, node_at].into_iter().flatten().min() else { return Ok(false) };
        self.pass_time(next)?;
        match (planned, plane, node) {
            (Some(at), ..) if at == next => match self.stage.queue.take() {
                Some(event) => self.happen(event)?,
                None => return Ok(false),
            },
            (_, Some(at), _) if at == next => drop(self.turn()?),
            (.., Some(node)) => self.on_node(&node, Node::tick),
            _ => return Ok(false),
        }
        for name in std::mem::take(&mut self.touched) {
            self.nodes.get(&name).map_or(Ok(()), |node| self.oracles.host(&name, node))?;
        }
        Ok(true)
    }

    fn pass_time(&mut self, to: Time) -> Result<(), Violation> {
        if to > self.stage.now {
            (self.stage.now, self.at_this_instant) = (to, 0);
        }
        self.at_this_instant += 1;
        if self.at_this_instant > STEPS_PER_INSTANT {
            return Err(Violation::new("nothing goes round in circles", "time does not pass any more"));
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::ReadAtPlane { node, session } => self.read_at_plane(&node, session),
            Event::ReadAtNode { node, session } => self.read_at_node(&node, session),
            Event::LateSet { node, assign } => {
                self.on_node(&node, |node, stage| node.handle(agent::engine::Event::Assigned(assign), stage));
            }
            Event::Deed { node, deed } => self.on_node(&node, |node, stage| node.act(deed, stage)),
            Event::Call => return self.random_call(),
            Event::Trouble => self.random_trouble(),
            Event::AgentDies { node } => {
                let away_ms = self.stage.rng.below(100);
                self.agent_crashes(&node, away_ms);
            }
            Event::LinkBreaks { node } => {
                let away_ms = self.stage.rng.below(100);
                self.link_breaks(&node, away_ms);
            }
            Event::NodeUp { node } => self.node_up(&node),
            Event::PlaneUp => return self.plane_up(),
            Event::NodeGone { node, said } => self.node_gone(&node, said),
            Event::NodeComes => self.node_comes(0),
            Event::Connect { node } => self.connect(&node),
            Event::Silence { node } => self.notice(&node),
            Event::Register { node } => self.register(&node),
            Event::PlaneDiskFreed => {
                self.stage.say("plane", "its disk has room again");
                self.plane.fill_disk(false);
            }
            Event::NodeDiskFreed { node } => self.on_node(&node, |node, stage| {
                stage.say(&node.id, "its disk has room again");
                node.disk.is_full = false;
            }),
            Event::Phase(phase) => return self.enter(phase),
        }
        Ok(())
    }

    /// Tasks that the plane has given to the node.
    fn given(&self, node: &NodeId) -> Vec<TaskId> {
        let tasks = self.plane.image().map(|image| image.by::<Task>("node", node).map(|task| task.id.clone()).collect());
        tasks.unwrap_or_default()
    }

    fn on_node(&mut self, node: &NodeId, act: impl FnOnce(&mut Node, &mut Stage)) {
        if let Some(found) = self.nodes.get_mut(node) {
            self.touched.insert(node.clone());
            act(found, &mut self.stage);
        }
    }

    // -- the plane

    /// One group; whether it was kept.
    fn turn(&mut self) -> Result<bool, Violation> {
        if !self.plane.is_up() {
            return Ok(false);
        }
        let commit_ms = if self.stage.calm { 2 } else { self.stage.profile.commit_ms };
        self.busy_until = self.stage.now + Duration::from_millis(self.stage.rng.below(commit_ms));
        let Some(turned) = self.plane.turn(self.stage.now) else {
            self.stage.say("plane", "dies in a commit");
            self.plane_crashes();
            return Ok(false);
        };
        let is_kept = turned.is_kept;
        if is_kept {
            self.dead.clear();
        } else {
            self.stage.say("plane", "a group is not kept");
            self.not_kept(turned.was_asked)?;
        }
        self.turned(turned).map(|()| is_kept)
    }

    /// A full disk is left alone for a while.
    fn not_kept(&mut self, was_asked: bool) -> Result<(), Violation> {
        let now = self.stage.now;
        let before = if was_asked { None } else { self.failed_idly_at.replace(now) };
        match before {
            Some(at) if now.since(at) < TRIED_AGAIN => {
                Err(Violation::new("nothing goes round in circles", "a full disk is tried again"))
            }
            _ => Ok(()),
        }
    }

    fn turned(&mut self, turned: Turned) -> Result<(), Violation> {
        for deed in &turned.deeds {
            self.stage.say("plane", story(deed));
        }
        self.oracles.deeds(&turned.deeds, turned.is_kept)?;
        let told = self.oracles.rows(&turned.changes, &scene(&self.plane, &self.nodes, &self.client, &self.stage))?;
        told.into_iter().for_each(|line| self.stage.say("plane", line));
        if turned.changes.iter().any(|change| change.table == Task::TABLE) {
            self.touched.extend(self.nodes.keys().cloned());
        }
        for (node, assign) in turned.assigns {
            self.assign(&node, assign);
        }
        turned.answers.into_iter().try_for_each(|(call, answer)| self.answered(call, answer))
    }

    fn plane_up(&mut self) -> Result<(), Violation> {
        if self.plane.is_up() {
            return Ok(());
        }
        self.stage.say("plane", "comes up");
        let rng = self.stage.rng.fork();
        self.plane.recover(rng);
        self.failed_idly_at = None;
        for node in self.dead.clone() {
            let given = self.given(&node);
            self.on_node(&node, |node, _| node.buried.extend(given));
            self.plane.hear(&node, Word::Gone);
        }
        self.oracles.plane_is_back(self.plane.image(), self.stage.now);
        self.touched.extend(self.nodes.keys().cloned());
        // As the writer does before it listens to anybody.
        let has_begun = self.turn()?;
        if !self.plane.is_up() {
            return Ok(());
        }
        for node in self.nodes.keys() {
            let after = self.stage.rng.below(500);
            self.stage.plan(after, Event::Connect { node: node.clone() });
        }
        self.oracles.after_recovery(has_begun, &scene(&self.plane, &self.nodes, &self.client, &self.stage))
    }
}

fn scene<'a>(plane: &'a Plane, nodes: &'a BTreeMap<NodeId, Node>, client: &'a Client, stage: &Stage) -> Scene<'a> {
    Scene { image: plane.image(), nodes, client, now: stage.now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_piece_by_piece_is_what_is_read_at_once() {
        for (seed, steps) in [(1, 3_000), (4, 2_000), (6, 2_500)] {
            let mut world = World::new(seed, None);
            let _ = (0..steps).take_while(|_| world.step() == Ok(true)).count();
            let [whole, pieces] = world.plane.read_both_ways();
            assert!(whole.len() > 50 && whole == pieces, "seed {seed}");
        }
    }
}
