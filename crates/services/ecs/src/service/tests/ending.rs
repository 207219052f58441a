//! How deployments end that do not succeed, and what is left of the service then.

use crate::testing::{Plane, facts, obedient, status};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::time::Duration;
use workload::{StopCause, TaskPhase, TaskSpec, TaskStatus};

/// Of three tasks, revision 1 of which runs.
fn plane(least: u32, most: u32) -> Plane {
    let mut plane = Plane::with_node();
    plane.join(facts("n2"));
    define(&mut plane);
    let breaker = json!({ "enable": true, "rollback": true });
    let configuration = json!({ "minimumHealthyPercent": least, "maximumPercent": most, "deploymentCircuitBreaker": breaker });
    plane.ok(
        "CreateService",
        json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 3, "deploymentConfiguration": configuration,
        "availabilityZoneRebalancing": "DISABLED" }),
    );
    live(&mut plane, 9);
    plane
}

fn define(plane: &mut Plane) {
    plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64, "essential": true }] }));
}

fn update(plane: &mut Plane) {
    define(plane);
    plane.ok("UpdateService", json!({ "service": "web", "taskDefinition": "web" }));
}

/// No task of a revision from `broken` on ever starts.
fn step(plane: &mut Plane, broken: u32) {
    let say = |spec: &TaskSpec| -> Option<TaskStatus> {
        if spec.revision < broken {
            return obedient(spec);
        }
        let cause = Some(StopCause::FailedToStart("CannotPullContainerError: no such image".into()));
        Some(TaskStatus { cause, ..status(spec, TaskPhase::Stopped) })
    };
    while plane.report("n1", say) + plane.report("n2", say) > 0 {}
}

fn live(plane: &mut Plane, broken: u32) {
    for _ in 0..8 {
        step(plane, broken);
        plane.pass(Duration::from_secs(41));
    }
    step(plane, broken);
}

fn service(plane: &mut Plane) -> Value {
    plane.ok("DescribeServices", json!({ "services": ["web"] }))["services"][0].clone()
}

/// `web:2 FAILED 1/3`.
fn check(plane: &mut Plane, expected: Expect) {
    let deployment = |it: &Value| {
        let revision = it["taskDefinition"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        format!("{revision} {} {}/{}", it["rolloutState"].as_str().unwrap(), it["runningCount"], it["desiredCount"])
    };
    let deployments: Vec<String> = service(plane)["deployments"].as_array().unwrap().iter().map(deployment).collect();
    expected.assert_eq(&deployments.join(", "));
}

fn abort(plane: &mut Plane) {
    let arn = service(plane)["currentServiceDeployment"].clone();
    plane.ok("StopServiceDeployment", json!({ "serviceDeploymentArn": arn, "stopType": "ABORT" }));
}

#[test]
fn what_an_abort_leaves_is_scaled_in_to_the_desired_count() {
    let mut plane = plane(100, 200);
    update(&mut plane);
    step(&mut plane, 9);
    check(&mut plane, expect!["web:2 IN_PROGRESS 3/3, web:1 COMPLETED 3/3"]);
    abort(&mut plane);
    live(&mut plane, 9);
    check(&mut plane, expect!["web:2 FAILED 3/3"]);
}

#[test]
fn what_an_abort_leaves_too_few_of_is_made_good_by_the_older_revision() {
    let mut plane = plane(0, 100);
    update(&mut plane);
    abort(&mut plane);
    live(&mut plane, 2);
    check(&mut plane, expect!["web:2 FAILED 0/3, web:1 COMPLETED 3/3"]);
}

#[test]
fn a_second_broken_update_before_the_rollback_is_complete_has_nothing_to_go_back_to() {
    let mut plane = plane(0, 100);
    update(&mut plane);
    step(&mut plane, 2);
    check(&mut plane, expect!["web:1 IN_PROGRESS 3/3"]);
    update(&mut plane);
    live(&mut plane, 2);
    check(&mut plane, expect!["web:3 FAILED 0/3"]);
    let list = plane.ok("ListServiceDeployments", json!({ "service": "web" }));
    let status = |change: &Value| change["status"].as_str().unwrap().to_owned();
    let statuses: Vec<String> = list["serviceDeployments"].as_array().unwrap().iter().map(status).collect();
    expect!["STOPPED, ROLLBACK_FAILED, SUCCESSFUL"].assert_eq(&statuses.join(", "));
}
