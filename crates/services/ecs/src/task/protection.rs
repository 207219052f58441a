//! Scale-in protection. Only tasks of services have it, and the service scheduler is not here yet: every task that exists is
//! answered as AWS answers a standalone one.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html

use super::describe_tasks::missing;
use super::find;
use crate::cluster::{self, Cluster};
use api_ecs as api;
use kernel::Call;
use store::{Image, Tx};

const TASKS_PER_UPDATE: usize = 10;
const TASKS_PER_GET: usize = 100;
const EXPIRES_IN_MINUTES: std::ops::RangeInclusive<i32> = 1..=2880;

pub fn get_task_protection(
    call: &mut Call,
    image: &Image,
    input: api::GetTaskProtectionRequest,
) -> Result<api::GetTaskProtectionResponse, api::Error> {
    let cluster = cluster::find(image, &call.scope, input.cluster.as_deref())?;
    let tasks = input.tasks.unwrap_or_default();
    at_most(tasks.len(), TASKS_PER_GET)?;
    let failures = tasks.iter().map(|given| failure(image, cluster, given)).collect::<Result<_, _>>()?;
    Ok(api::GetTaskProtectionResponse { protected_tasks: Some(Vec::new()), failures: Some(failures) })
}

pub fn update_task_protection(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UpdateTaskProtectionRequest,
) -> Result<api::UpdateTaskProtectionResponse, api::Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?;
    let tasks = input.tasks.unwrap_or_default();
    if tasks.is_empty() {
        return Err(api::Error::invalid_parameter("Tasks cannot be empty."));
    }
    at_most(tasks.len(), TASKS_PER_UPDATE)?;
    if input.expires_in_minutes.is_some_and(|minutes| !EXPIRES_IN_MINUTES.contains(&minutes)) {
        return Err(api::Error::invalid_parameter("expiresInMinutes must be between 1 and 2880."));
    }
    let failures = tasks.iter().map(|given| failure(tx, cluster, given)).collect::<Result<_, _>>()?;
    Ok(api::UpdateTaskProtectionResponse { protected_tasks: Some(Vec::new()), failures: Some(failures) })
}

fn at_most(count: usize, limit: usize) -> Result<(), api::Error> {
    if count <= limit {
        return Ok(());
    }
    Err(api::Error::invalid_parameter(format!("Tasks should have at most {limit} items.")))
}

fn failure(image: &Image, cluster: &Cluster, given: &str) -> Result<api::Failure, api::Error> {
    match find(image, cluster, given)? {
        Some(task) => Ok(api::Failure { arn: Some(task.arn()), reason: Some("TASK_NOT_VALID".into()), detail: None }),
        None => missing(cluster, given),
    }
}
