//! The node: `engine` decides, purely; `shell` performs, on tokio. The engine knows no runtime, no network and no disk; the
//! shell takes no decision.

pub mod engine;
mod metadata;
mod shell;

pub use metadata::{Known, Metadata};
pub use shell::logging;
pub use shell::{Agent, Config, Error, Group, Images, NoReferences, References, efs, mount, outbox};
