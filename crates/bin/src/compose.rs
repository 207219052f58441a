//! The composition root: which parts make a server, and in what order they start and stop. The only file that knows them all.

use crate::cloudwatch::CloudWatch;
use crate::config::Config;
use crate::http;
use crate::images::{self, Images};
use crate::keys::Keys;
use crate::nodes::{Common, Failures, Listeners, Nodes};
use crate::references::References;
use crate::s3::S3;
use crate::sessions::Sessions;
use crate::{events, metadata, services};
use agent::logging::LogDrivers;
use agent::logging::awslogs::AwsLogs;
use anyhow::Context;
use base::{Rng, SystemClock};
use ecs::task::Task;
use kernel::Plane;
use logstore::Events;
use runtime::{ContainerId, Runtime};
use seal::Key;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::backend::file::File;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const SIGKILL: i32 = 9;
const PREDECESSOR_TRIES: u32 = 20;
const PREDECESSOR_PAUSE: Duration = Duration::from_millis(50);

/// What requests need.
pub struct Server {
    pub config: Config,
    /// Where it listens: the port is known only now when 0 was asked for.
    pub address: SocketAddr,
    pub plane: Plane,
    pub keys: Keys,
    pub images: Arc<Images>,
    pub nodes: Arc<Nodes>,
}

/// A server with what ends it.
pub struct Running {
    pub server: Arc<Server>,
    stop: watch::Sender<bool>,
    http: JoinHandle<()>,
    writer: std::thread::JoinHandle<()>,
    failures: Failures,
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
        let key = seal::open_or_create(&config.data_dir.join("secrets.key"))?;
        let sessions = Sessions::new(seal::open_or_create(&config.data_dir.join("sessions.key"))?);
        let (plane, writer) = start_plane(&config, &events, &key, backend)?;
        let images = Arc::new(Images::open(&config)?);
        let asked = metadata::bind().await.context("listening for containers that ask about themselves")?;
        let common = Common {
            listeners: Listeners { api_port: address.port(), metadata_port: asked.local_addr()?.port() },
            log_drivers: log_drivers(&plane, events),
            references: Arc::new(references(&config, &plane, key)?),
            config: config.clone(),
            plane: plane.clone(),
            images: Arc::clone(&images),
        };
        let (nodes, failures) = Nodes::start(common).await?;
        let (nodes, keys) = (Arc::new(nodes), Keys::new(&config, sessions.clone()));
        let server = Arc::new(Server { config, address, plane, keys, images, nodes });
        let (stop, stopped) = watch::channel(false);
        let clock = Arc::clone(server.plane.clock());
        let endpoint = metadata::Endpoint::new(Arc::clone(&server.nodes), Arc::new(server.plane.clone()), sessions, clock);
        tokio::spawn(endpoint.serve(asked, stopped.clone()));
        let http = tokio::spawn(http::serve(listener, Arc::clone(&server), stopped));
        Ok(Running { server, stop, http, writer, failures })
    }

    pub async fn load_image(&self, file: &Path) -> anyhow::Result<Vec<serde_json::Value>> {
        self.images.load(file).await
    }

    pub async fn images(&self) -> anyhow::Result<Vec<serde_json::Value>> {
        self.images.list().await
    }

    /// SIGKILL to every container of the task, without waiting for its stop timeout.
    pub async fn kill(&self, task: &Task) {
        let Some(runtime) = task.node.as_ref().and_then(|node| self.nodes.runtime(node)) else { return };
        for container in task.container_ids.keys() {
            let id = ContainerId { task: task.id.clone(), container: container.clone() };
            if let Err(error) = runtime.signal(&id, SIGKILL).await {
                tracing::debug!(%error, "a container was not killed");
            }
        }
    }
}

impl Running {
    /// Returns only if an agent dies: a server without it would accept what nobody runs.
    pub async fn failed(&mut self) {
        self.failures.next().await;
    }

    /// Requests under way are answered; containers go on. A host that holds none is left as it was found.
    pub async fn stop(self) {
        // Without a listener left the server has stopped already.
        let _ = self.stop.send(true);
        let _ = self.http.await;
        self.server.nodes.leave().await;
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

fn start_plane(
    config: &Config,
    events: &Events,
    key: &Key,
    backend: File,
) -> anyhow::Result<(Plane, std::thread::JoinHandle<()>)> {
    let services = Arc::new(services::all(events, key));
    let (plane, writer) = Plane::start(services, Box::new(backend), Arc::new(SystemClock), Rng::from_os())?;
    tokio::spawn(events::keep_tidy(plane.clone(), events.clone()));
    let retention = Duration::from_secs(config.stopped_task_retention_seconds);
    plane.internal(move |_, tx| ecs::task::set_stopped_task_retention(tx, retention));
    let healthy_after = config.healthy_after;
    plane.internal(move |_, tx| ecs::service::set_healthy_after(tx, healthy_after));
    Ok((plane, writer))
}

fn references(config: &Config, plane: &Plane, key: Key) -> anyhow::Result<References> {
    let s3 = S3::new(config.s3.as_deref(), &images::settings(config))?;
    Ok(References { plane: plane.clone(), key, s3 })
}

fn log_drivers(plane: &Plane, events: Events) -> LogDrivers {
    let cloudwatch = Arc::new(CloudWatch { plane: plane.clone(), events });
    LogDrivers::from([("awslogs", Arc::new(AwsLogs::new(cloudwatch)) as _)])
}
