//! What rows of services say of each other, whenever a group is published.

use super::super::{Check, violated};
use super::consistency::revisions_say_so;
use super::rollout::is_of;
use api_ecs::ServiceDeploymentStatus as Stage;
use ecs::container_instance::Told;
use ecs::node::{Freed, Ledger, Node};
use ecs::service::{Rollout, Service, Status};
use ecs::service_deployment::ServiceDeployment;
use ecs::state_events::Event;
use ecs::task::{ClientToken, History, Task};
use ecs::task_definition::{self, TaskDefinition};
use std::collections::BTreeSet;
use store::{Change, Image, Record};

pub fn check(image: &Image) -> Check {
    image.scan::<Service>().try_for_each(|service| one(service, image))
}

/// Those services only of which something is new. Whatever is not known to say nothing of services concerns them all.
pub fn check_changes(changes: &[Change], image: &Image) -> Check {
    const OTHERS: [&str; 7] =
        [Event::TABLE, Ledger::TABLE, Node::TABLE, Freed::TABLE, History::TABLE, ClientToken::TABLE, Told::TABLE];
    let (tasks, others): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| change.table == Task::TABLE);
    if others.iter().any(|change| !OTHERS.contains(&change.table)) {
        return check(image);
    }
    let rows = tasks.iter().filter_map(|change| image.get::<Task>(change.key.as_str()));
    let members = rows.filter_map(|task| Some((task.cluster.as_str(), task.member.as_ref()?.service.as_str())));
    let concerned: BTreeSet<(&str, &str)> = members.collect();
    let mut services = image.scan::<Service>().filter(|service| concerned.contains(&(&service.cluster, &service.name)));
    services.try_for_each(|service| one(service, image))
}

fn one(service: &Service, image: &Image) -> Check {
    let ids: BTreeSet<&str> = service.deployments.iter().map(|deployment| deployment.id.as_str()).collect();
    if ids.len() != service.deployments.len() || (service.status == Status::Inactive) != ids.is_empty() {
        return violated("a service has its deployments", format!("{} is {:?} with {ids:?}", service.name, service.status));
    }
    if service.status == Status::Inactive && image.by::<Task>("service", service.path()).any(|task| !task.is_stopped()) {
        return violated("a service ends with its last task", service.name.clone());
    }
    image.by::<Task>("service", service.path()).try_for_each(|task| membership(task, service))?;
    definitions_are_kept(service, image)?;
    revisions_say_so(service, image)?;
    change_says_the_same(service, image)
}

/// Of whatever runs, or may be gone back to.
fn definitions_are_kept(service: &Service, image: &Image) -> Check {
    let is_there = |arn: &str| {
        let (family, revision) = arn.rsplit('/').next().and_then(|name| name.split_once(':')).unwrap_or_default();
        let key = task_definition::key(&service.scope, family, revision.parse().unwrap_or_default());
        image.get::<TaskDefinition>(key.as_str()).is_some_and(|row| row.arn() == arn)
    };
    match service.deployments.iter().find(|deployment| !is_there(&deployment.task_definition)) {
        Some(deployment) => violated("a service has its definitions", format!("{}: {deployment:?}", service.name)),
        None => Ok(()),
    }
}

/// The PRIMARY deployment and its service deployment.
fn change_says_the_same(service: &Service, image: &Image) -> Check {
    let Some(primary) = service.deployments.first().filter(|_| service.status == Status::Active) else { return Ok(()) };
    let change = image.scan::<ServiceDeployment>().find(|row| row.id == primary.service_deployment);
    let said = change.map(|change| change.status.clone());
    let is_same = match primary.rollout {
        Rollout::Completed => matches!(said, Some(Stage::Successful | Stage::RollbackSuccessful)),
        Rollout::Failed => matches!(said, Some(Stage::Stopped | Stage::RollbackFailed)),
        Rollout::InProgress => {
            !matches!(said, None | Some(Stage::Successful | Stage::RollbackSuccessful | Stage::Stopped | Stage::RollbackFailed))
        }
    };
    if is_same {
        return Ok(());
    }
    violated("a deployment and its service deployment agree", format!("{}: {:?}, {said:?}", service.name, primary.rollout))
}

/// Of a task that is not over.
fn membership(task: &Task, service: &Service) -> Check {
    let Some(member) = &task.member else { return Ok(()) };
    let started_by = format!("ecs-svc/{}", member.deployment);
    if task.group != format!("service:{}", member.service) || task.started_by.as_ref() != Some(&started_by) {
        return violated("a member says so", format!("{} {} {:?}", task.id, task.group, task.started_by));
    }
    let deployment = service.deployments.iter().find(|deployment| is_of(task, deployment));
    match deployment {
        None => violated("a member has its deployment", format!("{} of {member:?}", task.id)),
        Some(deployment) if deployment.task_definition != task.task_definition_arn() => {
            violated("a member runs its revision", format!("{} of {member:?} runs {}", task.id, task.task_definition_arn()))
        }
        Some(_) => Ok(()),
    }
}
