//! A newer revision has no place: the older one serves on, as if there were no newer one.

use crate::testing::{Plane, facts, obedient};
use serde_json::{Value, json};
use std::time::Duration;

/// Two tasks of web:1 on two nodes, and web:2 that is too large for either.
fn plane(minimum: u64, maximum: u64) -> Plane {
    let mut plane = Plane::with_node();
    plane.join(facts("n2"));
    define(&mut plane, 64);
    let configuration = json!({ "minimumHealthyPercent": minimum, "maximumPercent": maximum });
    let input =
        json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 2, "deploymentConfiguration": configuration });
    plane.ok("CreateService", input);
    live(&mut plane);
    define(&mut plane, 1_000_000);
    plane.ok("UpdateService", json!({ "service": "web", "taskDefinition": "web:2" }));
    live(&mut plane);
    plane
}

fn define(plane: &mut Plane, memory: u64) {
    plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": memory }] }));
}

fn live(plane: &mut Plane) {
    for _ in 0..4 {
        while plane.report("n1", obedient) + plane.report("n2", obedient) > 0 {}
        plane.pass(Duration::from_secs(41));
    }
}

fn service(plane: &mut Plane) -> Value {
    plane.ok("DescribeServices", json!({ "services": ["web"] }))["services"][0].clone()
}

#[test]
fn it_is_whole_again_once_the_newer_one_is_given_up() {
    let mut plane = plane(50, 200);
    assert_eq!(service(&mut plane)["runningCount"], 1);
    let deployment = service(&mut plane)["currentServiceDeployment"].clone();
    plane.ok("StopServiceDeployment", json!({ "serviceDeploymentArn": deployment, "stopType": "ABORT" }));
    live(&mut plane);
    assert_eq!(service(&mut plane)["runningCount"], 2);
}

#[test]
fn a_task_that_it_loses_is_started_again() {
    let mut plane = plane(100, 150);
    assert_eq!(service(&mut plane)["runningCount"], 2);
    let task = plane.ok("ListTasks", json!({ "serviceName": "web" }))["taskArns"][0].clone();
    plane.ok("StopTask", json!({ "task": task }));
    live(&mut plane);
    assert_eq!(service(&mut plane)["runningCount"], 2);
}
