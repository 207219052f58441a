//! Performs effects: each becomes a future that ends in the event to be told. Takes no decision; turns failures into the
//! reasons that users read.

use super::fetch::Fetcher;
use super::firelens::{self, Firelens};
use super::images::Images;
use super::logging::Logging;
use super::volumes::Volumes;
use super::{files, links, reasons};
use crate::engine::network::plug_id;
use crate::engine::{self, Effect, Event, Facts, Plug};
use crate::metadata::Environment;
use base::Rng;
use net::Network;
use runtime::{Bind, ContainerId, ContainerRun, ExecSpec, Runtime};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use workload::{ContainerSpec, Image, TaskId, TaskSpec};

const SIGKILL: i32 = 9;

/// What an effect comes to; some have nothing to tell.
pub type Doing = Pin<Box<dyn Future<Output = Option<Event>> + Send>>;

/// The edges of this host.
#[derive(Clone)]
pub struct Hands {
    pub runtime: Arc<dyn Runtime>,
    pub network: Arc<dyn Network>,
    pub images: Arc<dyn Images>,
    pub fetcher: Fetcher,
    pub volumes: Volumes,
    pub firelens: Firelens,
    pub logging: Logging,
    pub hostname: String,
    /// What containers are told of the address at which they ask about themselves.
    pub environment: Option<Environment>,
}

impl Hands {
    /// `None` for what the loop itself does.
    pub fn perform(&self, effect: Effect, rng: &mut Rng) -> Option<Doing> {
        let hands = self.clone();
        Some(match effect {
            Effect::Open(spec) => Box::pin(hands.open(spec)),
            Effect::PrepareVolumes(spec) => Box::pin(hands.prepare_volumes(spec)),
            Effect::Fetch(spec) => Box::pin(hands.fetch(spec)),
            Effect::Attach { task, plug } => Box::pin(hands.attach(task, plug)),
            Effect::Pull { task, container } => Box::pin(hands.pull(task, container)),
            Effect::Start { container, again, facts } => Box::pin(hands.start(container, again, facts, runtime_id(rng))),
            Effect::Signal { task, container, signal } => Box::pin(hands.signal(task, container, signal)),
            Effect::Probe { task, container, runtime_id, command, timeout } => {
                Box::pin(hands.probe(task, container, runtime_id, ExecSpec { command, timeout }))
            }
            Effect::Remove { task, container } => Box::pin(hands.remove(task, container)),
            Effect::Detach { task, id } => Box::pin(hands.detach(task, id)),
            Effect::Close(spec) => Box::pin(hands.close(spec)),
            Effect::Remember { .. } | Effect::Report(_) | Effect::WakeAt(_) => return None,
        })
    }

    async fn open(self, spec: Arc<TaskSpec>) -> Option<Event> {
        let result = self.runtime.open(&spec).await.map_err(reasons::open);
        Some(Event::Opened { task: spec.id.clone(), result })
    }

    async fn prepare_volumes(self, spec: Arc<TaskSpec>) -> Option<Event> {
        let task = spec.id.clone();
        let prepared = blocking(move || self.volumes.prepare(&spec)).await;
        Some(Event::VolumesReady { task, result: prepared.map_err(reasons::volume) })
    }

    async fn fetch(self, spec: Arc<TaskSpec>) -> Option<Event> {
        let result = self.fetcher.fetch(&spec).await.map_err(reasons::fetch);
        Some(Event::Fetched { task: spec.id.clone(), result })
    }

    async fn attach(self, task: TaskId, plug: Plug) -> Option<Event> {
        let Plug { id, connected, ports, sysctls } = plug;
        let attached = self.network.attach(net::Attach { id: id.clone(), connected, ports, sysctls }).await;
        let result = attached.map(attachment).map_err(|error| match engine::network::container(&id) {
            Some(container) => reasons::connect(container, error),
            None => reasons::connect_task(error),
        });
        Some(Event::Attached { task, id, result })
    }

    async fn pull(self, spec: Arc<TaskSpec>, container: String) -> Option<Event> {
        let task = spec.id.clone();
        let wanted = spec.container(&container)?;
        let auth = self.fetcher.of(&task, &container).registry_auth;
        let result = self.images.ensure(&wanted.image, auth).await.map_err(reasons::pull);
        Some(Event::Pulled { task, container, result })
    }

    async fn start(self, container: String, again: bool, facts: Facts, runtime_id: String) -> Option<Event> {
        let task = facts.spec.id.clone();
        let result = match self.container_run(&container, facts, runtime_id).await {
            Ok(run) => self.run(ContainerRun { again, ..run }).await,
            Err(reason) => Err(reason),
        };
        Some(Event::Started { task, container, result })
    }

    async fn run(&self, run: ContainerRun) -> engine::Outcome<engine::Run> {
        let (runtime_id, task) = (run.runtime_id.clone(), Arc::clone(&run.task));
        if let Some(container) = task.container(&run.id.container) {
            self.logging.start(&task, container, &runtime_id).await?;
        }
        let started = self.runtime.start(run).await.map_err(reasons::start)?;
        Ok(engine::Run { runtime_id, at: started.at })
    }

    async fn container_run(&self, name: &str, facts: Facts, runtime_id: String) -> engine::Outcome<ContainerRun> {
        let spec = Arc::clone(&facts.spec);
        let (Some(container), Some(image)) = (spec.container(name), facts.images.get(name)) else {
            return Err(reasons::create(format!("container {name} is not known")));
        };
        let fetched = self.fetcher.of(&spec.id, name);
        let netns = plug_id(&spec, name).and_then(|id| facts.attachments.get(&id)).map(|a| a.netns.clone());
        let hostname = files::hostname(&facts, container, &runtime_id, &self.hostname);
        Ok(ContainerRun {
            id: ContainerId { task: spec.id.clone(), container: name.to_owned() },
            runtime_id,
            again: false,
            netns,
            binds: self.binds(&facts, container, image).await?,
            hosts: files::hosts(&facts, container, &hostname),
            resolv_conf: files::resolv_conf(&spec, container),
            hostname,
            environment: self.environment(&facts, container, fetched.environment),
            secrets: fetched.secrets,
            files: fetched.files,
            image: Image::clone(image),
            task: Arc::clone(&spec),
        })
    }

    /// What comes behind wins: the container's own words over those of its files.
    fn environment(&self, facts: &Facts, container: &ContainerSpec, files: BTreeMap<String, String>) -> Vec<(String, String)> {
        let mut environment = self.environment.as_ref().map(|own| own.defaults(&facts.spec)).unwrap_or_default();
        environment.extend(files);
        environment.extend(links::environment(facts, container));
        environment.extend(self.environment.iter().flat_map(|own| own.addresses(facts, container)));
        environment.extend(firelens::environment(facts, container));
        environment
    }

    /// Volumes that may have to be filled are made away from the threads that serve everybody; most containers have none.
    async fn binds(&self, facts: &Facts, container: &ContainerSpec, image: &Image) -> engine::Outcome<Vec<Bind>> {
        let mounts = self.volumes.mounts(facts, container).map_err(reasons::create)?;
        let binds = mounts.iter().map(|m| Bind { source: m.source.clone(), target: m.target.clone(), read_only: m.read_only });
        let mut binds: Vec<Bind> = binds.collect();
        binds.extend(self.router(&facts.spec, container).await?);
        if mounts.iter().any(|mount| mount.fills) {
            let (volumes, layers): (Volumes, Vec<PathBuf>) = (self.volumes.clone(), image.layers.clone());
            blocking(move || volumes.provide(&mounts, &layers)).await.map_err(reasons::create)?;
        }
        Ok(binds)
    }

    /// What a log router finds in its container; others find nothing.
    async fn router(&self, spec: &Arc<TaskSpec>, container: &ContainerSpec) -> engine::Outcome<Vec<Bind>> {
        let Some(how) = container.firelens.clone() else { return Ok(vec![]) };
        let binds = self.firelens.binds(spec, &how);
        let own = self.fetcher.of(&spec.id, &container.name).router_file;
        let (firelens, spec, container) = (self.firelens.clone(), Arc::clone(spec), container.clone());
        blocking(move || firelens.prepare(&spec, &container, &how, own.as_deref())).await.map_err(reasons::router)?;
        Ok(binds)
    }

    /// An exit is told by the runtime; only a container that it does not know has to be asked about.
    async fn signal(self, task: TaskId, container: String, signal: i32) -> Option<Event> {
        // A log router shall have what others wrote before it is asked to go.
        if signal != SIGKILL {
            self.logging.finish_senders(&task, &container).await;
        }
        let id = ContainerId { task: task.clone(), container };
        match self.runtime.signal(&id, signal).await {
            Ok(()) => None,
            Err(runtime::Error::NoSuchContainer(_)) => self.observe(task).await,
            Err(error) => {
                tracing::warn!(task, container = id.container, signal, %error, "a signal was not delivered");
                None
            }
        }
    }

    /// All that the runtime has of a task.
    pub async fn observe(self, task: TaskId) -> Option<Event> {
        match self.runtime.list().await {
            Ok((_, observed)) => {
                let containers = observed.into_iter().filter(|o| o.id.task == task).map(self::observed).collect();
                Some(Event::Observed { task, containers })
            }
            Err(error) => {
                tracing::error!(task, %error, "the runtime does not say what it has");
                None
            }
        }
    }

    async fn probe(self, task: TaskId, container: String, runtime_id: String, exec: ExecSpec) -> Option<Event> {
        let id = ContainerId { task: task.clone(), container: container.clone() };
        let healthy = match self.runtime.exec(&id, exec).await {
            Ok(end) => end.code == Some(0),
            Err(error) => {
                tracing::debug!(task, container, %error, "a health check could not be executed");
                false
            }
        };
        Some(Event::Probed { task, container, runtime_id, healthy })
    }

    async fn remove(self, task: TaskId, container: String) -> Option<Event> {
        let id = ContainerId { task: task.clone(), container: container.clone() };
        let result = self.runtime.remove(&id).await.map_err(|error| failed("remove", &task, &error));
        Some(Event::Removed { task, container, result })
    }

    async fn detach(self, task: TaskId, id: String) -> Option<Event> {
        let result = self.network.detach(&id).await.map_err(|error| failed("detach", &task, &error));
        Some(Event::Detached { task, id, result })
    }

    async fn close(self, spec: Arc<TaskSpec>) -> Option<Event> {
        let task = spec.id.clone();
        self.logging.finish(&task).await;
        self.fetcher.forget(&task);
        let mut result = self.runtime.close(&task).await.map_err(|error| failed("close", &task, &error));
        if result.is_ok() {
            let remove = move || (self.firelens.remove(&spec), self.volumes.remove(&spec));
            let (firelens, removed) = blocking(remove).await;
            result = removed.map_err(|error| failed("remove volumes", &task, &error));
            result = result.and(firelens.map_err(|error| failed("remove the log router's files", &task, &error)));
        }
        Some(Event::Closed { task, result })
    }
}

/// It will be tried again; what keeps it from working is for the operator.
fn failed(what: &str, task: &str, error: &dyn std::error::Error) -> String {
    tracing::error!(task, %error, "could not {what}");
    error.to_string()
}

pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down: nobody waits for the answer.
            Err(_) => std::future::pending().await,
        },
    }
}

/// 64 hexadecimal digits, as Docker's.
fn runtime_id(rng: &mut Rng) -> String {
    rng.hex32() + &rng.hex32()
}

pub fn attachment(attachment: net::Attachment) -> engine::Attachment {
    engine::Attachment { netns: attachment.netns, address: attachment.address, bindings: attachment.bindings }
}

pub fn observed(seen: runtime::Observed) -> engine::Observed {
    engine::Observed {
        task: seen.id.task,
        container: seen.id.container,
        runtime_id: seen.runtime_id,
        started_at: seen.started_at,
        exit: seen.exit.map(exit),
    }
}

pub fn exit(exit: runtime::Exit) -> engine::Exit {
    engine::Exit { code: exit.code, oom_killed: exit.oom_killed, at: exit.at }
}

/// Between tries of what must succeed before anything else can.
pub const AGAIN: Duration = Duration::from_secs(1);
