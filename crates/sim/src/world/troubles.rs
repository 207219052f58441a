//! What goes wrong, and how it comes back.

use super::{Event, World};
use crate::disk::Dies;
use crate::profile::Trouble;
use ecs::container_instance::ContainerInstance;
use ecs::node::Node as NodeRow;
use ecs::task::Task;
use kernel::Word;
use std::time::Duration;
use store::Image;
use workload::NodeId;

/// Seconds.
const LONG_ENOUGH: u32 = 30;

impl World {
    pub(super) fn random_trouble(&mut self) {
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        let node = self.stage.rng.pick(&nodes).cloned();
        // Some come back before anybody has noticed.
        let longest_ms = if self.stage.rng.chance(30) { 30 } else { 4_000 };
        let away_ms = self.stage.rng.below(longest_ms);
        let trouble = self.stage.profile.trouble(&mut self.stage.rng);
        if let (Some(node), Some(trouble), false) = (node, trouble, self.stage.calm) {
            self.suffer(trouble, &node, away_ms);
            let pause_ms = self.stage.profile.trouble_pause_ms;
            self.stage.plan_within(pause_ms, Event::Trouble);
        }
    }

    fn suffer(&mut self, trouble: Trouble, node: &NodeId, away_ms: u64) {
        match trouble {
            Trouble::AgentCrash => self.agent_crashes(node, away_ms),
            Trouble::AgentCrashMidway => self.on_node(node, |node, _| node.is_doomed = true),
            Trouble::PlaneCrash => self.plane_crashes(),
            Trouble::PlaneCrashInCommit => {
                let point = if self.stage.rng.chance(50) { Dies::BeforeDurable } else { Dies::AfterDurable };
                self.plane.die_in_commit(point);
            }
            Trouble::BothCrash => {
                self.agent_crashes(node, away_ms);
                self.plane_crashes();
            }
            Trouble::LinkBreak => self.link_breaks(node, away_ms),
            Trouble::LinkBreakMidway => self.on_node(node, |node, _| node.is_cut_short = true),
            Trouble::PlaneDiskFull => {
                self.stage.say("plane", "its disk is full");
                self.plane.fill_disk(true);
                self.stage.plan(away_ms, Event::PlaneDiskFreed);
            }
            Trouble::NodeDiskFull => {
                self.on_node(node, |node, stage| {
                    stage.say(&node.id, "its disk is full");
                    node.disk.is_full = true;
                });
                self.stage.plan(away_ms, Event::NodeDiskFreed { node: node.clone() });
            }
            Trouble::ShimDeath => self.on_node(node, |node, stage| node.lose_a_shim(stage)),
            Trouble::Reboot => {
                self.stage.say(node, "the host reboots");
                self.unlink(node);
                self.on_node(node, |node, stage| node.reboot(stage));
                self.stage.plan(away_ms, Event::NodeUp { node: node.clone() });
            }
            Trouble::NodeStopped => {
                self.stage.say(node, "the host is stopped");
                self.unlink(node);
                let given = self.given(node);
                self.on_node(node, |node, stage| node.stop(given, stage));
                self.dead.insert(node.clone());
                self.plane.hear(node, Word::Gone);
                self.stage.plan(away_ms, Event::NodeUp { node: node.clone() });
            }
            Trouble::NodeTerminated => self.terminate(node, away_ms),
            // Rarely: what was stopped before is forgotten in it.
            Trouble::Sleep if self.stage.rng.chance(10) => {
                self.stage.say("", "everything sleeps");
                self.stage.now = self.stage.now + Duration::from_secs(600 + self.stage.rng.below(6 * 3600));
                self.client.gives_up();
            }
            Trouble::Sleep => {}
            Trouble::ImagePushed => {
                self.stage.say("user", "pushes the image anew");
                self.stage.registry.push();
            }
            Trouble::NodeReplaced => {
                self.agent_crashes(node, away_ms);
                self.on_node(node, |node, stage| {
                    node.facts.memory_mib = [512, 1024, 2048, 4096][stage.rng.below(4) as usize];
                    node.most_memory_mib = node.most_memory_mib.max(node.facts.memory_mib);
                });
            }
        }
    }

    /// Another one takes its place. Never the only one: nobody could be troubled any more.
    fn terminate(&mut self, node: &NodeId, away_ms: u64) {
        if self.nodes.len() < 2 {
            return;
        }
        self.stage.say(node, "the host is terminated");
        self.unlink(node);
        self.nodes.remove(node);
        self.stage.plan_within(5_000, Event::NodeGone { node: node.clone(), said: 0 });
        self.stage.plan(away_ms, Event::NodeComes);
    }

    /// Whoever watches over the fleet says so until it is so, and for a while: its last hello may wait to be kept.
    pub(super) fn node_gone(&mut self, node: &NodeId, said: u32) {
        let is_known = |image: &Image| {
            let has_row = image.get::<NodeRow>(node).is_some() || image.by::<ContainerInstance>("node", node).next().is_some();
            has_row || image.by::<Task>("node", node).next().is_some()
        };
        if said < LONG_ENOUGH || self.plane.image().is_none_or(is_known) {
            self.plane.bury(node);
            self.stage.plan(1_000, Event::NodeGone { node: node.clone(), said: said + 1 });
        }
    }

    pub(super) fn link_breaks(&mut self, node: &NodeId, away_ms: u64) {
        self.stage.say(node, "its link breaks");
        self.unlink(node);
        self.stage.plan(away_ms, Event::Connect { node: node.clone() });
    }

    pub(super) fn agent_crashes(&mut self, node: &NodeId, away_ms: u64) {
        if self.nodes.get(node).is_none_or(|node| node.agent.is_none()) {
            return;
        }
        self.stage.say(node, "its agent crashes");
        self.unlink(node);
        self.on_node(node, |node, stage| node.crash(stage));
        self.stage.plan(away_ms, Event::NodeUp { node: node.clone() });
    }

    /// As the shell does: the link is there before the inventory.
    pub(super) fn node_up(&mut self, node: &NodeId) {
        if self.nodes.get(node).is_some_and(|node| node.agent.is_some()) {
            return;
        }
        self.stage.say(node, "its agent comes up");
        let link = self.link(node);
        self.on_node(node, |node, stage| node.rise(link, stage));
    }

    pub(super) fn plane_crashes(&mut self) {
        self.stage.say("plane", "crashes");
        self.plane.crash();
        let nodes: Vec<NodeId> = self.nodes.keys().cloned().collect();
        nodes.iter().for_each(|node| self.unlink(node));
        let waiting: Vec<u64> = self.client.waiting.keys().copied().collect();
        waiting.into_iter().for_each(|call| self.client.misses(call));
        self.stage.plan_within(4_000, Event::PlaneUp);
    }
}
