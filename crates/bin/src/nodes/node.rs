//! One node: an agent with a network and a runtime of its own. It takes up whatever its last agent left. Stopped, it is a
//! machine that died: nothing of it runs, and a mark in its directory keeps it so until it is started again.

use super::Common;
use super::link::{Watch, listen};
use super::place::{Place, link_prefix, metadata_host_port};
use crate::config::Config;
use crate::metadata;
use agent::Agent;
use anyhow::Context;
use ecs::task::Task;
use futures_util::future::join_all;
use net::Network;
use net::linux::{LinuxNetwork, Metadata, Neighbours, Range};
use net::plan::Addresses;
use runtime::Runtime;
use runtime::oci::{OciConfig, OciRuntime};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use workload::NodeId;

/// What a node has from its server.
pub struct Shared {
    pub common: Common,
    /// What the nodes' addresses are of; `None` if the only one is the host.
    pub range: Option<Range>,
    pub failures: mpsc::UnboundedSender<()>,
}

pub struct Node {
    pub place: Place,
    pub id: NodeId,
    shared: Arc<Shared>,
    parts: Mutex<Parts>,
    /// Starting and stopping take their time, one after the other.
    turn: tokio::sync::Mutex<()>,
}

struct Parts {
    /// Taken when the server ends.
    network: Option<Arc<LinuxNetwork>>,
    /// `None` while it is stopped.
    alive: Option<Alive>,
}

struct Alive {
    runtime: Arc<OciRuntime>,
    metadata: agent::Metadata,
    stop: oneshot::Sender<()>,
    life: JoinHandle<()>,
}

impl Node {
    /// As it was when the last server ended: at work, or stopped.
    pub async fn take_up(shared: Arc<Shared>, place: Place) -> anyhow::Result<Node> {
        let network = Arc::new(LinuxNetwork::new(network(&shared, &place)?)?);
        let (id, alive) = match std::fs::read_to_string(mark(&place)) {
            Ok(id) => (id, None),
            Err(_) => boot(&shared, &place, &network).await.map(|(id, alive)| (id, Some(alive)))?,
        };
        let is_stopped = alive.is_none();
        let parts = Mutex::new(Parts { network: Some(network), alive });
        let node = Node { place, id, shared, parts, turn: tokio::sync::Mutex::default() };
        if is_stopped {
            node.bury().await?;
        }
        Ok(node)
    }

    pub fn is_stopped(&self) -> bool {
        self.parts().alive.is_none()
    }

    pub fn runtime(&self) -> Option<Arc<OciRuntime>> {
        self.parts().alive.as_ref().map(|alive| Arc::clone(&alive.runtime))
    }

    pub fn asked(&self) -> Option<metadata::Node> {
        let parts = self.parts();
        let alive = parts.alive.as_ref()?;
        Some(metadata::Node { metadata: alive.metadata.clone(), runtime: Arc::clone(&alive.runtime) })
    }

    /// The machine dies. The mark comes first: whatever happens from then on, it is dead.
    pub async fn stop(&self) -> anyhow::Result<()> {
        let _turn = self.turn.lock().await;
        std::fs::write(mark(&self.place), &self.id).context("marking the node as stopped")?;
        let alive = self.parts().alive.take();
        if let Some(alive) = alive {
            alive.end().await;
        }
        self.bury().await
    }

    pub async fn start(&self) -> anyhow::Result<()> {
        let _turn = self.turn.lock().await;
        let network = self.parts().network.clone().context("the server is ending")?;
        if !self.is_stopped() {
            return Ok(());
        }
        // What somebody began to stop and could not end.
        self.clear().await?;
        let (_, alive) = boot(&self.shared, &self.place, &network).await?;
        std::fs::remove_file(mark(&self.place)).context("taking the mark of a stopped node away")?;
        self.parts().alive = Some(alive);
        Ok(())
    }

    /// The server ends; containers go on. A host that holds none is left as it was found.
    pub async fn leave(&self) {
        let _turn = self.turn.lock().await;
        let (network, alive) = {
            let mut parts = self.parts();
            (parts.network.take(), parts.alive.take())
        };
        if let Some(alive) = alive {
            let runtime = alive.end().await;
            leave_groups(&runtime);
        }
        leave_network(network).await;
    }

    /// Nothing is replaced while it still runs: the plane is told last.
    async fn bury(&self) -> anyhow::Result<()> {
        self.clear().await?;
        let (id, mut rows) = (&self.id, Watch::new(&self.shared.common.plane));
        self.shared.common.plane.gone(id.clone());
        rows.until(|image| !is_connected(image, id) && image.by::<Task>("node", id).next().is_none()).await
    }

    /// Ends what is left of a dead machine, and what its agent meant to do.
    async fn clear(&self) -> anyhow::Result<()> {
        Agent::bury(&self.place.home).await?;
        let runtime = OciRuntime::new(oci(&self.shared.common.config, &self.place))?;
        let (tasks, _) = runtime.list().await?;
        for closed in join_all(tasks.iter().map(|task| runtime.close(task))).await {
            closed?;
        }
        leave_groups(&runtime);
        let network = self.parts().network.clone().context("the server is ending")?;
        for attachment in network.list().await? {
            network.detach(&attachment.id).await?;
        }
        Ok(())
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alive {
    /// As a killed agent ends, but that it has let go of its memory: its containers go on.
    async fn end(self) -> Arc<OciRuntime> {
        // It may have failed by itself; then it is over, too.
        let _ = self.stop.send(());
        let _ = self.life.await;
        self.runtime
    }
}

/// Returns when the plane knows it: a task asked for at once would be refused for want of a node.
async fn boot(shared: &Shared, place: &Place, network: &Arc<LinuxNetwork>) -> anyhow::Result<(NodeId, Alive)> {
    let runtime = Arc::new(OciRuntime::new(oci(&shared.common.config, place))?);
    let (plane_end, node_end) = link::local();
    tokio::spawn(listen(shared.common.plane.clone(), plane_end));
    let mut rows = Watch::new(&shared.common.plane);
    let (settings, images) = (settings(shared, place), Arc::clone(&shared.common.images));
    let agent = Agent::start(settings, Arc::clone(&runtime) as _, Arc::clone(network) as _, images as _, node_end).await?;
    let id = agent.facts().id.clone();
    rows.until(|image| is_connected(image, &id)).await?;
    let (stop, stopped) = oneshot::channel();
    let metadata = agent.metadata().clone();
    let life = tokio::spawn(live(agent, stopped, shared.failures.clone()));
    Ok((id, Alive { runtime, metadata, stop, life }))
}

async fn live(mut agent: Agent, stopped: oneshot::Receiver<()>, failures: mpsc::UnboundedSender<()>) {
    tokio::select! {
        () = agent.failed() => drop(failures.send(())),
        _ = stopped => agent.stop().await,
    }
}

fn is_connected(image: &store::Image, node: &NodeId) -> bool {
    image.get::<ecs::node::Node>(node).is_some_and(|node| node.connected)
}

/// Holds the node's id while it is stopped.
fn mark(place: &Place) -> PathBuf {
    place.home.join("stopped")
}

fn settings(Shared { common, range, .. }: &Shared, place: &Place) -> agent::Config {
    let config = &common.config;
    let mut settings = agent::Config::new(&place.home, &config.account, &config.region);
    settings.reserved_ports.push(common.listeners.api_port);
    settings.metadata_host_port = Some(metadata_host_port(&config.data_dir));
    settings.file_systems = config.efs.clone();
    settings.log_drivers = common.log_drivers.clone();
    settings.logs = config.data_dir.join("logs");
    settings.capabilities.extend(metadata::CAPABILITIES.map(str::to_owned));
    settings.references = Arc::clone(&common.references);
    settings.availability_zone.clone_from(&place.zone);
    settings.cpu_units = place.fleet.cpu_units;
    settings.memory_mib = place.fleet.memory_mib;
    settings.auto_scaling_group.clone_from(&place.fleet.auto_scaling_group);
    let own = range.as_ref().zip(place.part).and_then(|(range, part)| range.part(part));
    settings.address = own.map(|subnet| Addresses::new(subnet, 0).gateway().to_string());
    settings
}

fn oci(config: &Config, place: &Place) -> OciConfig {
    OciConfig {
        root: place.home.join("runtime"),
        logs: config.data_dir.join("logs"),
        shim_exe: "/proc/self/exe".into(),
        cgroup_parent: place.cgroup.clone(),
        task_pids_limit: config.task_pids_limit,
    }
}

fn network(Shared { common, range, .. }: &Shared, place: &Place) -> anyhow::Result<net::linux::Config> {
    let config = &common.config;
    let mut network = net::linux::Config::new(place.home.join("net"));
    network.table.clone_from(&place.table);
    network.link_prefix.clone_from(&place.link_prefix);
    network.dynamic_ports = config.dynamic_ports.map(|(first, last)| first..=last);
    network.reserved_ports.insert(common.listeners.api_port);
    let host_port = metadata_host_port(&config.data_dir);
    network.metadata = Some(Metadata { listener_port: common.listeners.metadata_port, host_port });
    match range.as_ref().zip(place.part) {
        None => network.subnet = config.subnet.as_deref().map(str::parse).transpose().context("subnet")?,
        Some((range, part)) => {
            let own = range.part(part).with_context(|| format!("{} has no part for {}", range.subnet, place.name))?;
            network.subnet = Some(own);
            network.pool_size = 1;
            network.neighbours = Some(Neighbours { range: range.subnet, link_prefix: link_prefix(&config.data_dir) });
        }
    }
    Ok(network)
}

fn leave_groups(runtime: &OciRuntime) {
    if let Err(error) = runtime.leave() {
        tracing::warn!(%error, "empty cgroups are left");
    }
}

/// Takes routes, links and firewall rules away again if no container needs them.
async fn leave_network(network: Option<Arc<LinuxNetwork>>) {
    let Some(network) = network.and_then(Arc::into_inner) else { return };
    let result = match network.list().await {
        Ok(attachments) if attachments.is_empty() => network.teardown_all().await,
        Ok(_) => return,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::warn!(%error, "the network was not taken down");
    }
}
