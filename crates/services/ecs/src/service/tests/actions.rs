//! Which service actions are told, and of whom.

use crate::state_events::{Kind, after};
use crate::testing::{Plane, facts, obedient};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::time::Duration;

fn plane() -> Plane {
    let mut plane = Plane::with_node();
    plane.join(facts("n2"));
    plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64, "essential": true }] }));
    plane
}

fn create(plane: &mut Plane, more: Value) {
    let mut input = json!({ "serviceName": "web", "taskDefinition": "web" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    plane.ok("CreateService", input);
    live(plane);
}

fn live(plane: &mut Plane) {
    for _ in 0..4 {
        while plane.report("n1", obedient) + plane.report("n2", obedient) > 0 {}
        plane.pass(Duration::from_secs(41));
    }
}

/// Names of what is told meanwhile, with how many ARNs.
fn check(plane: &mut Plane, act: impl FnOnce(&mut Plane), expected: Expect) {
    let since = crate::state_events::newest(plane.core.image());
    act(plane);
    live(plane);
    let line = |detail: Value| {
        let count = |member: &str| detail[member].as_array().map_or(String::new(), |arns| format!(" {} {member}", arns.len()));
        let name = detail["eventName"].as_str().unwrap_or_default().to_owned();
        name + &count("containerInstanceArns") + &count("capacityProviderArns")
    };
    let actions = after(plane.core.image(), since).filter(|event| event.kind == Kind::ServiceAction);
    let lines: Vec<String> = actions.map(|event| line(serde_json::from_str(event.detail.get()).unwrap())).collect();
    expected.assert_eq(&lines.join("\n"));
}

fn instances(plane: &mut Plane) -> Value {
    plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"].clone()
}

/// On both instances, as both have the attribute.
fn daemon() -> Plane {
    let mut plane = plane();
    let instances = instances(&mut plane);
    let attribute = |at: usize| json!({ "name": "stack", "value": "prod", "targetId": instances[at] });
    plane.ok("PutAttributes", json!({ "attributes": [attribute(0), attribute(1)] }));
    let constraint = json!({ "type": "memberOf", "expression": "attribute:stack == prod" });
    create(&mut plane, json!({ "schedulingStrategy": "DAEMON", "placementConstraints": [constraint] }));
    plane
}

#[test]
fn a_daemon_that_its_instance_is_not_for_any_more_violates_its_constraint() {
    let mut plane = daemon();
    let first = instances(&mut plane)[0].clone();
    let attribute = json!({ "name": "stack", "targetId": first });
    let delete = |plane: &mut Plane| drop(plane.ok("DeleteAttributes", json!({ "attributes": [attribute] })));
    check(
        &mut plane,
        delete,
        expect![[r#"
            SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED 1 containerInstanceArns
            TASKS_STOPPED
            SERVICE_STEADY_STATE"#]],
    );
    let constraint = json!([{ "type": "memberOf", "expression": "attribute:stack == none" }]);
    let update = |plane: &mut Plane| {
        plane.ok("UpdateService", json!({ "service": "web", "placementConstraints": constraint }));
    };
    check(
        &mut plane,
        update,
        expect![[r#"
            SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED 1 containerInstanceArns
            TASKS_STOPPED
            SERVICE_STEADY_STATE"#]],
    );
}

#[test]
fn a_daemon_that_ends_otherwise_violates_nothing() {
    let mut plane = daemon();
    let first = instances(&mut plane)[0].clone();
    let drain = json!({ "containerInstances": [first], "status": "DRAINING" });
    check(
        &mut plane,
        |plane| drop(plane.ok("UpdateContainerInstancesState", drain)),
        expect![[r#"
        TASKS_STOPPED
        SERVICE_STEADY_STATE"#]],
    );
    let deregister = json!({ "containerInstance": instances(&mut plane)[1], "force": true });
    check(&mut plane, |plane| drop(plane.ok("DeregisterContainerInstance", deregister)), expect!["SERVICE_STEADY_STATE"]);
    let mut plane = daemon();
    check(
        &mut plane,
        |plane| drop(plane.ok("DeleteService", json!({ "service": "web", "force": true }))),
        expect!["TASKS_STOPPED"],
    );
}

#[test]
fn a_count_that_somebody_sets_is_no_action_of_the_scheduler() {
    let mut plane = plane();
    create(&mut plane, json!({ "desiredCount": 1 }));
    let update = |plane: &mut Plane| drop(plane.ok("UpdateService", json!({ "service": "web", "desiredCount": 2 })));
    check(&mut plane, update, expect!["SERVICE_STEADY_STATE"]);
}

#[test]
fn zones_that_are_evened_out_are_told_from_beginning_to_end() {
    let mut plane = plane();
    create(&mut plane, json!({ "desiredCount": 3, "availabilityZoneRebalancing": "ENABLED" }));
    let join = |plane: &mut Plane| {
        plane.join(workload::NodeFacts { availability_zone: "us-east-1b".into(), ..facts("n3") });
        for _ in 0..4 {
            plane.report("n3", obedient);
            live(plane);
        }
    };
    check(
        &mut plane,
        join,
        expect![[r#"
        SERVICE_REBALANCING_STARTED
        TASKS_STARTED
        TASKS_STOPPED
        SERVICE_REBALANCING_COMPLETED
        SERVICE_STEADY_STATE"#]],
    );
}

#[test]
fn with_a_strategy_its_providers_are_steady_too() {
    let mut plane = Plane::with_node();
    let container = json!([{ "name": "a", "image": "b" }]);
    let size = json!({ "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"],
        "compatibilities": ["EC2", "FARGATE"], "containerDefinitions": container });
    plane.define("web", size);
    plane.ok("CreateCluster", json!({ "clusterName": "default" }));
    let both = ["FARGATE", "FARGATE_SPOT"];
    let providers = json!({ "cluster": "default", "capacityProviders": both, "defaultCapacityProviderStrategy": [] });
    plane.ok("PutClusterCapacityProviders", providers);
    let strategy = both.map(|name| json!({ "capacityProvider": name, "weight": 1 }));
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
    let more = json!({ "desiredCount": 1, "capacityProviderStrategy": strategy, "networkConfiguration": network });
    check(
        &mut plane,
        |plane| create(plane, more),
        expect![[r#"
        SERVICE_STEADY_STATE
        CAPACITY_PROVIDER_STEADY_STATE 2 capacityProviderArns"#]],
    );
}
