//! The composition root: which parts make a server, and in what order they start and stop. The only file that knows them all.

use crate::cloudwatch::CloudWatch;
use crate::config::{Config, DATA_DIR};
use crate::http;
use crate::images::Images;
use crate::keys::Keys;
use crate::{events, metadata, services};
use agent::Agent;
use agent::logging::LogDrivers;
use agent::logging::awslogs::AwsLogs;
use anyhow::Context;
use base::{Rng, SystemClock};
use ecs::task::Task;
use kernel::Plane;
use link::{PlaneEnd, ToNode, ToPlane};
use logstore::Events;
use net::Network;
use net::linux::LinuxNetwork;
use runtime::oci::{OciConfig, OciRuntime};
use runtime::{ContainerId, Runtime};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::backend::file::File;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

const SIGKILL: i32 = 9;
const PREDECESSOR_TRIES: u32 = 20;
const PREDECESSOR_PAUSE: Duration = Duration::from_millis(50);
const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

/// What requests need.
pub struct Server {
    pub config: Config,
    /// Where it listens: the port is known only now when 0 was asked for.
    pub address: SocketAddr,
    pub plane: Plane,
    pub keys: Keys,
    pub images: Arc<Images>,
    pub runtime: Arc<OciRuntime>,
}

/// A server with what ends it.
pub struct Running {
    pub server: Arc<Server>,
    stop: watch::Sender<bool>,
    http: JoinHandle<()>,
    writer: std::thread::JoinHandle<()>,
    runtime: Arc<OciRuntime>,
    network: Arc<LinuxNetwork>,
    agent: Agent,
}

impl Server {
    pub async fn start(config: Config) -> anyhow::Result<Running> {
        let bind = || async { std::net::TcpListener::bind(config.listen) };
        let listener = patiently(bind, |error| error.kind() == ErrorKind::AddrInUse).await;
        let listener = listener.with_context(|| format!("listening on {}", config.listen))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        create_private(&config.data_dir)?;
        let open = || async { File::open(config.data_dir.join("state.redb")) };
        let backend = patiently(open, |error| error.to_string().contains("another process")).await?;
        let events = events::open(&config.data_dir).context("log events")?;
        let (plane, writer) = start_plane(&config, &events, backend)?;
        let images = Arc::new(Images::open(&config)?);
        let runtime = Arc::new(OciRuntime::new(oci(&config))?);
        let asked = metadata::bind().await.context("listening for containers that ask about themselves")?;
        let metadata_port = asked.local_addr()?.port();
        let network = Arc::new(LinuxNetwork::new(network(&config, address.port(), metadata_port)?)?);
        let (plane_end, node_end) = link::local();
        tokio::spawn(listen(plane.clone(), plane_end));
        let mut settings = node(&config, address.port());
        settings.log_drivers = log_drivers(&plane, events);
        let mut feed = plane.feed();
        let agent =
            Agent::start(settings, Arc::clone(&runtime) as _, Arc::clone(&network) as _, Arc::clone(&images) as _, node_end)
                .await?;
        connected(&plane, &mut feed, &agent.facts().id).await?;
        let keys = Keys::new(&config);
        let server = Arc::new(Server { config, address, plane, keys, images, runtime: Arc::clone(&runtime) });
        let (stop, stopped) = watch::channel(false);
        let nodes = vec![metadata::Node { metadata: agent.metadata().clone(), runtime: Arc::clone(&runtime) }];
        let endpoint = metadata::Endpoint::new(nodes, Arc::new(server.plane.clone()), Arc::clone(server.plane.clock()));
        tokio::spawn(endpoint.serve(asked, stopped.clone()));
        let http = tokio::spawn(http::serve(listener, Arc::clone(&server), stopped));
        Ok(Running { server, stop, http, writer, runtime, network, agent })
    }

    pub async fn load_image(&self, file: &Path) -> anyhow::Result<Vec<serde_json::Value>> {
        self.images.load(file).await
    }

    pub async fn images(&self) -> anyhow::Result<Vec<serde_json::Value>> {
        self.images.list().await
    }

    /// SIGKILL to every container of the task, without waiting for its stop timeout.
    pub async fn kill(&self, task: &Task) {
        for container in task.container_ids.keys() {
            let id = ContainerId { task: task.id.clone(), container: container.clone() };
            if let Err(error) = self.runtime.signal(&id, SIGKILL).await {
                tracing::debug!(%error, "a container was not killed");
            }
        }
    }
}

impl Running {
    /// Returns only if the agent dies: a server without it would accept what nobody runs.
    pub async fn failed(&mut self) {
        self.agent.failed().await;
    }

    /// Requests under way are answered; containers go on. A host that holds none is left as it was found.
    pub async fn stop(self) {
        // Without a listener left the server has stopped already.
        let _ = self.stop.send(true);
        let _ = self.http.await;
        self.agent.stop().await;
        leave(self.network).await;
        if let Err(error) = self.runtime.leave() {
            tracing::warn!(%error, "empty cgroups are left");
        }
        self.server.plane.stop();
        let writer = self.writer;
        let _ = tokio::task::spawn_blocking(move || writer.join()).await;
    }
}

/// Rows hold secrets (environment variables), so nobody else reads the directory.
fn create_private(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(directory).with_context(|| format!("data directory {}", directory.display()))
}

/// A server that was killed while it started a shim lives on in that child until the child's `execve`, with the port and the
/// file it held: whoever starts right after it has to wait for that, which no event tells.
async fn patiently<T, E, F: Future<Output = Result<T, E>>>(attempt: impl Fn() -> F, taken: impl Fn(&E) -> bool) -> Result<T, E> {
    for _ in 0..PREDECESSOR_TRIES {
        match attempt().await {
            Err(error) if taken(&error) => tokio::time::sleep(PREDECESSOR_PAUSE).await,
            settled => return settled,
        }
    }
    attempt().await
}

fn start_plane(config: &Config, events: &Events, backend: File) -> anyhow::Result<(Plane, std::thread::JoinHandle<()>)> {
    let services = Arc::new(services::all(events));
    let (plane, writer) = Plane::start(services, Box::new(backend), Arc::new(SystemClock), Rng::from_os())?;
    tokio::spawn(events::keep_tidy(plane.clone(), events.clone()));
    let retention = Duration::from_secs(config.stopped_task_retention_seconds);
    plane.internal(move |_, tx| ecs::task::set_stopped_task_retention(tx, retention));
    Ok((plane, writer))
}

/// What this server's cgroups, links and firewall table are called. Servers side by side on one host, each with its own data
/// directory, must not take each other's; the usual directory has the plain name.
fn name(data_dir: &Path) -> String {
    if data_dir == Path::new(DATA_DIR) {
        return "slipway".into();
    }
    let path = std::fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let hash = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(FNV_OFFSET, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME));
    format!("slipway-{:04x}", (hash >> 16) ^ (hash & 0xffff))
}

fn network(config: &Config, port: u16, metadata_port: u16) -> anyhow::Result<net::linux::Config> {
    let mut network = net::linux::Config::new(config.data_dir.join("net"));
    network.table = name(&config.data_dir);
    if let Some((_, suffix)) = network.table.split_once('-') {
        network.link_prefix = format!("sl{suffix}");
    }
    network.subnet = config.subnet.as_deref().map(str::parse).transpose().context("subnet")?;
    network.dynamic_ports = config.dynamic_ports.map(|(first, last)| first..=last);
    network.reserved_ports.insert(port);
    let host_port = metadata_host_port(&config.data_dir);
    network.metadata = Some(net::linux::Metadata { listener_port: metadata_port, host_port });
    Ok(network)
}

/// Where containers in the host's own network ask about themselves, at 169.254.170.2. Port 80, as everywhere, is the usual
/// directory's; a server beside it has one that follows from its name, as its containers outlive its process.
fn metadata_host_port(data_dir: &Path) -> u16 {
    let name = name(data_dir);
    let hash = name.split_once('-').and_then(|(_, hash)| u16::from_str_radix(hash, 16).ok());
    hash.map_or(80, |hash| hash | 1 << 15)
}

fn oci(config: &Config) -> OciConfig {
    OciConfig {
        root: config.data_dir.join("runtime"),
        logs: config.data_dir.join("logs"),
        shim_exe: "/proc/self/exe".into(),
        cgroup_parent: name(&config.data_dir),
        task_pids_limit: None,
    }
}

fn log_drivers(plane: &Plane, events: Events) -> LogDrivers {
    let cloudwatch = Arc::new(CloudWatch { plane: plane.clone(), events });
    LogDrivers::from([("awslogs", Arc::new(AwsLogs::new(cloudwatch)) as _)])
}

fn node(config: &Config, port: u16) -> agent::Config {
    let mut node = agent::Config::new(&config.data_dir, &config.account, &config.region);
    node.reserved_ports.push(port);
    node.metadata_host_port = Some(metadata_host_port(&config.data_dir));
    node.file_systems = config.efs.clone();
    node
}

/// Until the plane knows its node: a task asked for at once would be refused for want of one.
async fn connected(plane: &Plane, feed: &mut broadcast::Receiver<Arc<Vec<store::Change>>>, node: &str) -> anyhow::Result<()> {
    while !plane.image().get::<ecs::node::Node>(node).is_some_and(|node| node.connected) {
        if matches!(feed.recv().await, Err(broadcast::error::RecvError::Closed)) {
            anyhow::bail!("the plane ended before its node was there");
        }
    }
    Ok(())
}

/// Takes routes, links and firewall rules away again if no container needs them.
async fn leave(network: Arc<LinuxNetwork>) {
    let Some(network) = Arc::into_inner(network) else { return };
    let result = match network.list().await {
        Ok(attachments) if attachments.is_empty() => network.teardown_all().await,
        Ok(_) => return,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::warn!(%error, "the network was not taken down");
    }
}

/// What the node says becomes work of the writer; what the writer assigns is sent without waiting.
async fn listen(plane: Plane, end: PlaneEnd) {
    let mut node = None;
    while let Some(message) = end.recv().await {
        match (message, &node) {
            (ToPlane::Hello(facts), _) => {
                node = Some(facts.id.clone());
                let sender = end.sender();
                plane.joined(facts, Box::new(move |assign| sender.send(ToNode::Assign(assign))));
            }
            (ToPlane::Report(report), Some(node)) => plane.report(node.clone(), report),
            (ToPlane::Report(_), None) => tracing::warn!("a report before a hello"),
        }
    }
    if let Some(node) = node {
        plane.left(node);
    }
}
