//! What is said when unhealthy tasks are replaced: once of each, whether its replacement comes before its end or after.

use crate::testing::{Plane, obedient, status};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use workload::{Desired, Health, TaskPhase, TaskSpec, TaskStatus};

const NOW: base::Time = base::Time(1_700_000_000_000);

/// A steady service of tasks with a health check.
fn steady(more: Value) -> Plane {
    let mut plane = Plane::with_node();
    let check = json!({ "command": ["CMD", "x"] });
    plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64, "healthCheck": check }] }));
    let mut input = json!({ "serviceName": "web", "taskDefinition": "web", "availabilityZoneRebalancing": "DISABLED" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    plane.ok("CreateService", input);
    settle(&mut plane, &BTreeSet::new(), Health::Healthy);
    plane
}

/// All tasks do what they are told; some fail their checks, others are as well as is said.
fn settle(plane: &mut Plane, unhealthy: &BTreeSet<String>, others: Health) {
    let say = |spec: &TaskSpec| -> Option<TaskStatus> {
        let health = if unhealthy.contains(&spec.id) { Health::Unhealthy } else { others };
        let mut status = obedient(spec)?;
        status.containers.iter_mut().for_each(|container| (container.health, container.health_since) = (health, Some(NOW)));
        Some(status)
    };
    while plane.report("n1", say) > 0 {}
}

fn some(plane: &Plane, count: usize) -> BTreeSet<String> {
    let running = plane.sent["n1"].tasks.iter().filter(|spec| spec.desired == Desired::Running);
    running.take(count).map(|spec| spec.id.clone()).collect()
}

fn bounds(least: u32, most: u32) -> Value {
    json!({ "desiredCount": 2, "deploymentConfiguration": { "minimumHealthyPercent": least, "maximumPercent": most } })
}

/// From the oldest to the newest, without ids.
fn said(plane: &mut Plane) -> Vec<String> {
    let service = plane.ok("DescribeServices", json!({ "services": ["web"] }))["services"][0].clone();
    let messages = service["events"].as_array().unwrap().iter().rev().map(|event| event["message"].as_str().unwrap());
    let is_id = |word: &&str| word.len() >= 32 && word.bytes().take(32).all(|byte| byte.is_ascii_hexdigit());
    let cut = |message: &str| {
        let words = message
            .split(' ')
            .map(|word| if is_id(&word) { word.trim_start_matches(|c: char| c.is_ascii_hexdigit()) } else { word });
        words.collect::<Vec<_>>().join(" ").replace("(service web) ", "").replace("(task )", "()")
    };
    messages.map(cut).filter(|message| !message.contains("deployment ")).collect()
}

/// After `count` of the service's tasks failed their checks and all was settled.
fn check(more: Value, count: usize, expected: Expect) {
    let mut plane = steady(more);
    let unhealthy = some(&plane, count);
    settle(&mut plane, &unhealthy, Health::Healthy);
    expected.assert_eq(&said(&mut plane).join("\n"));
}

#[test]
fn a_task_that_is_started_for_an_unhealthy_one_says_so() {
    check(
        bounds(100, 200),
        1,
        expect![[r#"
        has started 2 tasks: () ().
        has reached a steady state.
        has started 1 tasks: (). Amazon ECS replaced 1 tasks due to an unhealthy status.
        () failed container health checks.
        has stopped 1 running tasks: ().
        has reached a steady state."#]],
    );
    check(
        bounds(100, 200),
        2,
        expect![[r#"
        has started 2 tasks: () ().
        has reached a steady state.
        has started 2 tasks: () (). Amazon ECS replaced 2 tasks due to an unhealthy status.
        () failed container health checks.
        () failed container health checks.
        has stopped 2 running tasks: () ().
        has reached a steady state."#]],
    );
}

#[test]
fn so_does_one_that_had_to_wait_for_its_end() {
    check(
        bounds(50, 100),
        1,
        expect![[r#"
        has started 2 tasks: () ().
        has reached a steady state.
        () failed container health checks.
        has stopped 1 running tasks: ().
        has started 1 tasks: (). Amazon ECS replaced 1 tasks due to an unhealthy status.
        has reached a steady state."#]],
    );
    check(
        bounds(50, 100),
        2,
        expect![[r#"
        has started 2 tasks: () ().
        has reached a steady state.
        () failed container health checks.
        has stopped 1 running tasks: ().
        has started 1 tasks: (). Amazon ECS replaced 1 tasks due to an unhealthy status.
        () failed container health checks.
        has stopped 1 running tasks: ().
        has started 1 tasks: (). Amazon ECS replaced 1 tasks due to an unhealthy status.
        has reached a steady state."#]],
    );
    check(
        json!({ "schedulingStrategy": "DAEMON" }),
        1,
        expect![[r#"
        has started 1 tasks: ().
        has reached a steady state.
        () failed container health checks.
        has stopped 1 running tasks: ().
        has started 1 tasks: (). Amazon ECS replaced 1 tasks due to an unhealthy status.
        has reached a steady state."#]],
    );
}

#[test]
fn it_is_said_once_however_much_is_started_meanwhile() {
    let mut plane = steady(bounds(100, 200));
    let unhealthy = some(&plane, 1);
    settle(&mut plane, &unhealthy, Health::Unknown);
    plane.ok("UpdateService", json!({ "service": "web", "desiredCount": 3 }));
    settle(&mut plane, &unhealthy, Health::Unknown);
    expect![[r#"
        has started 2 tasks: () ().
        has reached a steady state.
        has started 1 tasks: (). Amazon ECS replaced 1 tasks due to an unhealthy status.
        has started 1 tasks: ()."#]]
    .assert_eq(&said(&mut plane).join("\n"));
}

#[test]
fn a_task_that_ends_by_itself_was_not_unhealthy() {
    let mut plane = steady(bounds(100, 200));
    let ended = some(&plane, 1);
    plane.report("n1", |spec| if ended.contains(&spec.id) { Some(status(spec, TaskPhase::Stopped)) } else { obedient(spec) });
    plane.pass(Duration::from_secs(60));
    expect![[r#"
        has started 2 tasks: () ().
        has reached a steady state.
        has started 1 tasks: ()."#]]
    .assert_eq(&said(&mut plane).join("\n"));
}
