//! Chaos, then calm in which everything converges, then everything is stopped, then a day passes: each is judged at its end.

use super::{Event, World, scene};
use crate::catalog::{FAMILIES, FARGATE, definition};
use crate::client::{self, Request};
use crate::node::Node;
use crate::oracle::{self, Violation};
use crate::plane::{ACCOUNT, REGION};
use ecs::container_instance::ContainerInstance;
use ecs::service::Service;
use ecs::task::Task;
use std::collections::BTreeMap;
use std::time::Duration;
use workload::{NodeFacts, NodeId};

#[derive(Clone, Copy, Debug)]
pub enum Phase {
    Chaos,
    Calm,
    /// Everything has converged; now it is all stopped.
    Stop,
    Stopped,
    DayAfter,
}

/// As long as it takes to believe in several tasks one after another, with the starts that are held back.
const CALM_OF_SERVICES: Duration = Duration::from_secs(12 * 60);
/// Longer than the longest that something may take by right: a slow pull, what is waited for, a restart, a stop.
const CALM: Duration = Duration::from_secs(6 * 60);
const STOP: Duration = Duration::from_secs(2 * 60);
const DAY: Duration = Duration::from_secs(25 * 3600);

impl World {
    pub(super) fn begin(&mut self) {
        for number in 0..self.stage.profile.nodes {
            self.node_comes(number);
        }
        for Request { operation, input } in client::capacity::provisions() {
            let call = self.client.number();
            self.plane.call(call, self.stage.now, operation, &input);
        }
        for family in FAMILIES.into_iter().chain([FARGATE]) {
            let call = self.client.number();
            self.plane.call(call, self.stage.now, "RegisterTaskDefinition", &definition(family));
        }
        self.plane.set_healthy_after(Duration::from_millis(self.stage.profile.healthy_after_ms));
        self.stage.plan(1_000, Event::Phase(Phase::Chaos));
    }

    pub(super) fn node_comes(&mut self, after_ms: u64) {
        let facts = facts(self.born);
        self.born += 1;
        self.nodes.insert(facts.id.clone(), Node::new(facts.clone()));
        self.stage.plan(after_ms, Event::NodeUp { node: facts.id });
    }

    fn then(&mut self, after: Duration, phase: Phase) {
        self.stage.queue.plan(self.stage.now + after, Event::Phase(phase));
    }

    pub(super) fn enter(&mut self, phase: Phase) -> Result<(), Violation> {
        self.stage.say("", format_args!("--- {phase:?}"));
        match phase {
            Phase::Chaos => {
                self.rounds += 1;
                self.stage.calm = false;
                self.stage.plan(0, Event::Call);
                self.stage.plan(0, Event::Trouble);
                self.then(self.stage.profile.chaos, Phase::Calm);
                Ok(())
            }
            Phase::Calm => {
                self.calm();
                let calm = if self.stage.profile.services > 0 { CALM_OF_SERVICES } else { CALM };
                self.then(calm, Phase::Stop);
                Ok(())
            }
            Phase::Stop => {
                oracle::converged(&scene(&self.plane, &self.nodes, &self.client, &self.stage))?;
                self.oracles.converged(&scene(&self.plane, &self.nodes, &self.client, &self.stage))?;
                if self.rounds < self.stage.profile.rounds {
                    return self.enter(Phase::Chaos);
                }
                self.then(STOP, Phase::Stopped);
                self.stop_all()
            }
            Phase::Stopped => {
                self.then(DAY, Phase::DayAfter);
                oracle::all_stopped(&scene(&self.plane, &self.nodes, &self.client, &self.stage))
            }
            Phase::DayAfter => {
                self.is_over = true;
                oracle::forgotten(&scene(&self.plane, &self.nodes, &self.client, &self.stage))
            }
        }
    }

    /// From here on nothing breaks. What is down comes back; what is up is left alone.
    fn calm(&mut self) {
        self.stage.calm = true;
        self.plane.fill_disk(false);
        self.plane.spare();
        self.stage.plan(0, Event::PlaneUp);
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        for node in nodes {
            self.on_node(&node, |node, _| node.disk.is_full = false);
            self.stage.plan(1_000, Event::NodeUp { node: node.clone() });
            self.stage.plan(2_000, Event::Connect { node: node.clone() });
            // What was asked for before the calm is done by then.
            self.stage.plan(5_000, Event::Register { node });
        }
        self.stage.plan(3_000, Event::Call);
    }

    /// As an operator would do whose instance was deregistered.
    pub(super) fn register(&mut self, node: &NodeId) {
        let is_registered = self.plane.image().is_some_and(|image| image.by::<ContainerInstance>("node", node).count() > 0);
        if !is_registered {
            self.agent_crashes(node, 0);
        }
    }

    fn stop_all(&mut self) -> Result<(), Violation> {
        let Some(image) = self.plane.image() else { return Ok(()) };
        let running: Vec<String> = image.scan::<Task>().filter(|task| !task.is_stopped()).map(Task::arn).collect();
        let draining: Vec<Request> =
            image.scan::<ContainerInstance>().filter(|instance| instance.draining).map(client::activate).collect();
        let services: Vec<Request> = image.scan::<Service>().map(|service| client::deletion(service, true)).collect();
        services.into_iter().chain(draining).try_for_each(|request| self.send(request))?;
        running.iter().try_for_each(|task| self.send(client::stop(task, "that is all".to_owned())))
    }
}

fn facts(number: u64) -> NodeFacts {
    NodeFacts {
        id: format!("node-{number}"),
        account: ACCOUNT.into(),
        region: REGION.into(),
        cluster: (number == 2).then(|| "other".to_owned()),
        cpu_units: 4096,
        memory_mib: 2048,
        reserved_ports: vec![22],
        auto_scaling_group: [None, Some("web"), None, Some("batch")][number as usize % 4].map(str::to_owned),
        availability_zone: ["zone-a", "zone-b", "zone-c"][number as usize % 3].to_owned(),
        attributes: attributes(),
        ..NodeFacts::default()
    }
}

/// What every definition of the catalog requires.
fn attributes() -> BTreeMap<String, Option<String>> {
    let versions = (17..=44).map(|minor| format!("com.amazonaws.ecs.capability.docker-remote-api.1.{minor}"));
    let features = ["container-health-check", "container-ordering", "container-restart-policy"];
    let bare = versions.chain(features.map(|feature| format!("ecs.capability.{feature}"))).map(|name| (name, None));
    let valued = [("ecs.os-type", "linux"), ("ecs.cpu-architecture", "x86_64")];
    bare.chain(valued.map(|(name, value)| (name.to_owned(), Some(value.to_owned())))).collect()
}
