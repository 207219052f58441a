//! Scale-in protection: until it expires, the service scheduler stops the task neither to scale in nor to deploy. Only tasks
//! of services have it. Nothing has to happen when it expires: that `protected_until` has passed is all there is to know.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html

use super::describe_tasks::missing;
use super::{Task, find, put};
use crate::cluster::{self, Cluster};
use crate::service::Service;
use api_ecs as api;
use base::Time;
use kernel::Call;
use std::time::Duration;
use store::{Image, Tx};
use workload::Desired;

const TASKS_PER_UPDATE: usize = 10;
const TASKS_PER_GET: usize = 100;
const EXPIRES_IN_MINUTES: std::ops::RangeInclusive<i32> = 1..=2880;
const DEFAULT_MINUTES: i32 = 120;

pub fn get_task_protection(
    call: &mut Call,
    image: &Image,
    input: api::GetTaskProtectionRequest,
) -> Result<api::GetTaskProtectionResponse, api::Error> {
    let cluster = cluster::find(image, &call.scope, input.cluster.as_deref())?;
    let given = input.tasks.unwrap_or_default();
    at_most(given.len(), TASKS_PER_GET)?;
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for given in &given {
        match of_service(image, cluster, given)? {
            Ok(task) => protected.push(view(&task, call.now)),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(api::GetTaskProtectionResponse { protected_tasks: Some(protected), failures: Some(failures) })
}

pub fn update_task_protection(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UpdateTaskProtectionRequest,
) -> Result<api::UpdateTaskProtectionResponse, api::Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?.clone();
    let given = input.tasks.unwrap_or_default();
    if given.is_empty() {
        return Err(api::Error::invalid_parameter("Tasks cannot be empty."));
    }
    at_most(given.len(), TASKS_PER_UPDATE)?;
    let minutes = minutes(input.expires_in_minutes)?;
    let until = (input.protection_enabled == Some(true)).then(|| call.now + minutes);
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for given in &given {
        let changed = of_service(tx, &cluster, given)?.and_then(|task| protect(tx, task, until, call.now));
        match changed {
            Ok(task) => {
                protected.push(view(&task, call.now));
                put(call, tx, task);
            }
            Err(failure) => failures.push(failure),
        }
    }
    Ok(api::UpdateTaskProtectionResponse { protected_tasks: Some(protected), failures: Some(failures) })
}

fn at_most(count: usize, limit: usize) -> Result<(), api::Error> {
    if count <= limit {
        return Ok(());
    }
    Err(api::Error::invalid_parameter(format!("Tasks should have at most {limit} items.")))
}

fn minutes(given: Option<i32>) -> Result<Duration, api::Error> {
    let minutes = given.unwrap_or(DEFAULT_MINUTES);
    if EXPIRES_IN_MINUTES.contains(&minutes) {
        return Ok(Duration::from_secs(60 * u64::from(minutes.unsigned_abs())));
    }
    Err(api::Error::invalid_parameter("expiresInMinutes must be between 1 and 2880."))
}

/// The task that is meant, if it is one that can be protected.
fn of_service(image: &Image, cluster: &Cluster, given: &str) -> Result<Result<Task, api::Failure>, api::Error> {
    Ok(match find(image, cluster, given)? {
        Some(task) if task.member.is_some() && !task.is_stopped() => Ok(task.clone()),
        Some(task) => Err(failure(task, "TASK_NOT_VALID")),
        None => Err(missing(cluster, given)?),
    })
}

fn protect(image: &Image, mut task: Task, until: Option<Time>, now: Time) -> Result<Task, api::Failure> {
    if until.is_some() && blocks_deployment(image, &task, now) {
        return Err(failure(&task, "DEPLOYMENT_BLOCKED"));
    }
    task.protected_until = until.filter(|_| task.desired == Desired::Running);
    Ok(task)
}

/// A deployment that waits for protected tasks of older ones is to wait no longer than they said until now.
/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
fn blocks_deployment(image: &Image, task: &Task, now: Time) -> bool {
    let service = task.service_path().and_then(|path| image.get::<Service>(&path));
    let Some(current) = service.and_then(|service| service.primary()) else { return false };
    let is_old = |task: &Task| task.member.as_ref().is_some_and(|member| member.deployment != current.id);
    let mut others = task.service_path().into_iter().flat_map(|path| image.by::<Task>("service", path));
    is_old(task) && others.any(|other| is_old(other) && other.is_protected(now))
}

fn failure(task: &Task, reason: &str) -> api::Failure {
    api::Failure { arn: Some(task.arn()), reason: Some(reason.to_owned()), detail: None }
}

fn view(task: &Task, now: Time) -> api::ProtectedTask {
    let until = task.protected_until.filter(|_| task.is_protected(now));
    api::ProtectedTask {
        task_arn: Some(task.arn()),
        protection_enabled: Some(until.is_some()),
        expiration_date: until.map(wire::Timestamp::from),
    }
}
