//! The outbox: every event once, none missing, in the order of what it tells, and the last one tells what the row is.

use super::{Check, violated};
use ecs::service::{Rollout, Service, Status};
use ecs::state_events::{self, Event, Kind};
use ecs::task::Task;
use serde::Deserialize;
use std::collections::BTreeMap;
use store::{Change, Image, Record};

#[derive(Default)]
pub struct Outbox {
    newest: u64,
    /// By the task's id: the version that was told last.
    versions: BTreeMap<String, i64>,
    /// By `ecs-svc/…`: how it was said to go last.
    deployments: BTreeMap<String, String>,
}

/// What is looked at in what is told.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    version: i64,
    deployment_id: String,
    event_name: String,
}

impl Outbox {
    /// A group is published.
    pub fn group(&mut self, changes: &[Change], image: &Image) -> Check {
        let events: Vec<&Event> = state_events::after(image, self.newest).collect();
        for event in events {
            if event.sequence != self.newest + 1 {
                let what = format!("{} follows {}", event.sequence, self.newest);
                return violated("events are told once, in order", what);
            }
            self.newest = event.sequence;
            self.hear(event)?;
        }
        let changed = changes.iter().filter(|change| change.table == Task::TABLE);
        changed.filter_map(|change| image.get::<Task>(change.key.as_str())).try_for_each(|task| self.task_is_told(task))?;
        image.scan::<Service>().try_for_each(|service| self.deployments_are_told(service))
    }

    /// Of what was published before the plane went, all is there; more may be.
    pub fn after_recovery(&mut self, image: &Image) -> Check {
        if state_events::newest(image) < self.newest {
            let what = format!("{} were told, {} are there", self.newest, state_events::newest(image));
            return violated("events are durable", what);
        }
        self.group(&[], image)
    }

    fn hear(&mut self, event: &Event) -> Check {
        let detail = || serde_json::from_str::<Detail>(event.detail.get()).unwrap_or_default();
        match event.kind {
            Kind::Task => self.hear_task(event, detail().version),
            Kind::Deployment => {
                let detail = detail();
                self.hear_deployment(detail.deployment_id, detail.event_name)
            }
            _ => Ok(()),
        }
    }

    fn hear_task(&mut self, event: &Event, version: i64) -> Check {
        let id = event.resource.rsplit('/').next().unwrap_or_default();
        let before = self.versions.insert(id.to_owned(), version).unwrap_or_default();
        if version == before + 1 {
            return Ok(());
        }
        violated("events are told once, in order", format!("version {version} of {id} is told after {before}"))
    }

    fn hear_deployment(&mut self, id: String, name: String) -> Check {
        let what = format!("{id}: {name}");
        let before = self.deployments.insert(id, name.clone());
        let follows = match (before.as_deref(), name.as_str()) {
            (None | Some("SERVICE_DEPLOYMENT_COMPLETED"), "SERVICE_DEPLOYMENT_IN_PROGRESS") => true,
            (before, "SERVICE_DEPLOYMENT_COMPLETED") => before == Some("SERVICE_DEPLOYMENT_IN_PROGRESS"),
            (before, "SERVICE_DEPLOYMENT_FAILED") => before == Some("SERVICE_DEPLOYMENT_IN_PROGRESS"),
            _ => false,
        };
        if follows { Ok(()) } else { violated("deployments are told in order", format!("{what} after {before:?}")) }
    }

    fn task_is_told(&self, task: &Task) -> Check {
        match self.versions.get(&task.id) {
            Some(version) if *version == task.version => Ok(()),
            told => violated("what changes is told", format!("{} is version {}, told {told:?}", task.id, task.version)),
        }
    }

    fn deployments_are_told(&self, service: &Service) -> Check {
        let Some(primary) = service.deployments.first().filter(|_| service.status == Status::Active) else { return Ok(()) };
        let told = self.deployments.get(&primary.name()).map(String::as_str);
        let is_told = match primary.rollout {
            Rollout::InProgress => told == Some("SERVICE_DEPLOYMENT_IN_PROGRESS"),
            Rollout::Completed => told == Some("SERVICE_DEPLOYMENT_COMPLETED"),
            Rollout::Failed => told == Some("SERVICE_DEPLOYMENT_FAILED"),
        };
        if is_told {
            return Ok(());
        }
        violated("what changes is told", format!("{} is {:?}, told {told:?}", primary.name(), primary.rollout))
    }
}
