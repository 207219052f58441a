//! The agent's side: one connection per shim, `Runtime` in terms of them. Sandboxes of an agent before this one are found
//! in the directory and talked to like one's own; those whose shim died are buried here: killed, written down, cleared.

mod burial;
mod connection;

use crate::oci::cgroup;
use crate::oci::dir::Sandbox;
use crate::oci::protocol::{Answer, Failure, Opening, Request};
use crate::{ContainerId, ContainerRun, Error, ExecEnd, ExecSpec, Observed, Result, Runtime, RuntimeEvent, Started};
use async_trait::async_trait;
use burial::Grave;
use connection::Shim;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use workload::{Sharing, TaskId, TaskSpec};

#[derive(Clone, Debug)]
pub struct OciConfig {
    /// One directory per sandbox: `<data>/runtime`.
    pub root: PathBuf,
    /// `<logs>/<task>/<container>.log`; kept when a sandbox is closed.
    pub logs: PathBuf,
    /// What has `shim serve`: usually /proc/self/exe.
    pub shim_exe: PathBuf,
    /// The cgroup above all tasks', e.g. `slipway`.
    pub cgroup_parent: String,
    /// Processes per task at most, as the ECS agent's ECS_TASK_PIDS_LIMIT.
    pub task_pids_limit: Option<u64>,
}

pub struct OciRuntime {
    config: OciConfig,
    /// The lock of a slot makes opening, adopting and closing one sandbox a matter of one at a time.
    slots: Mutex<BTreeMap<TaskId, Slot>>,
    events: UnboundedSender<RuntimeEvent>,
    receiver: Mutex<Option<UnboundedReceiver<RuntimeEvent>>>,
}

type Slot = Arc<AsyncMutex<Option<Arc<Shim>>>>;

impl OciRuntime {
    pub fn new(config: OciConfig) -> Result<OciRuntime> {
        std::fs::create_dir_all(&config.root).map_err(at(&config.root))?;
        let (events, receiver) = unbounded_channel();
        Ok(OciRuntime { config, slots: Mutex::default(), events, receiver: Mutex::new(Some(receiver)) })
    }

    /// Takes away what all tasks share on this host, if there is none left. Nothing may be opened meanwhile.
    pub fn leave(&self) -> io::Result<()> {
        let host = cgroup::Host::detect()?;
        let groups = std::path::Path::new(&self.config.cgroup_parent).ancestors().filter_map(|path| path.to_str());
        groups.filter(|path| !path.is_empty()).for_each(|path| host.group(path).try_remove());
        Ok(())
    }

    /// What a container that runs has used; `None` without its cgroup. Asks the kernel and no shim.
    pub fn usage(&self, task: &TaskId, runtime_id: &str) -> Option<cgroup::usage::Usage> {
        let path = format!("{}/{runtime_id}", self.cgroup(task));
        cgroup::Host::detect().ok()?.group(&path).usage()
    }

    fn slot(&self, task: &TaskId) -> Slot {
        self.slots.lock().expect("no panic while it is held").entry(task.clone()).or_default().clone()
    }

    /// Unless somebody waits for it: two slots of one task would be two locks.
    fn forget_slot(&self, task: &TaskId) {
        const THE_MAPS_AND_OURS: usize = 2;
        let mut slots = self.slots.lock().expect("no panic while it is held");
        if slots.get(task).is_some_and(|slot| Arc::strong_count(slot) == THE_MAPS_AND_OURS) {
            slots.remove(task);
        }
    }

    fn sandbox(&self, task: &TaskId) -> Sandbox {
        Sandbox(self.config.root.join(task))
    }

    fn grave(&self, task: &TaskId) -> Grave {
        Grave { sandbox: self.sandbox(task), cgroup: self.cgroup(task) }
    }

    fn cgroup(&self, task: &TaskId) -> String {
        format!("{}/{task}", self.config.cgroup_parent)
    }

    /// The live shim of a sandbox; `None` if there is none any more (then what it held is buried) or never was.
    async fn shim(&self, task: &TaskId, held: &mut Option<Arc<Shim>>) -> Result<Option<Arc<Shim>>> {
        if held.as_ref().is_some_and(|shim| shim.is_gone()) {
            *held = None;
        }
        if held.is_none() {
            *held = self.adopt(task).await?;
        }
        Ok(held.clone())
    }

    async fn live(&self, task: &TaskId) -> Result<Option<Arc<Shim>>> {
        let slot = self.slot(task);
        let mut held = slot.lock().await;
        self.shim(task, &mut held).await
    }

    async fn adopt(&self, task: &TaskId) -> Result<Option<Arc<Shim>>> {
        let sandbox = self.sandbox(task);
        if !sandbox.0.exists() {
            return Ok(None);
        }
        match connection::connect(&sandbox) {
            Ok(stream) => Ok(Some(self.talk(task, stream)?)),
            Err(_) => {
                self.grave(task).bury().await.map_err(at(&sandbox.0))?;
                Ok(None)
            }
        }
    }

    fn talk(&self, task: &TaskId, stream: UnixStream) -> Result<Arc<Shim>> {
        let shim = Shim::new(task.clone(), stream, self.events.clone(), self.grave(task));
        shim.map_err(|source| Error::Io { context: format!("shim of task {task}"), source })
    }

    fn spawn(&self, task: &TaskId) -> Result<Arc<Shim>> {
        let sandbox = self.sandbox(task);
        let stream = self
            .spawn_process(task, &sandbox)
            .map_err(|source| Error::Io { context: format!("start the shim of task {task}"), source })?;
        self.talk(task, stream)
    }

    /// The shim's standard input is the other end of our first connection to it.
    fn spawn_process(&self, task: &TaskId, sandbox: &Sandbox) -> io::Result<UnixStream> {
        sandbox.create()?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = tokio::process::Command::new(&self.config.shim_exe)
            .arg0("slipway")
            .args(["shim", "serve"])
            .args([sandbox.0.as_os_str(), self.config.logs.join(task).as_os_str(), self.cgroup(task).as_ref()])
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(sandbox.log())?)
            .spawn()?;
        // For the operating system: its connection tells us that it is gone.
        tokio::spawn(async move { child.wait().await });
        Ok(ours)
    }

    async fn ask(&self, id: &ContainerId, request: Request) -> Result<Answer> {
        let gone = || Error::Shim { task: id.task.clone(), message: "there is no such sandbox".to_owned() };
        let shim = self.live(&id.task).await?.ok_or_else(gone)?;
        shim.request(request).await?.map_err(|failure| error(id, failure))
    }
}

fn at(path: &std::path::Path) -> impl Fn(io::Error) -> Error + '_ {
    move |source| Error::Io { context: path.display().to_string(), source }
}

fn error(id: &ContainerId, failure: Failure) -> Error {
    match failure {
        Failure::Start(text) => Error::Start(text),
        Failure::Create(text) => Error::Create(text),
        Failure::NoSuchContainer => Error::NoSuchContainer(id.clone()),
        failure @ Failure::Other(_) => said_by_shim(&id.task, &failure),
    }
}

fn said_by_shim(task: &TaskId, failure: &Failure) -> Error {
    Error::Shim { task: task.clone(), message: failure.to_string() }
}

fn unexpected(task: &TaskId, answer: &Answer) -> Error {
    Error::Shim { task: task.clone(), message: format!("unexpected answer {answer:?}") }
}

#[async_trait]
impl Runtime for OciRuntime {
    async fn list(&self) -> Result<(Vec<TaskId>, Vec<Observed>)> {
        let (mut tasks, mut observed) = (Vec::new(), Vec::new());
        for task in burial::tasks(&self.config.root).map_err(at(&self.config.root))? {
            observed.extend(self.observe(&task).await?);
            tasks.push(task);
        }
        Ok((tasks, observed))
    }

    async fn open(&self, task: &Arc<TaskSpec>) -> Result<()> {
        let slot = self.slot(&task.id);
        let mut held = slot.lock().await;
        let shim = match self.shim(&task.id, &mut held).await? {
            Some(shim) => shim,
            None => held.insert(self.spawn(&task.id)?).clone(),
        };
        drop(held);
        let opening = Opening {
            cpu_units: task.cpu_units,
            memory_mib: task.memory_mib,
            pids_limit: self.config.task_pids_limit,
            share_pid: task.pid_mode == Sharing::Task,
            share_ipc: task.ipc_mode == Sharing::Task,
        };
        shim.request(Request::Open(opening)).await?.map(drop).map_err(|failure| said_by_shim(&task.id, &failure))
    }

    async fn start(&self, run: ContainerRun) -> Result<Started> {
        let id = run.id.clone();
        match self.ask(&id, Request::Start(Box::new(without_others(run)))).await? {
            Answer::Started(started) => Ok(started),
            other => Err(unexpected(&id.task, &other)),
        }
    }

    async fn signal(&self, id: &ContainerId, signal: i32) -> Result<()> {
        self.ask(id, Request::Signal { container: id.container.clone(), signal }).await.map(drop)
    }

    async fn exec(&self, id: &ContainerId, exec: ExecSpec) -> Result<ExecEnd> {
        match self.ask(id, Request::Exec { container: id.container.clone(), exec }).await? {
            Answer::Exec(end) => Ok(end),
            other => Err(unexpected(&id.task, &other)),
        }
    }

    async fn remove(&self, id: &ContainerId) -> Result<()> {
        match self.live(&id.task).await? {
            Some(_) => self.ask(id, Request::Remove { container: id.container.clone() }).await.map(drop),
            None => self.sandbox(&id.task).container(&id.container).forget().map_err(at(&self.sandbox(&id.task).0)),
        }
    }

    async fn close(&self, task: &TaskId) -> Result<()> {
        let slot = self.slot(task);
        let mut held = slot.lock().await;
        if let Some(shim) = self.shim(task, &mut held).await? {
            shim.close().await?.map_err(|failure| said_by_shim(task, &failure))?;
            *held = None;
        }
        self.grave(task).clear().await.map_err(at(&self.sandbox(task).0))?;
        self.forget_slot(task);
        Ok(())
    }

    async fn logs_taken(&self, id: &ContainerId, upto: u64) -> Result<()> {
        match self.live(&id.task).await? {
            Some(_) => self.ask(id, Request::LogsTaken { container: id.container.clone(), upto }).await.map(drop),
            None => Ok(()),
        }
    }

    fn events(&self) -> UnboundedReceiver<RuntimeEvent> {
        let receiver = self.receiver.lock().expect("no panic while it is held").take();
        receiver.expect("the events are taken once, by the one agent")
    }
}

impl OciRuntime {
    async fn observe(&self, task: &TaskId) -> Result<Vec<Observed>> {
        let id = |container: String| ContainerId { task: task.clone(), container };
        if let Some(shim) = self.live(task).await?
            && let Ok(Ok(Answer::List(states))) = shim.request(Request::List).await
        {
            let observed = states.into_iter().map(|s| Observed {
                id: id(s.container),
                runtime_id: s.runtime_id,
                started_at: s.started_at,
                exit: s.exit,
            });
            return Ok(observed.collect());
        }
        let records = self.grave(task).dig().await.map_err(at(&self.sandbox(task).0))?;
        let observed = records.into_iter().map(|(name, r)| Observed {
            id: id(name),
            runtime_id: r.runtime_id,
            started_at: r.started_at,
            exit: r.exit,
        });
        Ok(observed.collect())
    }
}

/// A shim hears of the container it starts, and of no other.
fn without_others(mut run: ContainerRun) -> ContainerRun {
    let mut task = (*run.task).clone();
    task.containers.retain(|c| c.name == run.id.container);
    run.task = Arc::new(task);
    run
}
