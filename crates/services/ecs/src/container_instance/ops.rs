//! The container instance operations.

use super::{ContainerInstance, find, forget, put, view};
use crate::cluster;
use crate::node::{Node, ledger};
use crate::paging::page;
use crate::placement::{Request, constraint, fleet};
use crate::task::{self, Task};
use api_ecs as api;
use api_ecs::{ContainerInstanceStatus, Error};
use kernel::Call;
use store::{Image, Tx};

const DEREGISTERED: &str = "Container instance deregistration forced by user";

pub fn list_container_instances(
    call: &mut Call,
    image: &Image,
    input: api::ListContainerInstancesRequest,
) -> Result<api::ListContainerInstancesResponse, Error> {
    let cluster = cluster::find(image, &call.scope, input.cluster.as_deref())?;
    let filter = input.filter.as_deref().filter(|filter| !filter.trim().is_empty()).map(constraint::parse).transpose();
    let filter = filter.map_err(|error| Error::invalid_parameter(format!("Invalid filter: {error}.")))?;
    let request = Request { group_key: ledger::group_key(&cluster.scope, &cluster.name, ""), ..Request::default() };
    let status = input.status.as_ref().map(ContainerInstanceStatus::as_str);
    let prefix = format!("{}/{}/", cluster.scope, cluster.name);
    let wanted = image.prefix::<ContainerInstance>(&prefix).filter(|instance| {
        let passes = filter.as_ref().is_none_or(|expression| matches(image, instance, &request, expression));
        passes && status.is_none_or(|status| status == instance.status())
    });
    let page = page(wanted, |instance| instance.id.clone(), input.max_results, input.next_token.as_deref())?;
    let arns = page.items.into_iter().map(ContainerInstance::arn).collect();
    Ok(api::ListContainerInstancesResponse { container_instance_arns: Some(arns), next_token: page.next_token })
}

fn matches(image: &Image, instance: &ContainerInstance, request: &Request, expression: &constraint::Expr) -> bool {
    let mut candidate = fleet::candidate(image, instance);
    candidate.running_tasks = fleet::running_tasks(image, instance);
    expression.eval(&candidate.facts(request, 0))
}

pub fn describe_container_instances(
    call: &mut Call,
    image: &Image,
    input: api::DescribeContainerInstancesRequest,
) -> Result<api::DescribeContainerInstancesResponse, Error> {
    let cluster = cluster::find(image, &call.scope, input.cluster.as_deref())?;
    let given = some_of(input.container_instances, 100)?;
    let include = input.include.unwrap_or_default();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for one in given {
        match find(image, cluster, &one)? {
            Some(instance) => found.push(view::view(instance, image, &include)),
            None => failures.push(missing(cluster, &one)),
        }
    }
    Ok(api::DescribeContainerInstancesResponse { container_instances: Some(found), failures: Some(failures) })
}

fn some_of(given: Option<Vec<String>>, most: usize) -> Result<Vec<String>, Error> {
    let given = given.unwrap_or_default();
    match given.len() {
        0 => Err(Error::client("Container Instances cannot be empty.")),
        count if count > most => {
            Err(Error::invalid_parameter(format!("Container Instances cannot have more than {most} elements.")))
        }
        _ => Ok(given),
    }
}

fn missing(cluster: &cluster::Cluster, given: &str) -> api::Failure {
    let arn = if given.starts_with("arn:") { given.to_owned() } else { super::arn(&cluster.scope, &cluster.name, given) };
    api::Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None }
}

pub fn update_container_instances_state(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UpdateContainerInstancesStateRequest,
) -> Result<api::UpdateContainerInstancesStateResponse, Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?.clone();
    let draining = match input.status {
        Some(ContainerInstanceStatus::Active) => false,
        Some(ContainerInstanceStatus::Draining) => true,
        _ => return Err(Error::invalid_parameter("Container instance status should be one of [ACTIVE, DRAINING]")),
    };
    let (mut changed, mut failures) = (Vec::new(), Vec::new());
    for one in some_of(input.container_instances, 10)? {
        let Some(mut instance) = find(tx, &cluster, &one)?.cloned() else {
            failures.push(missing(&cluster, &one));
            continue;
        };
        if instance.draining != draining {
            instance.draining = draining;
            put(call, tx, instance.clone());
        }
        changed.push(view::view(&instance, tx, &[]));
    }
    Ok(api::UpdateContainerInstancesStateResponse { container_instances: Some(changed), failures: Some(failures) })
}

/// Forced, its tasks go on: on AWS they are orphans, here their node still answers for them. Those of services end, as their
/// schedulers start others.
pub fn deregister_container_instance(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeregisterContainerInstanceRequest,
) -> Result<api::DeregisterContainerInstanceResponse, Error> {
    let instance = required(call, tx, input.cluster.as_deref(), input.container_instance.as_deref())?;
    if instance.tasks(tx).next().is_some() && input.force != Some(true) {
        return Err(Error::invalid_parameter("Found running tasks on the instance."));
    }
    let view = api::ContainerInstance { status: Some("INACTIVE".to_owned()), ..view::view(&instance, tx, &[]) };
    release(call, tx, &instance);
    forget(call, tx, &instance);
    Ok(api::DeregisterContainerInstanceResponse { container_instance: Some(view) })
}

fn release(call: &mut Call, tx: &mut Tx, instance: &ContainerInstance) {
    let tasks = instance.tasks(tx).filter(|task| task.member.is_some());
    for mut task in tasks.cloned().collect::<Vec<Task>>() {
        if task::ask_to_stop(&mut task, api::TaskStopCode::TerminationNotice, DEREGISTERED.to_owned(), call.now) {
            task::put(call, tx, task);
        }
    }
}

/// The agent is part of the node's own binary: there is never another one to fetch.
pub fn update_container_agent(
    call: &mut Call,
    image: &Image,
    input: api::UpdateContainerAgentRequest,
) -> Result<api::UpdateContainerAgentResponse, Error> {
    let instance = required(call, image, input.cluster.as_deref(), input.container_instance.as_deref())?;
    let version = image.get::<Node>(&instance.node).map(|node| node.facts.agent_version.as_str()).unwrap_or_default();
    Err(Error::no_update_available(format!("There is no update available for agent version {version}.")))
}

fn required(call: &Call, image: &Image, cluster: Option<&str>, given: Option<&str>) -> Result<ContainerInstance, Error> {
    let cluster = cluster::find(image, &call.scope, cluster)?;
    let found = find(image, cluster, given.unwrap_or_default())?.cloned();
    found.ok_or_else(|| Error::invalid_parameter("The referenced container instance was not found."))
}
