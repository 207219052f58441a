//! A node without any node: what a runtime, a network and a disk would hold after the effects that were performed.

use crate::engine::*;
use std::collections::BTreeMap;
use workload::{Address, Binding, ContainerSpec, Image, PortSpec};

#[derive(Default)]
pub struct World {
    pub now: Time,
    pub generation: u64,
    /// As JSON, so that whatever memory does not keep is lost here too.
    pub memory: BTreeMap<TaskId, String>,
    pub sandboxes: BTreeSet<TaskId>,
    pub containers: BTreeMap<(TaskId, String), Observed>,
    pub attachments: BTreeMap<String, Attachment>,
    /// Gone with the agent.
    pub fetched: BTreeSet<TaskId>,
    /// What happened and may be gone by now; the last exit code.
    pub ever_started: BTreeSet<(TaskId, String)>,
    pub ever_exited: BTreeMap<(TaskId, String), i32>,
    pub in_flight: Vec<Effect>,
    pub said: Option<Report>,
    pub wake_at: Option<Time>,
    pub runs: u64,
}

impl World {
    /// The machine dies: of what ran only memory is left, and that knows it.
    pub fn die(&mut self) {
        for kept in self.memory.values_mut() {
            let mut task: Task = serde_json::from_str(kept).unwrap();
            task.bury();
            *kept = serde_json::to_string(&task).unwrap();
        }
        self.in_flight.clear();
        self.fetched.clear();
        self.sandboxes.clear();
        self.containers.clear();
        self.attachments.clear();
    }

    /// Begins an effect; those without a result are done at once.
    pub fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Remember { generation, put, forget } => self.remember(generation, put, forget),
            Effect::Report(report) => self.said = Some(report),
            Effect::WakeAt(at) => self.wake_at = Some(at),
            other => self.in_flight.push(other),
        }
    }

    fn remember(&mut self, generation: u64, put: Vec<Task>, forget: Vec<TaskId>) {
        self.generation = generation;
        self.memory.extend(put.into_iter().map(|t| (t.spec.id.clone(), serde_json::to_string(&t).unwrap())));
        self.memory.retain(|id, _| !forget.contains(id));
    }

    /// Ends an effect. A failure leaves the world as it was.
    pub fn finish(&mut self, effect: Effect, result: Outcome<()>) -> Option<Event> {
        let ok = result.is_ok();
        Some(match effect {
            Effect::Open(spec) => {
                ok.then(|| self.sandboxes.insert(spec.id.clone()));
                Event::Opened { task: spec.id.clone(), result }
            }
            Effect::PrepareVolumes(spec) => Event::VolumesReady { task: spec.id.clone(), result },
            Effect::Fetch(spec) => {
                ok.then(|| self.fetched.insert(spec.id.clone()));
                Event::Fetched { task: spec.id.clone(), result }
            }
            Effect::Attach { task, plug } => {
                let id = plug.id.clone();
                Event::Attached { task, id, result: result.and_then(|()| self.attach(plug)) }
            }
            Effect::Pull { task, container } => {
                let digest = format!("sha256:{container}");
                let image = Image { digest, stop_signal: Some("SIGQUIT".into()), ..Image::default() };
                Event::Pulled { task: task.id.clone(), container, result: result.map(|()| image) }
            }
            Effect::Start { container, facts, .. } => {
                let task = facts.spec.id.clone();
                let open = self.sandboxes.contains(&task).then_some(()).ok_or("no sandbox".to_owned());
                let refers = facts.spec.containers.iter().any(ContainerSpec::refers);
                assert!(!refers || self.fetched.contains(&task), "{container} is started without what it refers to");
                let result = result.and(open).map(|()| self.start(&task, &container));
                Event::Started { task, container, result }
            }
            Effect::Signal { .. } => return None,
            Effect::Probe { task, container, runtime_id, .. } => Event::Probed { task, container, runtime_id, healthy: ok },
            Effect::Remove { task, container } => {
                ok.then(|| self.containers.remove(&(task.clone(), container.clone())));
                Event::Removed { task, container, result }
            }
            Effect::Detach { task, id } => {
                ok.then(|| self.attachments.remove(&id));
                Event::Detached { task, id, result }
            }
            Effect::Close(spec) => {
                if ok {
                    self.sandboxes.remove(&spec.id);
                    self.containers.retain(|(task, _), _| *task != spec.id);
                }
                Event::Closed { task: spec.id.clone(), result }
            }
            Effect::Remember { .. } | Effect::Report(_) | Effect::WakeAt(_) => unreachable!("performed at once"),
        })
    }

    fn attach(&mut self, plug: Plug) -> Outcome<Attachment> {
        let others = self.attachments.iter().filter(|(id, _)| **id != plug.id).flat_map(|(_, attachment)| &attachment.bindings);
        let bindings: Vec<Binding> = plug.ports.iter().map(binding).collect();
        if others.into_iter().any(|taken| bindings.contains(taken)) {
            return Err("port is already allocated".to_owned());
        }
        let address = plug.connected.then(|| Address { ipv4: "10.0.0.2".into(), ..Address::default() });
        let attachment = Attachment { netns: format!("/ns/{}", plug.id).into(), address, bindings };
        self.attachments.insert(plug.id, attachment.clone());
        Ok(attachment)
    }

    fn start(&mut self, task: &str, container: &str) -> Run {
        self.runs += 1;
        let (runtime_id, at) = (format!("run{}", self.runs), self.now);
        let (task, container) = (task.to_owned(), container.to_owned());
        let key = (task.clone(), container.clone());
        self.ever_started.insert(key.clone());
        let seen = Observed { task, container, runtime_id: runtime_id.clone(), started_at: at, exit: None };
        self.containers.insert(key, seen);
        Run { runtime_id, at }
    }

    pub fn running(&self) -> impl Iterator<Item = &Observed> {
        self.containers.values().filter(|o| o.exit.is_none())
    }

    /// The container's process ends by itself.
    pub fn exit(&mut self, task: &str, container: &str, code: i32) -> Option<Event> {
        let at = self.now;
        let seen = self.containers.get_mut(&(task.to_owned(), container.to_owned())).filter(|o| o.exit.is_none())?;
        let exit = Exit { code, oom_killed: code == 137, at };
        seen.exit = Some(exit.clone());
        self.ever_exited.insert((task.to_owned(), container.to_owned()), code);
        let Observed { task, container, runtime_id, .. } = seen.clone();
        Some(Event::Exited { task, container, runtime_id, exit })
    }

    /// The agent is gone with all it had begun; what is durable, and what runs, stays.
    pub fn inventory(&mut self) -> Inventory {
        (self.in_flight, self.wake_at) = (vec![], None);
        self.fetched.clear();
        Inventory {
            generation: self.generation,
            tasks: self.memory.values().map(|json| serde_json::from_str(json).unwrap()).collect(),
            sandboxes: self.sandboxes.iter().cloned().collect(),
            containers: self.containers.values().cloned().collect(),
            attachments: self.attachments.clone().into_iter().collect(),
        }
    }
}

fn binding(port: &PortSpec) -> Binding {
    let PortSpec { container_port, host_port, protocol, .. } = *port;
    Binding { bind_ip: "0.0.0.0".into(), container_port, host_port, protocol }
}
