//! The images of a node: kept by content, unpacked once, found by name without touching a registry when that is right.
//! Loads archives, makes images from given files, and pulls from any OCI registry. Never runs anything.

mod compression;
mod digest;
mod disk;
mod document;
mod error;
mod fixed;
mod gc;
mod install;
mod layer;
mod load;
mod names;
mod platform;
mod policy;
mod progress;
mod pull;
mod reference;
mod store;

pub use digest::Digest;
pub use error::{Error, Result};
pub use fixed::{Content, StaticFile};
pub use gc::Collected;
pub use load::Loaded;
pub use names::Origin;
pub use platform::Platform;
pub use progress::{Event, Progress};
pub use pull::http_client;
pub use reference::Reference;
pub use store::{Config, Listed, Store};
