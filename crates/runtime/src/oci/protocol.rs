//! What an agent and a shim say to each other: one JSON value per line over a unix socket, requests numbered by the
//! agent. Everything a shim knows can be asked for again, so a lost connection loses nothing.

use crate::{ContainerRun, ExecEnd, ExecSpec, Exit, Started};
use base::Time;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub struct Frame {
    pub id: u64,
    pub request: Request,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The sandbox's own limits; answered once its cgroup stands.
    Open(Opening),
    Start(Box<ContainerRun>),
    Signal {
        container: String,
        signal: i32,
    },
    Exec {
        container: String,
        exec: ExecSpec,
    },
    Remove {
        container: String,
    },
    List,
    /// What the container wrote before this byte may make room for more.
    LogsTaken {
        container: String,
        upto: u64,
    },
    /// Kills everything, removes the cgroup, answers, and ends the shim.
    Close,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    pub cpu_units: Option<u32>,
    pub memory_mib: Option<u64>,
    pub pids_limit: Option<u64>,
    /// The containers share one pid (IPC) namespace, which the shim's pause process holds.
    pub share_pid: bool,
    pub share_ipc: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    Reply { id: u64, answer: Result<Answer, Failure> },
    Exited { container: String, runtime_id: String, exit: Exit },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Done,
    Started(Started),
    Exec(ExecEnd),
    List(Vec<State>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub container: String,
    pub runtime_id: String,
    pub started_at: Time,
    pub exit: Option<Exit>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    #[error("{0}")]
    Start(String),
    #[error("{0}")]
    Create(String),
    #[error("no such container")]
    NoSuchContainer,
    #[error("{0}")]
    Other(String),
}

impl Failure {
    pub fn other(context: &str, error: impl std::fmt::Display) -> Failure {
        Failure::Other(format!("{context}: {error}"))
    }
}

/// One line of the wire.
pub fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).expect("these types have string keys only, so they always serialise");
    bytes.push(b'\n');
    bytes
}
