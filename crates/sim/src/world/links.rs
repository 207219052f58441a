//! Sessions between nodes and plane, over the real link: what was on its way in one that breaks is lost.

use super::{Event, Session, World};
use crate::mutation::Mutation;
use crate::node::Link;
use crate::stage::short;
use agent::engine::Event as Heard;
use kernel::Word;
use link::{ToNode, ToPlane};
use workload::{Assign, NodeId};

impl World {
    /// A new session, if both sides are up and there is none.
    pub(super) fn connect(&mut self, node: &NodeId) {
        let is_up = self.nodes.get(node).is_some_and(|node| node.agent.is_some());
        if is_up && let Some(link) = self.link(node) {
            self.on_node(node, |node, stage| node.connect(link, stage));
        }
    }

    pub(super) fn link(&mut self, node: &NodeId) -> Option<Link> {
        if !self.plane.is_up() || self.links.contains_key(node) {
            return None;
        }
        self.sessions += 1;
        let (plane, end) = link::local();
        let session = Session { number: self.sessions, end: plane, is_greeted: false };
        self.links.insert(node.clone(), session);
        self.stage.say(node, format_args!("is linked, session {}", self.sessions));
        Some(Link { session: self.sessions, end })
    }

    pub(super) fn unlink(&mut self, node: &NodeId) {
        self.on_node(node, |node, _| node.agent.iter_mut().for_each(|agent| agent.link = None));
        if self.links.remove(node).is_some() {
            let notices_within_ms = self.stage.profile.notices_within_ms;
            self.stage.plan_within(notices_within_ms, Event::Silence { node: node.clone() });
        }
    }

    /// Of a node that is back meanwhile the plane has noticed nothing.
    pub(super) fn notice(&mut self, node: &NodeId) {
        if !self.links.contains_key(node) {
            self.plane.hear(node, Word::Left);
        }
    }

    pub(super) fn read_at_plane(&mut self, node: &NodeId, session: u64) {
        let Some(current) = self.links.get(node).filter(|current| current.number == session) else { return };
        match current.end.try_recv() {
            Some(ToPlane::Hello(facts)) => self.plane.hear(node, Word::Joined(facts)),
            Some(ToPlane::Report(report)) => self.plane.hear(node, Word::Report(report)),
            None => {}
        }
    }

    pub(super) fn read_at_node(&mut self, node: &NodeId, session: u64) {
        self.on_node(node, |node, stage| {
            let link = node.agent.as_ref().and_then(|agent| agent.link.as_ref()).filter(|link| link.session == session);
            if let Some(ToNode::Assign(assign)) = link.and_then(|link| link.end.try_recv()) {
                node.handle(Heard::Assigned(assign), stage);
            }
        });
    }

    pub(super) fn assign(&mut self, node: &NodeId, assign: Assign) {
        let tasks: Vec<&str> = assign.tasks.iter().map(|task| short(&task.id)).collect();
        self.stage.say("plane", format_args!("sends {node} its set {}: {}", assign.generation, tasks.join(" ")));
        let sets_again = self.stage.profile.sets_again;
        if self.stage.mishap(sets_again) {
            self.stage.plan_within(5_000, Event::LateSet { node: node.clone(), assign: assign.clone() });
        }
        if self.stage.is(Mutation::SetsLost) && self.stage.rng.chance(20) {
            return;
        }
        let Some(session) = self.links.get_mut(node) else { return };
        let is_first = !std::mem::replace(&mut session.is_greeted, true);
        if is_first && self.stage.is(Mutation::NothingSentOnRejoin) {
            return;
        }
        session.end.send(ToNode::Assign(assign));
        let event = Event::ReadAtNode { node: node.clone(), session: session.number };
        let delay_ms = if self.stage.calm { 5 } else { self.stage.profile.message_delay_ms };
        self.stage.plan_within(delay_ms, event);
    }
}
