//! The embedded OCI runtime: libcontainer in a single-threaded shim per task.

pub mod cgroup;
mod client;
pub mod dir;
pub mod init;
pub mod launch;
mod program;
pub mod protocol;
pub mod seccomp;
pub mod shim;
pub mod spec;

pub use client::{OciConfig, OciRuntime};
