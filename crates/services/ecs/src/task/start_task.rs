//! StartTask: one task on each container instance that is named, without a scheduler's choice.

use super::capacity::Share;
use super::launch::{Ask, Launch, Spot};
use super::run_task::refuse_volumes;
use super::view;
use crate::arn;
use crate::cluster::{self, Cluster};
use crate::container_instance;
use crate::placement::{Request, fit, fleet, request};
use api_ecs as api;
use base::limits::INSTANCES_PER_START_TASK;
use kernel::Call;
use store::{Image, Tx};

pub fn start_task(call: &mut Call, tx: &mut Tx, input: api::StartTaskRequest) -> Result<api::StartTaskResponse, api::Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?.clone();
    let instances = input.container_instances.clone().unwrap_or_default();
    if instances.is_empty() {
        return Err(api::Error::client("Container Instances cannot be empty."));
    }
    if instances.len() > INSTANCES_PER_START_TASK {
        let message = format!("Container Instances cannot have more than {INSTANCES_PER_START_TASK} elements.");
        return Err(api::Error::invalid_parameter(message));
    }
    refuse_volumes(input.volume_configurations.as_deref())?;
    let share = Share { launch_type: api::LaunchType::Ec2, capacity_provider: None, count: 1 };
    let definition = input.task_definition.clone().unwrap_or_default();
    let launch = Launch::new(tx, &cluster, &definition, ask(input))?;
    launch.check(&share)?;
    let request = Request {
        claim: launch.claim.clone(),
        gpus: launch.gpus(),
        attributes: launch.wanted(&share),
        rules: request::rules(&launch.definition.definition, None)?,
        group_key: launch.group_key(),
        count: 1,
        ..Request::default()
    };
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for given in &instances {
        match spot(tx, &cluster, given, &request)? {
            Ok(spot) => tasks.push(launch.start(call, tx, &share, spot)),
            Err(failure) => failures.push(failure),
        }
    }
    let tasks = tasks.iter().map(|task| view::view(task, tx)).collect();
    Ok(api::StartTaskResponse { tasks: Some(tasks), failures: Some(failures) })
}

fn ask(input: api::StartTaskRequest) -> Ask {
    Ask {
        overrides: input.overrides,
        network_configuration: input.network_configuration,
        platform_version: None,
        group: input.group,
        started_by: input.started_by,
        tags: input.tags,
        propagate_tags: input.propagate_tags,
        enable_ecs_managed_tags: input.enable_ecs_managed_tags == Some(true),
        enable_execute_command: input.enable_execute_command == Some(true),
    }
}

fn spot(image: &Image, cluster: &Cluster, given: &str, request: &Request) -> Result<Result<Spot, api::Failure>, api::Error> {
    let id = arn::in_cluster(&cluster.scope, "container-instance", &cluster.name, given)?;
    let arn = container_instance::arn(&cluster.scope, &cluster.name, id);
    let failure = |reason: &str| Ok(Err(api::Failure { arn: Some(arn.clone()), reason: Some(reason.into()), detail: None }));
    let candidate = container_instance::find(image, cluster, given)?.map(|instance| fleet::candidate(image, instance));
    let Some(candidate) = candidate else { return failure("MISSING") };
    match fit::check(request, &candidate, 0) {
        Ok(()) => Ok(Ok(Spot::of(&candidate))),
        Err(reason) => failure(reason.as_str()),
    }
}
