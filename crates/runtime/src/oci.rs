//! The embedded OCI runtime: libcontainer in a single-threaded shim per task. `client` is the agent's side, `shim` the
//! other; between them `protocol` on a socket and `dir` on disk. `spec` decides what a container is, `cgroup`, `seccomp` and
//! `launch` make the kernel obey. A shim stays in the agent's own cgroup and outlives it: a service manager must be told to
//! end the agent's main process only (systemd: `KillMode=process`).

mod cgroup;
mod client;
mod dir;
pub mod init;
mod launch;
mod program;
mod protocol;
mod seccomp;
pub mod shim;
mod spec;

pub use cgroup::usage::{Flow, Traffic, Usage};
pub use client::{OciConfig, OciRuntime};
