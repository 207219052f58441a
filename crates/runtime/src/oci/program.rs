//! What a process of a container is once its surroundings stand: arguments, environment, identity, privileges. Compiled
//! by `spec`, carried out by `launch` for the container's own program and again for every exec.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    pub args: Vec<String>,
    pub environment: Vec<String>,
    pub working_directory: String,
    pub user: User,
    /// Of the bounding, effective and permitted sets; the inheritable and ambient ones stay empty, as in Docker.
    pub capabilities: u64,
    /// False: unconfined, as privileged containers are.
    pub seccomp: bool,
    pub no_new_privileges: bool,
    pub rlimits: Vec<Rlimit>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, the primary one included.
    pub groups: Vec<u32>,
    pub home: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    pub resource: u32,
    pub soft: u64,
    pub hard: u64,
}
