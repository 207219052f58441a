//! A host of values: what runs on it outlives agents, and does what the test says.

use crate::Images;
use async_trait::async_trait;
use base::Time;
use net::{Attach, Attachment, Network};
use runtime::{ContainerId, ContainerRun, ExecEnd, ExecSpec, Exit, Observed, Runtime, RuntimeEvent, Started};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use workload::{Address, Image, RegistryAuth, TaskId, TaskSpec};

#[derive(Default)]
pub struct Host {
    state: Mutex<State>,
    /// Pulls wait while this is true.
    pub registry_hangs: watch::Sender<bool>,
    /// Containers run without their start being told while this is true.
    pub starts_hang: watch::Sender<bool>,
    /// How many containers were ever started.
    pub runs: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    sandboxes: Vec<TaskId>,
    containers: BTreeMap<ContainerId, (ContainerRun, Option<Exit>)>,
    attachments: BTreeMap<String, Attachment>,
    exits: Option<UnboundedSender<RuntimeEvent>>,
    /// Every start there ever was.
    starts: Vec<ContainerRun>,
    signals: Vec<(ContainerId, i32)>,
    /// Calls that fail, by the name of their container, attachment or image.
    broken: Vec<String>,
}

impl Host {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn broken(&self, name: &str) {
        self.state().broken.push(name.to_owned());
    }

    pub fn starts(&self) -> Vec<ContainerRun> {
        self.state().starts.clone()
    }

    pub fn signals(&self) -> Vec<(String, i32)> {
        self.state().signals.iter().map(|(id, signal)| (id.container.clone(), *signal)).collect()
    }

    /// Sandboxes, running containers, attachments.
    pub fn holds(&self) -> (usize, usize, usize) {
        let state = self.state();
        let running = state.containers.values().filter(|(_, exit)| exit.is_none()).count();
        (state.sandboxes.len(), running, state.attachments.len())
    }

    pub fn exit(&self, task: &str, container: &str, code: i32) {
        let id = ContainerId { task: task.to_owned(), container: container.to_owned() };
        self.state().exit(id, code);
    }

    /// The shim dies, and its containers with it.
    pub fn lose(&self, task: &str) {
        let mut state = self.state();
        state.sandboxes.retain(|id| id != task);
        state.containers.retain(|id, _| id.task != task);
        state.tell(RuntimeEvent::SandboxLost { task: task.to_owned() });
    }

    fn check(&self, name: &str) -> Result<(), String> {
        if self.state().broken.iter().any(|broken| broken == name) { Err(format!("{name} is broken")) } else { Ok(()) }
    }
}

impl State {
    fn exit(&mut self, id: ContainerId, code: i32) {
        let Some((run, exit)) = self.containers.get_mut(&id).filter(|(_, exit)| exit.is_none()) else { return };
        *exit = Some(Exit { code, oom_killed: false, at: Time(2) });
        let event = RuntimeEvent::Exited { id, runtime_id: run.runtime_id.clone(), exit: exit.clone().unwrap() };
        self.tell(event);
    }

    /// Nobody may be there to hear it.
    fn tell(&self, event: RuntimeEvent) {
        let _ = self.exits.as_ref().map(|exits| exits.send(event));
    }
}

#[async_trait]
impl Runtime for Host {
    async fn list(&self) -> runtime::Result<(Vec<TaskId>, Vec<Observed>)> {
        let state = self.state();
        let observed = state.containers.iter().map(|(id, (run, exit))| Observed {
            id: id.clone(),
            runtime_id: run.runtime_id.clone(),
            started_at: Time(1),
            exit: exit.clone(),
        });
        Ok((state.sandboxes.clone(), observed.collect()))
    }

    async fn open(&self, task: &Arc<TaskSpec>) -> runtime::Result<()> {
        self.state().sandboxes.push(task.id.clone());
        Ok(())
    }

    async fn start(&self, run: ContainerRun) -> runtime::Result<Started> {
        self.check(&run.id.container).map_err(runtime::Error::Start)?;
        let before = {
            let mut state = self.state();
            state.starts.push(run.clone());
            state.containers.insert(run.id.clone(), (run, None))
        };
        assert!(before.is_none(), "started twice: {:?}", before.map(|(run, _)| run.id));
        self.runs.send_modify(|runs| *runs += 1);
        let _ = self.starts_hang.subscribe().wait_for(|hangs| !hangs).await;
        Ok(Started { pid: 1, at: Time(1) })
    }

    async fn signal(&self, id: &ContainerId, signal: i32) -> runtime::Result<()> {
        let mut state = self.state();
        state.signals.push((id.clone(), signal));
        state.exit(id.clone(), 128 + signal);
        Ok(())
    }

    async fn exec(&self, id: &ContainerId, _: ExecSpec) -> runtime::Result<ExecEnd> {
        Ok(ExecEnd { code: Some(self.check(&format!("{}-probe", id.container)).is_err().into()), output: String::new() })
    }

    async fn remove(&self, id: &ContainerId) -> runtime::Result<()> {
        self.state().containers.remove(id);
        Ok(())
    }

    async fn close(&self, task: &TaskId) -> runtime::Result<()> {
        let mut state = self.state();
        state.sandboxes.retain(|id| id != task);
        state.containers.retain(|id, _| id.task != *task);
        Ok(())
    }

    async fn logs_taken(&self, _: &ContainerId, _: u64) -> runtime::Result<()> {
        Ok(())
    }

    fn events(&self) -> UnboundedReceiver<RuntimeEvent> {
        let (sender, receiver) = unbounded_channel();
        self.state().exits = Some(sender);
        receiver
    }
}

#[async_trait]
impl Network for Host {
    async fn list(&self) -> net::Result<Vec<Attachment>> {
        Ok(self.state().attachments.values().cloned().collect())
    }

    async fn attach(&self, attach: Attach) -> net::Result<Attachment> {
        self.check(&attach.id).map_err(|_| net::Error::PortTaken(80))?;
        let mut state = self.state();
        let ipv4 = format!("10.0.0.{}", state.attachments.len() + 2);
        let address = attach.connected.then(|| Address { ipv4, gateway: "10.0.0.1".into(), ..Address::default() });
        let attachment = Attachment { netns: format!("/netns/{}", attach.id).into(), id: attach.id, address, bindings: vec![] };
        Ok(state.attachments.entry(attachment.id.clone()).or_insert(attachment).clone())
    }

    async fn detach(&self, id: &str) -> net::Result<()> {
        self.state().attachments.remove(id);
        Ok(())
    }
}

#[async_trait]
impl Images for Host {
    async fn ensure(&self, reference: &str, _: Option<RegistryAuth>) -> Result<Image, String> {
        self.check(reference)?;
        let mut hangs = self.registry_hangs.subscribe();
        hangs.wait_for(|hangs| !hangs).await.map_err(|error| error.to_string())?;
        Ok(Image { digest: format!("sha256:{reference}"), ..Image::default() })
    }
}
