//! A scripted runtime for tests of shells: containers run until they are signalled or told to exit. All of it is in
//! memory and nothing happens by itself, so that a test decides every moment.

use crate::{ContainerId, ContainerRun, Error, ExecEnd, ExecSpec, Exit, Observed, Result, Runtime, RuntimeEvent, Started};
use async_trait::async_trait;
use base::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use workload::{TaskId, TaskSpec};

const SIGKILL: i32 = 9;

pub struct FakeRuntime {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    events: UnboundedSender<RuntimeEvent>,
    receiver: Mutex<Option<UnboundedReceiver<RuntimeEvent>>>,
}

#[derive(Default)]
struct State {
    sandboxes: BTreeSet<TaskId>,
    containers: BTreeMap<ContainerId, Observed>,
    /// Failures of coming starts, by container name, first one first.
    start_failures: BTreeMap<String, Vec<Error>>,
    /// Answers of coming execs, by container name; the last one stays.
    execs: BTreeMap<String, Vec<ExecEnd>>,
    /// Containers that only SIGKILL ends.
    stubborn: BTreeSet<String>,
    runs: Vec<ContainerRun>,
    signals: Vec<(ContainerId, i32)>,
}

impl FakeRuntime {
    pub fn new(clock: Arc<dyn Clock>) -> FakeRuntime {
        let (events, receiver) = unbounded_channel();
        FakeRuntime { clock, state: Mutex::default(), events, receiver: Mutex::new(Some(receiver)) }
    }

    /// The next start of a container of this name fails so.
    pub fn fail_start(&self, container: &str, error: Error) {
        self.state().start_failures.entry(container.to_owned()).or_default().push(error);
    }

    pub fn answer_exec(&self, container: &str, end: ExecEnd) {
        self.state().execs.entry(container.to_owned()).or_default().push(end);
    }

    pub fn ignore_signals(&self, container: &str) {
        self.state().stubborn.insert(container.to_owned());
    }

    pub fn exit(&self, id: &ContainerId, code: i32) {
        self.end(id, code, false);
    }

    pub fn kill_for_memory(&self, id: &ContainerId) {
        self.end(id, 128 + SIGKILL, true);
    }

    /// The shim dies and takes its containers with it, as `list` will say.
    pub fn lose(&self, task: &TaskId) {
        let now = self.clock.now();
        for observed in self.state().containers.values_mut().filter(|o| &o.id.task == task && o.exit.is_none()) {
            observed.exit = Some(Exit { code: 128 + SIGKILL, oom_killed: false, at: now });
        }
        let _ = self.events.send(RuntimeEvent::SandboxLost { task: task.clone() });
    }

    /// Everything that was started, in order.
    pub fn runs(&self) -> Vec<ContainerRun> {
        self.state().runs.clone()
    }

    /// Everything that was signalled, in order.
    pub fn signals(&self) -> Vec<(ContainerId, i32)> {
        self.state().signals.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }

    fn end(&self, id: &ContainerId, code: i32, oom_killed: bool) {
        let exit = Exit { code, oom_killed, at: self.clock.now() };
        let mut state = self.state();
        let Some(observed) = state.containers.get_mut(id).filter(|o| o.exit.is_none()) else { return };
        observed.exit = Some(exit.clone());
        let _ = self.events.send(RuntimeEvent::Exited { id: id.clone(), runtime_id: observed.runtime_id.clone(), exit });
    }
}

fn no_sandbox(task: &TaskId) -> Error {
    Error::Shim { task: task.clone(), message: "there is no such sandbox".to_owned() }
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn list(&self) -> Result<(Vec<TaskId>, Vec<Observed>)> {
        let state = self.state();
        Ok((state.sandboxes.iter().cloned().collect(), state.containers.values().cloned().collect()))
    }

    async fn open(&self, task: &Arc<TaskSpec>) -> Result<()> {
        self.state().sandboxes.insert(task.id.clone());
        Ok(())
    }

    async fn start(&self, run: ContainerRun) -> Result<Started> {
        let mut state = self.state();
        if !state.sandboxes.contains(&run.id.task) {
            return Err(no_sandbox(&run.id.task));
        }
        if state.containers.contains_key(&run.id) {
            return Err(Error::Create(format!("Conflict. The container name \"/{}\" is already in use", run.id.container)));
        }
        if let Some(failures) = state.start_failures.get_mut(&run.id.container).filter(|f| !f.is_empty()) {
            return Err(failures.remove(0));
        }
        let at = self.clock.now();
        let observed = Observed { id: run.id.clone(), runtime_id: run.runtime_id.clone(), started_at: at, exit: None };
        state.containers.insert(run.id.clone(), observed);
        state.runs.push(run);
        Ok(Started { pid: 1000 + state.runs.len() as i32, at })
    }

    async fn signal(&self, id: &ContainerId, signal: i32) -> Result<()> {
        let mut state = self.state();
        if !state.containers.contains_key(id) {
            return Err(Error::NoSuchContainer(id.clone()));
        }
        state.signals.push((id.clone(), signal));
        let ends = signal == SIGKILL || !state.stubborn.contains(&id.container);
        drop(state);
        if ends {
            self.end(id, 128 + signal, false);
        }
        Ok(())
    }

    async fn exec(&self, id: &ContainerId, _: ExecSpec) -> Result<ExecEnd> {
        let mut state = self.state();
        if !state.containers.contains_key(id) {
            return Err(Error::NoSuchContainer(id.clone()));
        }
        let healthy = ExecEnd { code: Some(0), output: String::new() };
        Ok(match state.execs.get_mut(&id.container) {
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers.first().cloned().unwrap_or(healthy),
            None => healthy,
        })
    }

    async fn remove(&self, id: &ContainerId) -> Result<()> {
        self.state().containers.remove(id);
        Ok(())
    }

    async fn close(&self, task: &TaskId) -> Result<()> {
        let running: Vec<_> = self.state().containers.keys().filter(|id| &id.task == task).cloned().collect();
        running.iter().for_each(|id| self.end(id, 128 + SIGKILL, false));
        let mut state = self.state();
        state.sandboxes.remove(task);
        state.containers.retain(|id, _| &id.task != task);
        Ok(())
    }

    async fn logs_taken(&self, _: &ContainerId, _: u64) -> Result<()> {
        Ok(())
    }

    fn events(&self) -> UnboundedReceiver<RuntimeEvent> {
        let receiver = self.receiver.lock().expect("no panic while it is held").take();
        receiver.expect("the events are taken once, by the one agent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Time;
    use workload::{ContainerSpec, Image};

    struct Noon;
    impl Clock for Noon {
        fn now(&self) -> Time {
            Time(12)
        }
    }

    fn run(container: &str) -> ContainerRun {
        let spec = TaskSpec {
            id: "t".into(),
            containers: vec![ContainerSpec { name: container.into(), ..Default::default() }],
            ..Default::default()
        };
        ContainerRun {
            id: ContainerId { task: "t".into(), container: container.into() },
            runtime_id: "r".into(),
            again: false,
            task: Arc::new(spec),
            image: Image::default(),
            netns: None,
            binds: Vec::new(),
            hostname: String::new(),
            hosts: None,
            resolv_conf: None,
            environment: Vec::new(),
            secrets: Vec::new(),
            files: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_container_lives_until_it_is_told_or_killed() {
        let fake = FakeRuntime::new(Arc::new(Noon));
        let mut events = fake.events();
        fake.ignore_signals("b");
        fake.fail_start("a", Error::Start("no".into()));
        fake.open(&run("a").task).await.unwrap();
        assert_eq!(fake.start(run("a")).await.unwrap_err().to_string(), "no");
        fake.start(run("a")).await.unwrap();
        fake.start(run("b")).await.unwrap();
        fake.exit(&run("a").id, 3);
        fake.signal(&run("b").id, 15).await.unwrap();
        fake.signal(&run("b").id, 9).await.unwrap();
        let exits: Vec<_> = [events.recv().await, events.recv().await].into_iter().flatten().collect();
        let codes: Vec<_> = exits
            .iter()
            .map(|e| if let RuntimeEvent::Exited { id, exit, .. } = e { (id.container.as_str(), exit.code) } else { ("", 0) })
            .collect();
        assert_eq!(codes, [("a", 3), ("b", 137)]);
        fake.close(&"t".to_owned()).await.unwrap();
        assert_eq!(fake.list().await.unwrap(), (vec![], vec![]));
    }
}
