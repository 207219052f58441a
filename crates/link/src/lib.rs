//! What plane and node say to each other, and how it travels. Both directions carry whole, numbered sets, so the newest
//! message says everything: one that waits behind a newer one of its kind is dropped, one that is lost costs nothing.
//!
//! A session: the node says `Hello`, the plane answers with the node's whole set, the node reports after every change. To
//! resume is to begin again: `Hello`, and what either side sends next replaces all it sent before. An older set than the one
//! obeyed is refused by the node (`Assign::generation`), an older phase than the one recorded by the plane.
//!
//! The seam for other transports is `End`: a connection pumps one end's messages to a socket and the socket's into it.
//! Knows no I/O and no clock.

mod local;
mod mailbox;

pub use local::{End, NodeEnd, PlaneEnd, Sender, local};
pub use mailbox::Supersedes;

use serde::{Deserialize, Serialize};
use workload::{Assign, NodeFacts, Report};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToNode {
    Assign(Assign),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)] // the large one is said once in a session
pub enum ToPlane {
    /// Who speaks, and what it has. First in every session.
    Hello(NodeFacts),
    Report(Report),
}

impl Supersedes for ToNode {
    fn supersedes(&self, waiting: &ToNode) -> bool {
        let (ToNode::Assign(new), ToNode::Assign(old)) = (self, waiting);
        new.generation >= old.generation
    }
}

impl Supersedes for ToPlane {
    /// A report never overtakes the hello that it belongs to; a new hello begins a new session.
    fn supersedes(&self, waiting: &ToPlane) -> bool {
        matches!((self, waiting), (ToPlane::Hello(_), _) | (ToPlane::Report(_), ToPlane::Report(_)))
    }
}
