//! A pretended host, as the runtime and the network present it: sandboxes, containers and attachments that outlive the agent.
//! It remembers every run there ever was and how it ended, which is the truth that reports are held against.

use crate::catalog::{Life, Program};
use agent::engine::{Attachment, Exit, Inventory, Observed, Plug};
use base::Time;
use std::collections::{BTreeMap, BTreeSet};
use workload::{Address, Binding, PortSpec, Protocol, TaskId};

/// Task and container.
pub type Id = (TaskId, String);

#[derive(Default)]
pub struct Host {
    pub sandboxes: BTreeSet<TaskId>,
    /// Sandboxes whose shim is dead: nothing can be started in them until they are opened again.
    orphaned: BTreeSet<TaskId>,
    /// The newest run under each name, running or ended.
    pub containers: BTreeMap<Id, String>,
    pub attachments: BTreeMap<String, Attachment>,
    /// By runtime id, for ever.
    pub runs: BTreeMap<String, Run>,
    addresses: u32,
    ports: u16,
}

#[derive(Debug)]
pub struct Run {
    pub id: Id,
    pub image: Pulled,
    pub started_at: Time,
    pub end: Option<End>,
    pub life: Life,
}

/// An image as a node was told to get it, and what it got.
#[derive(Debug)]
pub struct Pulled {
    pub reference: String,
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Exit(Exit),
    /// Nothing is left of it, not even how it ended.
    Vanished,
}

pub type Done<T> = Result<T, String>;

impl Host {
    pub fn open(&mut self, task: &str) {
        self.sandboxes.insert(task.to_owned());
        self.orphaned.remove(task);
    }

    pub fn start(&mut self, runtime_id: &str, program: &Program, run: Run) -> Done<()> {
        let id = run.id.clone();
        if !self.sandboxes.contains(&id.0) || self.orphaned.contains(&id.0) {
            return Err(format!("CannotStartContainerError: shim of task {}: there is no such sandbox", id.0));
        }
        if self.containers.contains_key(&id) {
            let name = &id.1;
            return Err(format!("CannotCreateContainerError: Conflict. The container name \"/{name}\" is already in use"));
        }
        if program.is_missing {
            return Err("CannotStartContainerError: simulated: no such program".to_owned());
        }
        self.containers.insert(id, runtime_id.to_owned());
        self.runs.insert(runtime_id.to_owned(), run);
        Ok(())
    }

    /// Ends the run if it is alive.
    pub fn end(&mut self, runtime_id: &str, end: End) -> Option<(Id, End)> {
        let run = self.runs.get_mut(runtime_id).filter(|run| run.end.is_none())?;
        run.end = Some(end.clone());
        Some((run.id.clone(), end))
    }

    /// The run under that name, if there is one.
    pub fn run(&self, id: &Id) -> Option<(&String, &Run)> {
        let runtime_id = self.containers.get(id)?;
        Some((runtime_id, self.runs.get(runtime_id)?))
    }

    pub fn is_alive(&self, id: &Id) -> bool {
        self.run(id).is_some_and(|(_, run)| run.end.is_none())
    }

    pub fn remove(&mut self, id: &Id) -> Done<()> {
        if self.is_alive(id) {
            return Err(format!("container {} is running", id.1));
        }
        self.containers.remove(id);
        Ok(())
    }

    /// Kills what is left; answers whom that ended.
    pub fn close(&mut self, task: &str, now: Time) -> Vec<(Id, String, Exit)> {
        let ended = self.kill_all(task, now);
        self.containers.retain(|(of, _), _| of != task);
        self.sandboxes.remove(task);
        self.orphaned.remove(task);
        ended
    }

    /// Its shim is killed, and with it what it held: the records stay.
    pub fn lose_shim(&mut self, task: &str, now: Time) -> Vec<(Id, String, Exit)> {
        self.orphaned.insert(task.to_owned());
        self.kill_all(task, now)
    }

    fn kill_all(&mut self, task: &str, now: Time) -> Vec<(Id, String, Exit)> {
        let exit = Exit { code: 137, oom_killed: false, at: now };
        let of_task: Vec<String> =
            self.containers.iter().filter(|((of, _), _)| of == task).map(|(_, runtime_id)| runtime_id.clone()).collect();
        let end = |runtime_id: String| {
            let (id, _) = self.end(&runtime_id, End::Exit(exit.clone()))?;
            Some((id, runtime_id, exit.clone()))
        };
        of_task.into_iter().filter_map(end).collect()
    }

    /// All programs are gone, and namespaces with them; of some containers not even a record is left.
    pub fn reboot(&mut self, now: Time, mut is_lost: impl FnMut() -> bool) {
        for task in self.sandboxes.clone() {
            for (id, runtime_id, _) in self.lose_shim(&task, now) {
                if is_lost() {
                    self.containers.remove(&id);
                    self.runs.entry(runtime_id).and_modify(|run| run.end = Some(End::Vanished));
                }
            }
        }
        self.attachments.clear();
    }

    pub fn attach(&mut self, plug: &Plug) -> Done<Attachment> {
        if let Some(known) = self.attachments.get(&plug.id) {
            return Ok(known.clone());
        }
        let bindings = plug.ports.iter().map(|port| self.publish(port)).collect::<Done<Vec<Binding>>>()?;
        self.addresses += 1;
        let address = plug.connected.then(|| Address { ipv4: format!("10.0.0.{}", self.addresses), ..Address::default() });
        let attachment = Attachment { netns: format!("/netns/{}", plug.id).into(), address, bindings };
        self.attachments.insert(plug.id.clone(), attachment.clone());
        Ok(attachment)
    }

    fn publish(&mut self, port: &PortSpec) -> Done<Binding> {
        let host_port = match port.host_port {
            0 => {
                self.ports += 1;
                32_768 + self.ports
            }
            fixed => fixed,
        };
        let taken = |b: &Binding| (b.host_port, b.protocol) == (host_port, port.protocol);
        if self.attachments.values().flat_map(|attachment| &attachment.bindings).any(taken) {
            return Err(format!("CannotStartContainerError: Bind for 0.0.0.0:{host_port} failed: port is already allocated"));
        }
        let (container_port, protocol) = (port.container_port, Protocol::clone(&port.protocol));
        Ok(Binding { bind_ip: "0.0.0.0".into(), container_port, host_port, protocol })
    }

    pub fn observed(&self) -> impl Iterator<Item = Observed> {
        self.containers.iter().filter_map(|((task, container), runtime_id)| {
            let run = self.runs.get(runtime_id)?;
            let exit = match &run.end {
                Some(End::Exit(exit)) => Some(exit.clone()),
                _ => None,
            };
            let (task, container, runtime_id) = (task.clone(), container.clone(), runtime_id.clone());
            Some(Observed { task, container, runtime_id, started_at: run.started_at, exit })
        })
    }

    /// What a new agent finds; its own memory is added by who keeps it.
    pub fn inventory(&self) -> Inventory {
        Inventory {
            sandboxes: self.sandboxes.iter().cloned().collect(),
            containers: self.observed().collect(),
            attachments: self.attachments.iter().map(|(id, a)| (id.clone(), a.clone())).collect(),
            ..Inventory::default()
        }
    }

    /// Anything at all of the task.
    pub fn holds(&self, task: &str) -> Option<String> {
        let container = self.containers.keys().find(|(of, _)| of == task);
        let attachment = self.attachments.keys().find(|id| agent::engine::network::owner(id) == task);
        let sandbox = self.sandboxes.get(task);
        let held =
            container.map(|(_, name)| format!("the container {name}")).or(attachment.map(|id| format!("the attachment {id}")));
        held.or(sandbox.map(|_| "the sandbox".to_owned()))
    }

    pub fn tasks(&self) -> BTreeSet<&str> {
        let containers = self.containers.keys().map(|(task, _)| task.as_str());
        let attached = self.attachments.keys().map(|id| agent::engine::network::owner(id));
        self.sandboxes.iter().map(String::as_str).chain(containers).chain(attached).collect()
    }
}
