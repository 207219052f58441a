//! Capacity provider strategies of services: the ratio holds however the service scales.

use crate::task::Task;
use crate::testing::{Plane, obedient, scope, status};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use workload::{Desired, StopCause, TaskPhase, TaskSpec, TaskStatus};

fn plane() -> Plane {
    let mut plane = Plane::with_node();
    let container = json!([{ "name": "a", "image": "b" }]);
    plane.define(
        "web",
        json!({ "networkMode": "awsvpc", "cpu": "256", "memory": "512", "containerDefinitions": container,
        "requiresCompatibilities": ["FARGATE"], "compatibilities": ["EC2", "FARGATE"] }),
    );
    let item = |name: &str, base: u32, weight: u32| json!({ "capacityProvider": name, "base": base, "weight": weight });
    plane.ok("CreateCluster", json!({ "clusterName": "default" }));
    plane.ok(
        "PutClusterCapacityProviders",
        json!({ "cluster": "default", "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "defaultCapacityProviderStrategy": [] }),
    );
    plane.ok(
        "CreateService",
        json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 1,
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
        "capacityProviderStrategy": [item("FARGATE", 1, 1), item("FARGATE_SPOT", 0, 3)] }),
    );
    plane
}

#[test]
fn a_strategy_names_each_provider_once_and_in_any_order() {
    let mut plane = plane();
    let item = |name: &str, base: u32, weight: u32| json!({ "capacityProvider": name, "base": base, "weight": weight });
    let turned = json!([item("FARGATE_SPOT", 0, 3), item("FARGATE", 1, 1)]);
    plane.ok("UpdateService", json!({ "service": "web", "capacityProviderStrategy": turned }));
    let twice = json!([item("FARGATE", 0, 3), item("FARGATE", 1, 1)]);
    assert_eq!(
        plane
            .refused("UpdateService", json!({ "service": "web", "forceNewDeployment": true, "capacityProviderStrategy": twice })),
        "InvalidParameterException: The specified capacity provider strategy cannot contain a capacity provider more than once."
    );
}

#[test]
fn a_provider_stays_with_its_cluster_while_a_service_names_it() {
    let mut plane = plane();
    plane.ok("UpdateService", json!({ "service": "web", "desiredCount": 0 }));
    plane.report("n1", obedient);
    plane.pass(Duration::from_secs(60));
    let only = |name: &str| json!({ "cluster": "default", "capacityProviders": [name], "defaultCapacityProviderStrategy": [] });
    assert_eq!(
        plane.refused("PutClusterCapacityProviders", only("FARGATE")),
        "ResourceInUseException: The specified capacity provider is in use and cannot be removed."
    );
    plane.ok("DeleteService", json!({ "service": "web" }));
    plane.ok("PutClusterCapacityProviders", only("FARGATE"));
}

#[test]
fn an_empty_object_takes_a_placement_strategy_away() {
    let mut plane = Plane::with_node();
    plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 8 }] }));
    let packed = json!([{ "type": "binpack", "field": "memory" }]);
    let service = json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 0, "placementStrategy": packed });
    plane.ok("CreateService", service);
    let service = plane.ok("UpdateService", json!({ "service": "web", "placementStrategy": [{}] }))["service"].take();
    assert_eq!(service["placementStrategy"], json!([]));
}

#[test]
fn tasks_are_listed_of_a_service_that_is_there_and_by_nothing_else() {
    let mut plane = plane();
    plane.pass(Duration::from_secs(1));
    assert_eq!(plane.ok("ListTasks", json!({ "serviceName": "web" }))["taskArns"].as_array().unwrap().len(), 1);
    let mut refused = |body: Value| plane.refused("ListTasks", body);
    assert_eq!(refused(json!({ "serviceName": "none" })), "ServiceNotFoundException: Service not found.");
    assert_eq!(
        refused(json!({ "serviceName": "web", "family": "web" })),
        "InvalidParameterException: cannot specify serviceName with other arguments"
    );
}

fn scale(plane: &mut Plane, count: u32) {
    plane.ok("UpdateService", json!({ "service": "web", "desiredCount": count }));
    for _ in 0..4 {
        plane.report("n1", obedient);
        plane.pass(Duration::from_secs(20));
    }
}

/// How many tasks on FARGATE, and how many on FARGATE_SPOT.
fn counts(plane: &Plane) -> (usize, usize) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let tasks = plane.core.image().by::<Task>("service", format!("{}/default/web", scope()));
    let providers = tasks.filter(|task| task.desired == Desired::Running).filter_map(|task| task.capacity_provider.clone());
    providers.for_each(|provider| *counts.entry(provider).or_default() += 1);
    let count = |name: &str| counts.get(name).copied().unwrap_or_default();
    (count("FARGATE"), count("FARGATE_SPOT"))
}

#[test]
fn a_service_keeps_its_ratio_while_it_grows_task_by_task() {
    let mut plane = plane();
    let mut seen = Vec::new();
    for count in 1..=6 {
        scale(&mut plane, count);
        seen.push(counts(&plane));
    }
    assert_eq!(seen, [(1, 0), (1, 1), (1, 2), (2, 2), (2, 3), (2, 4)]);
}

#[test]
fn what_ended_is_replaced_where_it_was() {
    let mut plane = plane();
    scale(&mut plane, 5);
    let spot: Vec<String> = plane
        .core
        .image()
        .scan::<Task>()
        .filter(|task| task.capacity_provider.as_deref() == Some("FARGATE_SPOT"))
        .map(Task::arn)
        .collect();
    let before = counts(&plane);
    spot.iter().for_each(|task| drop(plane.ok("StopTask", json!({ "task": task }))));
    scale(&mut plane, 5);
    assert_eq!((spot.len(), counts(&plane)), (3, before));
}

/// How the service answers, and on what its tasks run, after an update that nobody can start.
fn rolled_back() -> (Value, (usize, usize)) {
    let mut plane = plane();
    scale(&mut plane, 4);
    let old: Vec<String> = plane.core.image().scan::<Task>().map(|task| task.id.clone()).collect();
    let breaker = json!({ "enable": true, "rollback": true });
    plane.ok(
        "UpdateService",
        json!({ "service": "web", "forceNewDeployment": true, "deploymentConfiguration": { "deploymentCircuitBreaker": breaker },
        "capacityProviderStrategy": [{ "capacityProvider": "FARGATE", "weight": 1 }] }),
    );
    let broken = |spec: &TaskSpec| {
        let cause = Some(StopCause::FailedToStart("CannotPullContainerError: no such image".into()));
        if old.contains(&spec.id) { obedient(spec) } else { Some(TaskStatus { cause, ..status(spec, TaskPhase::Stopped) }) }
    };
    for _ in 0..8 {
        plane.report("n1", broken);
        plane.pass(Duration::from_secs(60));
    }
    let answer = plane.ok("DescribeServices", json!({ "services": ["web"] }))["services"][0].clone();
    (answer, counts(&plane))
}

/// Found by the simulator.
#[test]
fn a_rollback_goes_back_to_the_strategy_too() {
    let (service, counts) = rolled_back();
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(service["capacityProviderStrategy"].as_array().map(Vec::len), Some(2));
    assert_eq!(counts, (2, 2));
}
