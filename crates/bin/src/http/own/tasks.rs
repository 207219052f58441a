//! What the command line shows of tasks: all of them, one with its history, and why one cannot be placed.

use super::{Answer, json, one, refused};
use crate::compose::Server;
use base::Scope;
use ecs::task::explain::{self, Explanation, Question};
use ecs::task::history::{self, Entry};
use ecs::task::{Task, view};
use hyper::StatusCode;
use serde_json::Value;
use std::collections::BTreeMap;

pub fn list(server: &Server, scope: &Scope, query: &BTreeMap<&str, &str>) -> Answer {
    let image = server.plane.image();
    let (all, cluster) = (query.get("all") == Some(&"1"), query.get("cluster").copied());
    let wanted = |task: &&Task| {
        task.scope.account == scope.account && (all || !task.is_stopped()) && cluster.is_none_or(|name| task.cluster == name)
    };
    let tasks: Vec<_> = image.scan::<Task>().filter(wanted).map(|task| view::view(task, &image)).collect();
    Ok(json(&tasks))
}

/// The task as DescribeTasks shows it, while its row is there, and its history, which stays longer.
pub fn describe(server: &Server, scope: &Scope, id: &str) -> Answer {
    let image = server.plane.image();
    let history = one(history::find(&image, &scope.account, id), id)?;
    let task = image.get::<Task>(store::Record::key(history.as_ref()).as_str());
    Ok(json(&serde_json::json!({
        "taskArn": ecs::task::arn(&history.scope, &history.cluster, &history.id),
        "taskDefinition": format!("{}:{}", history.family, history.revision),
        "task": task.map(|task| view::view(task, &image)),
        "history": history.entries.iter().map(entry).collect::<Vec<_>>(),
        "leftOut": history.left_out,
    })))
}

fn entry(entry: &Entry) -> Value {
    let Entry { at, container, state, cause } = entry;
    serde_json::json!({ "at": at.seconds_f64(), "container": container, "state": state, "cause": cause })
}

pub fn explain_task(server: &Server, scope: &Scope, id: &str) -> Answer {
    let task = super::find(server, scope, id)?;
    explained(explain::task(&server.plane.image(), &task))
}

pub fn explain_definition(server: &Server, scope: &Scope, query: &BTreeMap<&str, &str>) -> Answer {
    let text = |name: &str| query.get(name).copied().filter(|text| !text.is_empty());
    let Some(task_definition) = text("task-definition") else {
        return refused(StatusCode::BAD_REQUEST, "a task or a task definition is needed");
    };
    let launch_type = text("launch-type").map(|name| name.to_owned().into());
    let cluster = text("cluster");
    let question = Question { cluster, task_definition, launch_type, capacity_provider: None, overrides: None, group: None };
    explained(explain::definition_in(&server.plane.image(), scope, question))
}

fn explained(explanation: Result<Explanation, api_ecs::Error>) -> Answer {
    match explanation {
        Ok(explanation) => Ok(json(&explanation)),
        Err(error) => refused(StatusCode::BAD_REQUEST, wire::Error::from(error)),
    }
}
