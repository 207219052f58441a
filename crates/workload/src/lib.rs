//! What a node must run and what it says back: plain data between plane and node, in both directions.
//! A `TaskSpec` is compiled: digest-free names, merged overrides, final numbers; a node makes no choices of policy.
//! Knows no AWS type, no protocol and no I/O.

mod image;
mod node;
mod report;
mod spec;

pub use image::*;
pub use node::*;
pub use report::*;
pub use spec::*;
