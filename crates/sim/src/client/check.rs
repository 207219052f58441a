//! Whether an answer is right: reads against the rows they were read from, refusals against what there is to refuse.

use super::{Request, cluster_of, id_of, text};
use crate::plane::Answer;
use crate::strategy::{self, Counts};
use base::Scope;
use ecs::container_instance::ContainerInstance;
use ecs::node::{Ledger, Node};
use ecs::service::Service;
use ecs::task::{Last, Task};
use serde_json::Value;
use store::Image;
use workload::Desired;

type Verdict = Result<(), String>;

pub fn check(request: &Request, answer: &Answer, image: &Image) -> Verdict {
    let input = &request.input;
    let answer = match answer {
        Ok(answer) => answer,
        // That a row may be gone is for another oracle to say.
        Err(error) if error.message == "The referenced task was not found." && is_gone(input, image) => return Ok(()),
        Err(error) => return refusal(request, error),
    };
    match request.operation {
        "RunTask" => run(input, answer),
        "DescribeTasks" => tasks(input, answer, image),
        "DescribeClusters" => clusters(answer, image),
        "DescribeContainerInstances" => instances(answer, image),
        "DescribeServices" => services(input, answer, image),
        _ => Ok(()),
    }
}

fn refusal(request: &Request, error: &wire::Error) -> Verdict {
    let input = &request.input;
    let known = match request.operation {
        "RunTask" | "StartTask" => [
            "No Container Instances were found in your cluster.",
            "Cluster not found.",
            "The referenced cluster was inactive.",
            "The client token was already used in a request with different parameters.",
            "No Container Instances were found in your capacity provider.",
        ]
        .as_slice(),
        // Retention is longer than any run: what some answer named is there.
        "StopTask" => &["The referenced cluster was inactive."],
        "DeregisterTaskDefinition" => &["Unable to describe task definition."],
        "DeleteCluster" => &[
            "Cluster not found.",
            "The referenced cluster was inactive.",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
            "The Cluster cannot be deleted while Tasks are active.",
            "The Cluster cannot be deleted while Services are active.",
        ],
        "DeregisterContainerInstance" => {
            &["Found running tasks on the instance.", "The referenced container instance was not found."]
        }
        "DescribeTasks" => &["Tasks cannot be empty.", "Cluster not found."],
        "CreateService" => &[
            "Cluster not found.",
            "The referenced cluster was inactive.",
            "Creation of service was not idempotent.",
            "Unable to Start a service that is still Draining.",
        ],
        "UpdateService" if error.message.starts_with("Availability Zone Rebalancing does not support ") => return Ok(()),
        "UpdateService" if error.message.ends_with("you must force a new deployment.") && is_unforced(input) => return Ok(()),
        // The new bounds, and what was said before of an early success.
        "UpdateService" if error.message.starts_with("The healthyPercent of earlySuccessCriteria must be ") => return Ok(()),
        "UpdateService" => &["Service not found.", "Service was not ACTIVE.", "The referenced cluster was inactive."],
        "DeleteService" => &[
            "Service not found.",
            "The service cannot be stopped while it is scaled above 0.",
            "The referenced cluster was inactive.",
        ],
        "UpdateTaskProtection" | "DescribeServices" => &["The referenced cluster was inactive."],
        // Between the asking and the answer it may have come to its end.
        "StopServiceDeployment" if error.message.starts_with("The service deployment ") => return Ok(()),
        _ => &["Cluster not found."],
    };
    let expected = known.contains(&error.message.as_str());
    if expected { Ok(()) } else { Err(format!("{} {} is refused: {error}", request.operation, request.input)) }
}

fn is_unforced(input: &Value) -> bool {
    input["capacityProviderStrategy"].is_array() && input["forceNewDeployment"] != true
}

fn run(input: &Value, answer: &Value) -> Verdict {
    let made = items(answer, "tasks").count() as u64;
    let count = input["count"].as_u64().unwrap_or(1);
    let has_failures = items(answer, "failures").next().is_some();
    if made > count || made < count && !has_failures {
        return Err(format!("{input} made {made} tasks, with failures: {has_failures}"));
    }
    runs_where_it_is_asked_to(input, answer, has_failures)
}

/// As many tasks of each capacity provider as the strategy has it; fewer of what has no room.
fn runs_where_it_is_asked_to(input: &Value, answer: &Value, is_short: bool) -> Verdict {
    // Of a task that is forgotten a token tells its end and no more.
    if items(answer, "tasks").any(|task| task["launchType"].is_null()) {
        return Ok(());
    }
    let shares = strategy::asked(&input["capacityProviderStrategy"]);
    let wanted = strategy::further(&shares, &Counts::new(), input["count"].as_u64().unwrap_or(1) as usize);
    let has = |name: &str| items(answer, "tasks").filter(|task| task["capacityProviderName"] == name).count();
    let mut wanted = wanted.iter().filter(|_| !shares.is_empty());
    let odd = wanted.find(|(provider, wanted)| has(provider) > **wanted || has(provider) < **wanted && !is_short);
    let stray = items(answer, "tasks").find(|task| shares.is_empty() != task["capacityProviderName"].is_null());
    if odd.is_some() || stray.is_some() {
        return Err(format!("{input} has {odd:?}, {stray:?}"));
    }
    Ok(())
}

/// A page of DescribeTasks says what the rows say.
fn tasks(input: &Value, answer: &Value, image: &Image) -> Verdict {
    let asked = items(input, "tasks").filter(|arn| row(image, &text(arn)).is_some()).count();
    let described: Vec<&Value> = items(answer, "tasks").collect();
    if described.len() != asked {
        return Err(format!("{asked} tasks asked for, {} described: {}", described.len(), answer["failures"]));
    }
    described.into_iter().try_for_each(|one| {
        let id = text(&one["taskArn"]);
        let row = row(image, &id).ok_or(format!("{id} is described and not there"))?;
        let desired = if row.desired == Desired::Running { "RUNNING" } else { "STOPPED" };
        same(&id, "lastStatus", &one["lastStatus"], row.last.as_str())?;
        same(&id, "desiredStatus", &one["desiredStatus"], desired)?;
        same(&id, "version", &Value::from(one["version"].to_string()), &row.version.to_string())?;
        same(&id, "stoppedReason", &Value::from(text(&one["stoppedReason"])), row.stopped_reason.as_deref().unwrap_or_default())?;
        if row.is_stopped() && items(one, "containers").any(|container| container["lastStatus"] != "STOPPED") {
            return Err(format!("{id} is STOPPED with a container that is not"));
        }
        Ok(())
    })
}

fn is_gone(input: &Value, image: &Image) -> bool {
    row(image, &text(&input["task"])).is_none()
}

fn row<'a>(image: &'a Image, arn: &str) -> Option<&'a Task> {
    let scope = Scope::new(crate::plane::ACCOUNT, crate::plane::REGION);
    image.get(ecs::task::key(&scope, cluster_of(arn), id_of(arn)).as_str())
}

fn same(id: &str, member: &str, said: &Value, row: &str) -> Verdict {
    if said.as_str() == Some(row) { Ok(()) } else { Err(format!("{member} of {id} is said to be {said}, the row has {row}")) }
}

fn clusters(answer: &Value, image: &Image) -> Verdict {
    items(answer, "clusters").try_for_each(|cluster| {
        let name = text(&cluster["clusterName"]);
        let count = |is: fn(Last) -> bool| image.scan::<Task>().filter(|task| task.cluster == name && is(task.last)).count();
        same(&name, "runningTasksCount", &number(cluster, "runningTasksCount"), &count(is_running).to_string())?;
        same(&name, "pendingTasksCount", &number(cluster, "pendingTasksCount"), &count(is_pending).to_string())
    })
}

fn instances(answer: &Value, image: &Image) -> Verdict {
    items(answer, "containerInstances").try_for_each(|said| {
        let arn = text(&said["containerInstanceArn"]);
        let row = image.scan::<ContainerInstance>().find(|row| row.arn() == arn).ok_or(format!("{arn} is not there"))?;
        let of_instance = |task: &&Task| task.container_instance.as_ref() == Some(&row.id);
        let count = |is: fn(Last) -> bool| image.scan::<Task>().filter(of_instance).filter(|task| is(task.last)).count();
        same(&arn, "runningTasksCount", &number(said, "runningTasksCount"), &count(is_running).to_string())?;
        same(&arn, "pendingTasksCount", &number(said, "pendingTasksCount"), &count(is_pending).to_string())?;
        same(&arn, "status", &said["status"], if row.draining { "DRAINING" } else { "ACTIVE" })?;
        let left =
            items(said, "remainingResources").find(|resource| resource["name"] == "MEMORY").map(|r| number(r, "integerValue"));
        let has = image.get::<Node>(&row.node).map_or(0, |node| node.facts.memory_mib);
        let given = image.get::<Ledger>(&row.node).map_or(0, |ledger| ledger.memory_mib);
        same(&arn, "remaining memory", &left.unwrap_or_default(), &has.saturating_sub(given).to_string())
    })
}

/// What is told of a service is what its row says, counted over its tasks.
fn services(input: &Value, answer: &Value, image: &Image) -> Verdict {
    if items(answer, "services").count() != items(input, "services").count() {
        return Err(format!("{input} is answered with failures: {}", answer["failures"]));
    }
    items(answer, "services").try_for_each(|said| {
        let name = text(&said["serviceName"]);
        let mut rows = image.scan::<Service>().filter(|row| row.cluster == "default");
        let row = rows.find(|row| row.name == name).ok_or(format!("{name} is not there"))?;
        let is_its = |task: &&Task| task.cluster == "default" && task.member.as_ref().is_some_and(|m| m.service == name);
        let count = |is: fn(Last) -> bool| image.scan::<Task>().filter(is_its).filter(|task| is(task.last)).count();
        same(&name, "status", &said["status"], row.status.as_str())?;
        same(&name, "runningCount", &number(said, "runningCount"), &count(is_running).to_string())?;
        same(&name, "pendingCount", &number(said, "pendingCount"), &count(is_pending).to_string())?;
        items(said, "deployments").try_for_each(|deployment| {
            let id = text(&deployment["id"]);
            let row = row.deployments.iter().find(|row| row.name() == id).ok_or(format!("{id} is no deployment of {name}"))?;
            same(&id, "rolloutState", &deployment["rolloutState"], row.rollout.state().as_str())?;
            same(&id, "failedTasks", &number(deployment, "failedTasks"), &row.failed_tasks.to_string())
        })
    })
}

/// Every page of a list, put together, against the rows.
pub fn list(pages: &[Value], input: &Value, image: &Image) -> Verdict {
    let listed: Vec<String> = pages.iter().flat_map(|page| items(page, "taskArns")).map(text).collect();
    let desired = if input["desiredStatus"] == "RUNNING" { Desired::Running } else { Desired::Stopped };
    let scope = Scope::new(crate::plane::ACCOUNT, crate::plane::REGION);
    let wanted = |task: &&Task| task.cluster == "default" && task.desired == desired && task.scope == scope;
    let rows: Vec<String> = image.scan::<Task>().filter(wanted).map(Task::arn).collect();
    if listed == rows { Ok(()) } else { Err(format!("{} tasks are listed, there are {}", listed.len(), rows.len())) }
}

fn items<'a>(value: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    value[member].as_array().into_iter().flatten()
}

fn number(value: &Value, member: &str) -> Value {
    Value::from(value[member].to_string())
}

fn is_running(last: Last) -> bool {
    last == Last::Running
}

fn is_pending(last: Last) -> bool {
    matches!(last, Last::Provisioning | Last::Pending | Last::Activating)
}
