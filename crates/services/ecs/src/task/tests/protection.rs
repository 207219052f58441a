//! Scale-in protection, asked for and come to its end.

use crate::testing::{Plane, obedient, status};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::time::Duration;
use workload::TaskPhase;

const HOURS_2: Duration = Duration::from_secs(120 * 60);

/// A service `web` with two tasks that run.
fn plane() -> (Plane, Vec<String>) {
    let mut plane = Plane::with_node();
    plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64 }] }));
    plane.ok("CreateService", json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 2 }));
    plane.report("n1", obedient);
    let tasks = running(&mut plane);
    assert_eq!(tasks.len(), 2);
    (plane, tasks)
}

/// What starts has run for a while before it counts.
fn settle(plane: &mut Plane) {
    for _ in 0..6 {
        plane.report("n1", obedient);
        plane.pass(Duration::from_secs(20));
    }
}

fn running(plane: &mut Plane) -> Vec<String> {
    let listed = plane.ok("ListTasks", json!({ "serviceName": "web" }));
    listed["taskArns"].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().to_owned()).collect()
}

/// `enabled until, in minutes from now` or the reason of the failure, of each task.
fn shown(plane: &Plane, answer: &Value) -> String {
    let minutes = |at: &Value| at.as_f64().map(|at| (at - plane.now.seconds_f64()) / 60.0);
    let protected = answer["protectedTasks"].as_array().unwrap().iter();
    let protected = protected.map(|task| format!("{} {:?}", task["protectionEnabled"], minutes(&task["expirationDate"])));
    let failed = answer["failures"].as_array().unwrap().iter().map(|failure| failure["reason"].as_str().unwrap().to_owned());
    protected.chain(failed).collect::<Vec<_>>().join(", ")
}

fn update(plane: &mut Plane, tasks: &[String], more: Value) -> String {
    let mut input = json!({ "cluster": "default", "tasks": tasks, "protectionEnabled": true });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    match plane.call("UpdateTaskProtection", input) {
        Ok(answer) => shown(plane, &answer),
        Err(error) => error,
    }
}

fn get(plane: &mut Plane, tasks: &[String]) -> String {
    let answer = plane.ok("GetTaskProtection", json!({ "cluster": "default", "tasks": tasks }));
    shown(plane, &answer)
}

fn check(more: Value, expected: Expect) {
    let (mut plane, tasks) = plane();
    expected.assert_eq(&update(&mut plane, &tasks[..1], more));
}

#[test]
fn protection_lasts_as_long_as_is_asked_for() {
    check(json!({}), expect!["true Some(120.0)"]);
    check(json!({ "expiresInMinutes": 1 }), expect!["true Some(1.0)"]);
    check(json!({ "expiresInMinutes": 2880 }), expect!["true Some(2880.0)"]);
    check(json!({ "protectionEnabled": false }), expect!["false None"]);
    let refused = "InvalidParameterException: expiresInMinutes must be between 1 and 2880.";
    let (mut plane, tasks) = plane();
    let asked = [0, 2881].map(|minutes| update(&mut plane, &tasks, json!({ "expiresInMinutes": minutes })));
    assert_eq!(asked, [refused, refused]);
}

#[test]
fn protection_expires_by_itself() {
    let (mut plane, tasks) = plane();
    update(&mut plane, &tasks[..1], json!({}));
    assert_eq!(get(&mut plane, &tasks), "true Some(120.0), false None");
    plane.pass(HOURS_2 - Duration::from_millis(1));
    assert!(get(&mut plane, &tasks).starts_with("true"));
    plane.pass(Duration::from_millis(1));
    assert_eq!(get(&mut plane, &tasks), "false None, false None");
}

#[test]
fn protection_is_taken_back_and_given_anew() {
    let (mut plane, tasks) = plane();
    update(&mut plane, &tasks, json!({}));
    update(&mut plane, &tasks[..1], json!({ "protectionEnabled": false }));
    plane.pass(Duration::from_secs(60 * 60));
    update(&mut plane, &tasks[1..], json!({}));
    assert_eq!(get(&mut plane, &tasks), "false None, true Some(120.0)");
}

#[test]
fn protection_is_no_state_change() {
    let (mut plane, tasks) = plane();
    let newest = crate::state_events::newest(plane.core.image());
    update(&mut plane, &tasks, json!({}));
    assert_eq!(crate::state_events::newest(plane.core.image()), newest);
}

#[test]
fn a_task_that_is_to_stop_is_protected_from_nothing() {
    let (mut plane, tasks) = plane();
    update(&mut plane, &tasks, json!({}));
    plane.ok("StopTask", json!({ "task": tasks[0] }));
    assert_eq!(get(&mut plane, &tasks), "false None, true Some(120.0)");
    assert_eq!(update(&mut plane, &tasks[..1], json!({})), "false None");
    plane.report("n1", |spec| match spec.desired {
        workload::Desired::Running => None,
        workload::Desired::Stopped => Some(status(spec, TaskPhase::Stopped)),
    });
    assert_eq!(get(&mut plane, &tasks[..1]), "TASK_NOT_VALID");
}

#[test]
fn protected_tasks_are_not_scaled_in_before_protection_ends() {
    let (mut plane, tasks) = plane();
    update(&mut plane, &tasks, json!({ "expiresInMinutes": 10 }));
    plane.ok("UpdateService", json!({ "service": "web", "desiredCount": 1 }));
    plane.report("n1", obedient);
    assert_eq!(running(&mut plane).len(), 2);
    plane.pass(Duration::from_secs(10 * 60));
    plane.report("n1", obedient);
    assert_eq!(running(&mut plane).len(), 1);
}

#[test]
fn what_blocks_a_deployment_is_not_protected_any_longer() {
    let (mut plane, tasks) = plane();
    update(&mut plane, &tasks[..1], json!({}));
    plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "c", "memory": 64 }] }));
    plane.ok("UpdateService", json!({ "service": "web", "taskDefinition": "web" }));
    settle(&mut plane);
    let all = running(&mut plane);
    assert!(all.contains(&tasks[0]) && !all.contains(&tasks[1]), "the deployment waits for the protected one");
    assert_eq!(update(&mut plane, &tasks[..1], json!({})), "DEPLOYMENT_BLOCKED");
    assert_eq!(update(&mut plane, &tasks[..1], json!({ "protectionEnabled": false })), "false None");
    settle(&mut plane);
    assert!(!running(&mut plane).contains(&tasks[0]));
}

#[test]
fn the_newest_tasks_are_protected_also_while_a_deployment_waits() {
    let (mut plane, tasks) = plane();
    update(&mut plane, &tasks[..1], json!({}));
    plane.ok("UpdateService", json!({ "service": "web", "forceNewDeployment": true }));
    settle(&mut plane);
    let new: Vec<String> = running(&mut plane).into_iter().filter(|task| !tasks.contains(task)).collect();
    assert!(!new.is_empty());
    assert!(update(&mut plane, &new[..1], json!({})).starts_with("true"));
}

#[test]
fn other_tasks_cannot_be_protected() {
    let mut plane = Plane::with_node();
    plane.define("job", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64 }] }));
    let ran = plane.ok("RunTask", json!({ "taskDefinition": "job" }));
    let tasks = [ran["tasks"][0]["taskArn"].as_str().unwrap().to_owned(), "x".to_owned()];
    assert_eq!(update(&mut plane, &tasks, json!({})), "TASK_NOT_VALID, MISSING");
    assert_eq!(get(&mut plane, &tasks), "TASK_NOT_VALID, MISSING");
    assert!(update(&mut plane, &[], json!({})).contains("Tasks cannot be empty"));
}
