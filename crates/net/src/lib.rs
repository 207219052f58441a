//! The network seam: a network namespace with an address and published ports, for a container or a whole task.
//! `plan` is pure; `linux` performs it over netlink and nf_tables. Knows no task, no service, no AWS.

pub mod fake;
pub mod linux;
pub mod plan;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use workload::{Address, Binding, PortSpec};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// `task` or `task.container`; unique on the host, names the namespace.
    pub id: String,
    /// `false`: loopback only (network mode `none`, `disableNetworking`).
    pub connected: bool,
    pub ports: Vec<PortSpec>,
    /// Written to `net.*` sysctls of the new namespace.
    pub sysctls: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub id: String,
    pub netns: PathBuf,
    pub address: Option<Address>,
    pub bindings: Vec<Binding>,
}

fn address_of(attachment: &Attachment) -> Option<Ipv4Addr> {
    attachment.address.as_ref()?.ipv4.parse().ok()
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Docker's sentence, which ECS shows behind `CannotStartContainerError`.
    #[error("Bind for 0.0.0.0:{0} failed: port is already allocated")]
    PortTaken(u16),
    #[error("no free host port left in the dynamic range")]
    NoPortLeft,
    #[error("no free address left in {0}")]
    NoAddressLeft(String),
    #[error("{context}: {message}")]
    Kernel { context: String, message: String },
    #[error("{context}: {source}")]
    Io { context: String, source: std::io::Error },
}

pub type Result<T> = std::result::Result<T, Error>;

#[async_trait]
pub trait Network: Send + Sync {
    /// Every attachment on this host that `attach` made and `detach` has not undone, also those of an earlier process.
    async fn list(&self) -> Result<Vec<Attachment>>;
    /// Idempotent by id: attaching again answers what there is.
    async fn attach(&self, attach: Attach) -> Result<Attachment>;
    /// Idempotent. Returns when the name, address and ports are free; the kernel may clean up behind it.
    async fn detach(&self, id: &str) -> Result<()>;
}
