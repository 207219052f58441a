//! The simulator: a whole system over the real handlers, reconcilers, links and engines, driven by one seed. A plain loop over
//! a queue of things to come; disks, containers, networks and users are pretended, decisions are not. After a stretch of chaos
//! comes calm, in which everything must converge; then everything is stopped, and a day later nothing may be left. The same
//! seed gives the same story. In reading order: `world`, `plane`, `disk`, `node`, `host`, `catalog`, `client`, `oracle`.

mod catalog;
mod client;
mod disk;
mod host;
mod many;
mod mutation;
mod node;
mod oracle;
mod plane;
mod profile;
mod queue;
mod registry;
mod scheduler;
mod stage;
mod strategy;
mod world;

pub use many::in_order;
pub use mutation::Mutation;
pub use oracle::Violation;
pub use stage::short;
pub use world::{Outcome, run};
