//! A pretended host: sandboxes, containers and network attachments, which outlive its agent as the shims do.

use agent::engine::{Attachment, Exit, Inventory, Observed};
use base::Time;
use std::collections::{BTreeMap, BTreeSet};
use workload::{Address, TaskId};

pub type Id = (TaskId, String);

#[derive(Default)]
pub struct Host {
    pub sandboxes: BTreeSet<TaskId>,
    pub containers: BTreeMap<Id, Container>,
    pub attachments: BTreeMap<String, Attachment>,
    /// What was started while an earlier run of the same container was alive: must stay empty.
    pub doubled: Vec<Id>,
}

pub struct Container {
    pub runtime_id: String,
    pub started_at: Time,
    pub exit: Option<Exit>,
    /// Ends only by SIGKILL.
    pub stubborn: bool,
}

impl Host {
    pub fn start(&mut self, id: Id, container: Container) {
        if self.containers.get(&id).is_some_and(|old| old.exit.is_none()) {
            self.doubled.push(id.clone());
        }
        self.containers.insert(id, container);
    }

    /// Ends the run, if it is this one and still alive; answers its exit.
    pub fn end(&mut self, id: &Id, runtime_id: &str, exit: Exit) -> Option<Exit> {
        let container = self.containers.get_mut(id).filter(|c| c.runtime_id == runtime_id && c.exit.is_none())?;
        container.exit = Some(exit.clone());
        Some(exit)
    }

    pub fn attach(&mut self, id: &str, connected: bool) -> Attachment {
        let number = self.attachments.len() + 2;
        let address = connected.then(|| Address { ipv4: format!("10.0.0.{number}"), ..Address::default() });
        let attachment = Attachment { netns: format!("/netns/{id}").into(), address, bindings: vec![] };
        self.attachments.entry(id.to_owned()).or_insert(attachment).clone()
    }

    pub fn close(&mut self, task: &str) {
        self.sandboxes.remove(task);
        self.containers.retain(|(owner, _), _| owner != task);
    }

    pub fn alive(&self) -> impl Iterator<Item = (&Id, &Container)> {
        self.containers.iter().filter(|(_, container)| container.exit.is_none())
    }

    pub fn observed(&self) -> Vec<Observed> {
        let each = |((task, container), c): (&Id, &Container)| Observed {
            task: task.clone(),
            container: container.clone(),
            runtime_id: c.runtime_id.clone(),
            started_at: c.started_at,
            exit: c.exit.clone(),
        };
        self.containers.iter().map(each).collect()
    }

    /// What a new agent finds; its own memory is added by who keeps it.
    pub fn inventory(&self) -> Inventory {
        Inventory {
            sandboxes: self.sandboxes.iter().cloned().collect(),
            containers: self.observed(),
            attachments: self.attachments.iter().map(|(id, a)| (id.clone(), a.clone())).collect(),
            ..Inventory::default()
        }
    }
}
