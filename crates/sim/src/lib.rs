//! The simulator: a whole system over the real handlers, reconcilers and engines, driven by one seed. A plain loop over a
//! queue of things to come; disks, containers, links and clients are pretended, decisions are not. After a stretch of chaos
//! comes calm, in which everything must converge. The same seed gives the same trace.

mod client;
mod host;
mod mutation;
mod node;
mod oracle;
mod plane;
mod queue;
mod world;

pub use mutation::Mutation;
pub use oracle::Violation;
pub use world::{Outcome, run};
