//! The node at work, on tokio: `work` is the loop that owns the engine, `hands` performs effects, `memory` is what it knows
//! after a crash. Everything is awaited, nothing is polled. It can be killed at any moment: memory, runtime and network hold
//! all it needs to go on.

mod copy_up;
mod facts;
mod fetch;
mod files;
mod firelens;
mod hands;
mod images;
mod links;
pub mod logging;
mod memory;
pub mod outbox;
mod reasons;
#[cfg(test)]
mod tests;
mod volumes;
mod work;

pub use fetch::{NoReferences, References};
pub use images::Images;
pub use memory::{Error, Group};
pub use volumes::apart as mount;
pub use volumes::efs;

use crate::metadata::{EndpointIds, Environment, Metadata};
use base::{Clock, Rng, SystemClock};
use firelens::Firelens;
use hands::Hands;
use link::{NodeEnd, ToPlane};
use logging::{LogDrivers, Logging};
use net::Network;
use runtime::Runtime;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use work::Shell;
use workload::NodeFacts;

pub struct Config {
    pub data: PathBuf,
    pub account: String,
    pub region: String,
    pub cluster: Option<String>,
    /// By name; what capacity providers find their instances by.
    pub auto_scaling_group: Option<String>,
    pub availability_zone: String,
    /// What this node has to give; `None`: all that the host has.
    pub cpu_units: Option<u32>,
    pub memory_mib: Option<u64>,
    /// At which the node is reached; `None`: the host's own.
    pub address: Option<String>,
    /// Beside the usual ones: what this process listens on.
    pub reserved_ports: Vec<u16>,
    /// Attributes for what other parts of this node can do.
    pub capabilities: Vec<String>,
    /// Where secrets and environment files come from.
    pub references: Arc<dyn References>,
    /// Where EFS file systems are.
    pub file_systems: efs::FileSystems,
    /// This program, to be started again for what may not return: `mount::main` with what follows `mount::ARGUMENT`.
    pub program: PathBuf,
    /// Where the output of containers is sent on, and where shims write it.
    pub log_drivers: LogDrivers,
    pub logs: PathBuf,
    pub runtime_version: String,
    /// Where containers in the host's own network ask about themselves; `None` if nobody on this host answers.
    pub metadata_host_port: Option<u16>,
    pub clock: Arc<dyn Clock>,
    pub rng: Rng,
}

impl Config {
    pub fn new(data: &Path, account: &str, region: &str) -> Config {
        Config {
            data: data.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
            cluster: None,
            auto_scaling_group: None,
            availability_zone: format!("{region}a"),
            cpu_units: None,
            memory_mib: None,
            address: None,
            reserved_ports: vec![],
            capabilities: vec![],
            references: Arc::new(NoReferences),
            file_systems: efs::FileSystems::new(),
            program: "/proc/self/exe".into(),
            log_drivers: LogDrivers::new(),
            logs: data.join("logs"),
            runtime_version: String::new(),
            metadata_host_port: None,
            clock: Arc::new(SystemClock),
            rng: Rng::from_os(),
        }
    }
}

/// A running agent. Dropping it is like killing it: containers go on, another agent takes over.
pub struct Agent {
    facts: NodeFacts,
    metadata: Metadata,
    stop: watch::Sender<bool>,
    work: JoinHandle<()>,
    /// To be the last to hold it; a killed process needs no such thing.
    #[cfg(test)]
    memory: Arc<memory::Memory>,
}

impl Agent {
    /// Returns when it has said hello: the plane may place tasks here. The inventory is taken behind this, and nothing is
    /// done about a task or said of one before it is there.
    pub async fn start(
        mut config: Config,
        runtime: Arc<dyn Runtime>,
        network: Arc<dyn Network>,
        images: Arc<dyn Images>,
        link: NodeEnd,
    ) -> Result<Agent, Error> {
        let firelens = Firelens::new(&config.data);
        config.log_drivers.insert(firelens::driver::Driver::NAME, Arc::new(firelens::driver::Driver::new(firelens.clone())));
        let directory = config.data.join("agent");
        let (fresh, secret) = (config.rng.hex32(), config.rng.hex32());
        let (memory, node, secret) = hands::blocking(move || {
            let memory = memory::Memory::open(&directory)?;
            let (node, secret) = (memory.node(&fresh)?, memory.endpoint_secret(&secret)?);
            Ok((memory, node, secret))
        })
        .await?;
        let facts = facts::gather(&config, node);
        link.send(ToPlane::Hello(facts.clone()));
        let volumes = volumes::Volumes::new(&config.data, config.file_systems.clone(), config.program.clone());
        let ids = EndpointIds::new(&secret);
        let environment = config.metadata_host_port.map(|host_port| Environment { ids: ids.clone(), host_port });
        let (metadata, inquiries) = Metadata::new(ids);
        let logging = Logging::new(config.log_drivers.clone(), config.logs.clone(), Arc::clone(&runtime));
        let hostname = facts::hostname();
        let fetcher = fetch::Fetcher::new(Arc::clone(&config.references));
        let hands = Hands { runtime, network, images, fetcher, volumes, firelens, logging, hostname, environment };
        let (stop, stopped) = watch::channel(false);
        let shell = Shell::new(config, hands, memory, (link, inquiries), stopped);
        #[cfg(test)]
        let memory = Arc::clone(&shell.memory);
        let work = tokio::spawn(shell.run());
        Ok(Agent {
            facts,
            metadata,
            stop,
            work,
            #[cfg(test)]
            memory,
        })
    }

    /// The machine died, and with it everything in its containers; its disk is as the last agent left it. What is to be
    /// tidied up there the next one does.
    pub async fn bury(data: &Path) -> Result<(), Error> {
        let directory = data.join("agent");
        hands::blocking(move || memory::Memory::open(&directory)?.bury()).await
    }

    /// Returns only if it fails: nothing is decided on this node until another one is started.
    pub async fn failed(&mut self) {
        if let Err(error) = (&mut self.work).await {
            tracing::error!(%error, "the agent has failed");
        }
    }

    pub fn facts(&self) -> &NodeFacts {
        &self.facts
    }

    /// Where containers' questions about themselves are answered.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Leaves containers running; what is on its way to disk gets there.
    pub async fn stop(mut self) {
        // Without a listener left it has failed already.
        if self.stop.send(true).is_ok() {
            self.failed().await;
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.work.abort();
    }
}
