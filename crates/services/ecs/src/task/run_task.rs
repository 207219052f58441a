//! RunTask: up to ten equal tasks, placed at once or refused with a reason each.

use super::capacity::{self, Share};
use super::idempotency;
use super::launch::{Ask, Launch, Spot};
use super::{Task, placing, view};
use crate::cluster::{self, Cluster};
use crate::container_instance;
use crate::placement::{Request, request};
use api_ecs as api;
use base::limits::TASKS_PER_RUN_TASK;
use kernel::Call;
use store::Tx;

const NO_FARGATE_CAPACITY: &str =
    "Capacity is unavailable at this time. Please try again later or in a different availability zone";

pub fn run_task(call: &mut Call, tx: &mut Tx, input: api::RunTaskRequest) -> Result<api::RunTaskResponse, api::Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?.clone();
    if let Some(answer) = idempotency::replay(tx, &cluster, &input, call.now)? {
        return Ok(answer);
    }
    let count = count(input.count)?;
    let shares = capacity::shares(&cluster, input.launch_type.as_ref(), input.capacity_provider_strategy.as_deref(), count)?;
    refuse_volumes(input.volume_configurations.as_deref())?;
    let launch = Launch::new(tx, &cluster, input.task_definition.as_deref().unwrap_or_default(), ask(&input))?;
    let requests = shares.iter().map(|share| placement_request(&launch, share, &input)).collect::<Result<Vec<_>, _>>()?;
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for (share, request) in shares.iter().zip(&requests) {
        let (spots, rejected) = spots(call, tx, &cluster, share, request)?;
        tasks.extend(spots.into_iter().map(|spot| launch.start(call, tx, share, spot)));
        failures.extend(rejected);
    }
    idempotency::remember(tx, &cluster, &input, &tasks, &failures, call.now);
    let tasks = tasks.iter().map(|task: &Task| view::view(task, tx)).collect();
    Ok(api::RunTaskResponse { tasks: Some(tasks), failures: Some(failures) })
}

fn count(given: Option<i32>) -> Result<usize, api::Error> {
    let count = i64::from(given.unwrap_or(1));
    if (1..=TASKS_PER_RUN_TASK).contains(&count) {
        return Ok(count as usize);
    }
    Err(api::Error::invalid_parameter(format!("count must be between 1 and {TASKS_PER_RUN_TASK}.")))
}

fn ask(input: &api::RunTaskRequest) -> Ask {
    Ask {
        overrides: input.overrides.clone(),
        network_configuration: input.network_configuration.clone(),
        platform_version: input.platform_version.clone(),
        group: input.group.clone(),
        started_by: input.started_by.clone(),
        tags: input.tags.clone(),
        propagate_tags: input.propagate_tags.clone(),
        enable_ecs_managed_tags: input.enable_ecs_managed_tags == Some(true),
        enable_execute_command: input.enable_execute_command == Some(true),
    }
}

pub fn refuse_volumes(configurations: Option<&[api::TaskVolumeConfiguration]>) -> Result<(), api::Error> {
    match configurations {
        None | Some([]) => Ok(()),
        Some(_) => Err(api::Error::unsupported_feature("Volumes configured at launch are not supported by this server yet.")),
    }
}

fn placement_request(launch: &Launch, share: &Share, input: &api::RunTaskRequest) -> Result<Request, api::Error> {
    let strategy = input.placement_strategy.as_deref().filter(|list| !list.is_empty());
    if share.is_fargate() && strategy.is_some() {
        return Err(api::Error::invalid_parameter("Placement strategies are not supported with FARGATE launch type."));
    }
    placing::request(launch, share, input.placement_constraints.as_deref(), request::strategies(strategy)?)
}

fn spots(
    call: &mut Call,
    tx: &Tx,
    cluster: &Cluster,
    share: &Share,
    request: &Request,
) -> Result<(Vec<Spot>, Vec<api::Failure>), api::Error> {
    let fleet = placing::fleet(tx, cluster, share, request);
    if fleet.is_empty() && !share.is_fargate() {
        return Err(api::Error::invalid_parameter(placing::nowhere(share)));
    }
    let (spots, rejected) = placing::spots(call, fleet.as_ref(), request);
    let arn = |id: String| container_instance::arn(&cluster.scope, &cluster.name, &id);
    let failures = match share.is_fargate() {
        true => vec![failure(None, NO_FARGATE_CAPACITY); request.count - spots.len()],
        false => rejected.into_iter().map(|(id, why)| failure(id.map(arn), why.as_str())).collect(),
    };
    Ok((spots, failures))
}

fn failure(arn: Option<String>, reason: &str) -> api::Failure {
    api::Failure { arn, reason: Some(reason.to_owned()), detail: None }
}
