//! The world: who is up, what is on its way, and the loop that lets one thing happen after another.

use crate::Mutation;
use crate::client::{self, Client};
use crate::host::Host;
use crate::node::{Deed, Node, Performed};
use crate::oracle::{self, NODE_MEMORY_MIB, Oracles, Violation};
use crate::plane::Plane;
use crate::queue::Queue;
use base::{Rng, Time};
use kernel::core::Outcome as Group;
use std::collections::BTreeMap;
use std::time::Duration;
use workload::{Assign, NodeFacts, NodeId, Report};

const START: Time = Time(1_800_000_000_000);
const CHAOS: Duration = Duration::from_secs(120);
/// Longer than any timeout that calm has to wait out: dependencies, stops, health.
const CALM: Duration = Duration::from_secs(15 * 60);
const STEPS_MAX: usize = 200_000;

/// How a run went.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub seed: u64,
    pub steps: usize,
    /// What happened, a line a step: the same for the same seed.
    pub trace: Vec<String>,
    pub violation: Option<Violation>,
}

enum Event {
    ToNode { node: NodeId, session: u64, assign: Assign },
    ToPlane { node: NodeId, session: u64, said: Said },
    Deed { node: NodeId, deed: Deed },
    NodeTick { node: NodeId },
    PlaneTick,
    Call,
    Trouble,
    NodeUp { node: NodeId },
    PlaneUp,
    Connect { node: NodeId },
    Calm,
}

enum Said {
    Hello(NodeFacts),
    Report(Report),
}

struct World {
    now: Time,
    rng: Rng,
    plane: Plane,
    nodes: BTreeMap<NodeId, Node>,
    /// A session's number; what is on its way in an older one is lost.
    sessions: BTreeMap<NodeId, u64>,
    client: Client,
    queue: Queue<Event>,
    oracles: Oracles,
    chaos: bool,
    trace: Vec<String>,
    violation: Option<Violation>,
}

pub fn run(seed: u64, mutation: Option<Mutation>) -> Outcome {
    let mut world = World::new(seed, mutation);
    let mut steps = 0;
    while world.violation.is_none() && steps < STEPS_MAX && world.step() {
        steps += 1;
    }
    if world.violation.is_none() {
        world.violation = world.judge_calm().err();
    }
    Outcome { seed, steps, trace: world.trace, violation: world.violation }
}

impl World {
    fn new(seed: u64, mutation: Option<Mutation>) -> World {
        let mut rng = Rng::from_seed(seed);
        let plane = Plane::new(rng.fork(), mutation);
        let mut world = World {
            now: START,
            plane,
            nodes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            client: Client::default(),
            queue: Queue::default(),
            oracles: Oracles::default(),
            chaos: true,
            trace: Vec::new(),
            violation: None,
            rng,
        };
        for number in 0..1 + world.rng.below(3) {
            world.add_node(number, mutation);
        }
        for definition in client::definitions() {
            world.call("RegisterTaskDefinition", &definition);
        }
        world.queue.plan(START + CHAOS, Event::Calm);
        world.queue.plan(START, Event::Call);
        world.queue.plan(START, Event::Trouble);
        world
    }

    fn add_node(&mut self, number: u64, mutation: Option<Mutation>) {
        let says = if mutation == Some(Mutation::BoastfulNode) { 2 * NODE_MEMORY_MIB } else { NODE_MEMORY_MIB };
        let id = format!("node-{number}");
        let facts = NodeFacts {
            id: id.clone(),
            account: crate::plane::ACCOUNT.into(),
            region: crate::plane::REGION.into(),
            cpu_units: 4096,
            memory_mib: says,
            availability_zone: format!("{}{}", crate::plane::REGION, ["a", "b", "c"][number as usize % 3]),
            attributes: attributes(),
            ..NodeFacts::default()
        };
        self.nodes.insert(id.clone(), Node::new(facts, mutation));
        self.queue.plan(self.now, Event::NodeUp { node: id });
    }

    /// `false` when nothing is left to happen.
    fn step(&mut self) -> bool {
        let Some((at, event)) = self.queue.next() else { return false };
        if !self.chaos && at > START + CHAOS + CALM {
            return false;
        }
        self.now = self.now.max(at);
        self.happen(event);
        self.plan_plane_tick();
        if let Err(violation) = self.judge() {
            self.violation = Some(violation);
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Calm => self.calm(),
            Event::Call => self.random_call(),
            Event::Trouble => self.trouble(),
            Event::PlaneTick => {
                let group = self.plane.tick(self.now);
                self.sent(group);
            }
            Event::PlaneUp => {
                self.say("the plane comes back".into());
                let rng = self.rng.fork();
                self.plane.recover(rng);
            }
            Event::NodeUp { node } => self.node_up(node),
            Event::Connect { node } => self.connect(node),
            Event::NodeTick { node } => self.node_tick(&node),
            Event::Deed { node, deed } => {
                let chaos = self.chaos;
                self.on_node(&node, |n, now, rng| n.act(now, rng, chaos, deed));
            }
            Event::ToNode { node, session, assign } => {
                if self.sessions.get(&node) == Some(&session) {
                    self.on_node(&node, |n, now, rng| n.handle(now, rng, agent::engine::Event::Assigned(assign)));
                }
            }
            Event::ToPlane { node, session, said } => {
                if self.sessions.get(&node) == Some(&session) {
                    self.heard(&node, session, said);
                }
            }
        }
    }

    // -- the plane

    fn heard(&mut self, node: &NodeId, session: u64, said: Said) {
        match said {
            Said::Hello(facts) => {
                if let Some((group, assign)) = self.plane.joined(self.now, facts) {
                    self.sent(group);
                    self.to_node(node.clone(), session, assign);
                }
            }
            Said::Report(report) => {
                if let Some(group) = self.plane.report(self.now, node, report) {
                    self.sent(group);
                }
            }
        }
    }

    fn sent(&mut self, group: Group) {
        for (node, assign) in group.assigns {
            let session = self.sessions.get(&node).copied().unwrap_or_default();
            self.to_node(node, session, assign);
        }
    }

    fn to_node(&mut self, node: NodeId, session: u64, assign: Assign) {
        self.say(format!("assign {node} {} with {} tasks", assign.generation, assign.tasks.len()));
        for at in self.arrivals() {
            self.queue.plan(at, Event::ToNode { node: node.clone(), session, assign: assign.clone() });
        }
    }

    /// Late, and in chaos now and then twice, so that messages overtake each other.
    fn arrivals(&mut self) -> Vec<Time> {
        let times = if self.chaos && self.rng.chance(10) { 2 } else { 1 };
        let late = if self.chaos { 200 } else { 5 };
        (0..times).map(|_| self.now + Duration::from_millis(self.rng.below(late))).collect()
    }

    fn plan_plane_tick(&mut self) {
        let Some(wake) = self.plane.next_wake() else { return };
        self.queue.retain(|event| !matches!(event, Event::PlaneTick));
        self.queue.plan(wake.max(self.now), Event::PlaneTick);
    }

    // -- the user

    fn random_call(&mut self) {
        let (operation, input) = self.client.next(&mut self.rng);
        self.call(operation, &input);
        if self.chaos {
            let pause = Duration::from_millis(self.rng.below(4_000));
            self.queue.plan(self.now + pause, Event::Call);
        }
    }

    fn call(&mut self, operation: &str, input: &serde_json::Value) {
        let answered = self.plane.call(self.now, operation, input);
        let lost = self.chaos && self.rng.chance(5);
        let (group, answer) = match answered {
            Some((group, answer)) => (group, Some(answer)),
            None => (Group::default(), None),
        };
        self.sent(group);
        self.say(match &answer {
            Some(Ok(_)) => format!("{operation} {input}"),
            Some(Err(error)) => format!("{operation} {input} -> {error}"),
            None => format!("{operation} {input} -> the plane is down"),
        });
        let heard = answer.filter(|_| !lost).filter(|a| !matches!(a, Err(error) if error.status >= 500));
        let known = heard.as_ref().map(|a| a.as_ref().unwrap_or(&serde_json::Value::Null));
        if let Err(what) = self.client.answered(operation, input, known) {
            self.violation = Some(Violation { oracle: "a token makes its tasks once", what });
        }
    }

    // -- nodes

    fn node_up(&mut self, node: NodeId) {
        self.say(format!("{node} comes up"));
        self.on_node(&node, |n, now, rng| n.recover(now, rng));
        self.connect(node);
    }

    fn connect(&mut self, node: NodeId) {
        let session = self.sessions.entry(node.clone()).or_default();
        *session += 1;
        let session = *session;
        let facts = self.nodes[&node].facts.clone();
        // A link is an ordered thing within a session: hello goes first.
        self.queue.plan(self.now, Event::ToPlane { node, session, said: Said::Hello(facts) });
    }

    fn node_tick(&mut self, node: &NodeId) {
        let due = self.nodes[node].wake_at.is_some_and(|at| at <= self.now);
        if due {
            self.on_node(node, |n, now, rng| {
                n.wake_at = None;
                n.handle(now, rng, agent::engine::Event::Tick)
            });
        }
    }

    fn on_node(&mut self, node: &NodeId, act: impl FnOnce(&mut Node, Time, &mut Rng) -> Performed) {
        let Some(n) = self.nodes.get_mut(node) else { return };
        let performed = act(n, self.now, &mut self.rng);
        let wake = n.wake_at;
        for (after, deed) in performed.deeds {
            self.queue.plan(self.now + after, Event::Deed { node: node.clone(), deed });
        }
        if let Some(at) = wake {
            self.queue.plan(at.max(self.now), Event::NodeTick { node: node.clone() });
        }
        let session = self.sessions.get(node).copied().unwrap_or_default();
        for report in performed.reports {
            let line: Vec<String> = report.tasks.iter().map(|t| format!("{}:{:?}", &t.id[..6], t.phase)).collect();
            self.say(format!("{node} reports, seen {}: {}", report.seen, line.join(" ")));
            for at in self.arrivals() {
                self.queue.plan(at, Event::ToPlane { node: node.clone(), session, said: Said::Report(report.clone()) });
            }
        }
    }

    // -- trouble and calm

    fn trouble(&mut self) {
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        let node = nodes[self.rng.below(nodes.len() as u64) as usize].clone();
        let away = Duration::from_millis(self.rng.below(3_000));
        match self.rng.below(8) {
            0 | 1 => self.crash_agent(&node, away),
            2 => self.crash_plane(away),
            3 | 4 => self.break_link(&node, away),
            5 => self.plane.fill_disk(),
            _ => {}
        }
        if self.chaos {
            let pause = Duration::from_millis(self.rng.below(6_000));
            self.queue.plan(self.now + pause, Event::Trouble);
        }
    }

    fn crash_agent(&mut self, node: &NodeId, away: Duration) {
        let Some(n) = self.nodes.get_mut(node).filter(|n| n.engine.is_some()) else { return };
        n.crash();
        self.say(format!("the agent of {node} crashes"));
        self.disconnect(node);
        self.queue.plan(self.now + away, Event::NodeUp { node: node.clone() });
    }

    fn crash_plane(&mut self, away: Duration) {
        if self.plane.image().is_none() {
            return;
        }
        self.say("the plane crashes".into());
        self.plane.crash();
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        self.queue.plan(self.now + away, Event::PlaneUp);
        for node in nodes {
            self.disconnect(&node);
            if self.nodes[&node].engine.is_some() {
                self.queue.plan(self.now + away, Event::Connect { node });
            }
        }
    }

    fn break_link(&mut self, node: &NodeId, away: Duration) {
        if self.nodes[node].engine.is_none() {
            return;
        }
        self.say(format!("the link of {node} breaks"));
        self.disconnect(node);
        self.queue.plan(self.now + away, Event::Connect { node: node.clone() });
    }

    fn disconnect(&mut self, node: &NodeId) {
        *self.sessions.entry(node.clone()).or_default() += 1;
        if let Some(group) = self.plane.left(self.now, node) {
            self.sent(group);
        }
    }

    /// From here on nothing breaks: whatever is down comes back, and every link is made anew.
    fn calm(&mut self) {
        self.say("calm".into());
        self.chaos = false;
        self.queue.retain(|event| !matches!(event, Event::Call | Event::Trouble));
        let down: Vec<NodeId> = self.nodes.keys().cloned().collect();
        if self.plane.image().is_none() {
            self.queue.plan(self.now, Event::PlaneUp);
        }
        for node in down {
            let up = self.nodes[&node].engine.is_some();
            self.disconnect(&node);
            let at = self.now + Duration::from_secs(4);
            self.queue.plan(at, if up { Event::Connect { node } } else { Event::NodeUp { node } });
        }
    }

    // -- judgement

    fn judge(&mut self) -> Result<(), Violation> {
        if let Some(violation) = self.violation.take() {
            return Err(violation);
        }
        let Some(image) = self.plane.image() else { return Ok(()) };
        self.oracles.at_every_step(image, &hosts(&self.nodes), &self.client.acknowledged)
    }

    fn judge_calm(&self) -> Result<(), Violation> {
        match self.plane.image() {
            Some(image) => oracle::after_calm(image, &hosts(&self.nodes)),
            None => Err(Violation { oracle: "after calm: the plane is up", what: "it is not".into() }),
        }
    }

    fn say(&mut self, what: String) {
        self.trace.push(format!("{} {what}", self.now.since(START).as_millis()));
    }
}

fn hosts(nodes: &BTreeMap<NodeId, Node>) -> BTreeMap<NodeId, &Host> {
    nodes.iter().map(|(id, node)| (id.clone(), &node.host)).collect()
}

/// What every definition of `client` requires.
fn attributes() -> BTreeMap<String, Option<String>> {
    let known = ["com.amazonaws.ecs.capability.docker-remote-api.1.", "ecs.capability.container-"];
    let versions = (17..=44).map(|minor| format!("{}{minor}", known[0]));
    let features = ["health-check", "ordering"].map(|feature| format!("{}{feature}", known[1]));
    let bare = versions.chain(features).map(|name| (name, None));
    let valued = [("ecs.os-type", "linux"), ("ecs.cpu-architecture", "x86_64")];
    bare.chain(valued.map(|(name, value)| (name.to_owned(), Some(value.to_owned())))).collect()
}
