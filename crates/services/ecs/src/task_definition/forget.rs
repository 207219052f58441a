//! A revision whose deletion was asked for goes once no task and no service names it: until then what runs can still be described.

use super::TaskDefinition;
use crate::service::Service;
use crate::service_revision::ServiceRevision;
use crate::task::Task;
use api_ecs::TaskDefinitionStatus;
use base::Time;
use kernel::{Call, Plan, Reconciler};
use store::{Change, Image, Key, Record, Tx};

pub struct Deletion;

#[derive(Debug, PartialEq)]
pub struct Forget;

impl Reconciler for Deletion {
    const NAME: &'static str = "ecs/task-definition-deletion";
    type Action = Forget;

    fn keys(image: &Image) -> Vec<Key> {
        image.by::<TaskDefinition>(super::DELETING, "").map(TaskDefinition::key).collect()
    }

    fn concerns(image: &Image, change: &Change) -> Vec<Key> {
        match change.table {
            TaskDefinition::TABLE => vec![change.key.clone()],
            // Which revision a task named that is gone, nothing says any more; few are being deleted.
            Task::TABLE if image.get::<Task>(change.key.as_str()).is_none() => Deletion::keys(image),
            Service::TABLE => Deletion::keys(image),
            _ => Vec::new(),
        }
    }

    fn decide(image: &Image, key: &Key, _now: Time) -> Plan<Forget> {
        match image.get::<TaskDefinition>(key.as_str()) {
            Some(definition) if is_deleting(definition) && !is_named(image, definition) => Plan::act(vec![Forget]),
            _ => Plan::rest(),
        }
    }

    fn apply(_call: &mut Call, tx: &mut Tx, key: &Key, _action: Forget) {
        tx.delete::<TaskDefinition>(key.as_str());
    }
}

fn is_deleting(definition: &TaskDefinition) -> bool {
    definition.definition.status == Some(TaskDefinitionStatus::DeleteInProgress)
}

fn is_named(image: &Image, definition: &TaskDefinition) -> bool {
    let same = |task: &Task| task.family == definition.family && task.revision == definition.revision;
    is_deployed(image, definition) || image.scan::<Task>().any(|task| same(task) && task.scope == definition.scope)
}

/// A service has it, or may be rolled back to it.
fn is_deployed(image: &Image, definition: &TaskDefinition) -> bool {
    image.by::<ServiceRevision>("task_definition", definition.arn()).any(|revision| {
        let key = crate::service::key(&revision.scope, &revision.cluster, &revision.service);
        let service = image.get::<Service>(key.as_str());
        service.is_some_and(|service| service.deployments.iter().any(|deployment| deployment.revision == revision.id))
    })
}
