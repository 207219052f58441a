//! Where tasks of capacity providers land, and which instances say whose they are.

use crate::testing::{Plane, facts, obedient};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use workload::NodeFacts;

/// Each node is of the group that its name begins with; of one that is called `free` none is said.
fn plane(nodes: &[&str], groups: &[&str]) -> Plane {
    let mut plane = Plane::new();
    nodes.iter().for_each(|node| plane.join(of_group(node)));
    for group in groups {
        let arn = format!("arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/{group}");
        let body = json!({ "name": format!("cp-{group}"), "autoScalingGroupProvider": { "autoScalingGroupArn": arn } });
        plane.ok("CreateCapacityProvider", body);
    }
    let providers: Vec<String> = groups.iter().map(|group| format!("cp-{group}")).collect();
    plane.ok("CreateCluster", json!({ "clusterName": "default" }));
    plane.ok(
        "PutClusterCapacityProviders",
        json!({ "cluster": "default", "capacityProviders": providers, "defaultCapacityProviderStrategy": [] }),
    );
    plane.define("job", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "cpu": 512, "memory": 16 }] }));
    plane
}

fn of_group(node: &str) -> NodeFacts {
    let group = node.split('-').next().filter(|group| *group != "free").map(str::to_owned);
    NodeFacts { auto_scaling_group: group, ..facts(node) }
}

/// By `ec2InstanceId`, which is the node's name here.
fn instances(plane: &mut Plane) -> BTreeMap<String, Value> {
    let listed = plane.ok("ListContainerInstances", json!({}));
    let described = plane.ok("DescribeContainerInstances", json!({ "containerInstances": listed["containerInstanceArns"] }));
    let all = described["containerInstances"].as_array().unwrap().iter();
    all.map(|one| (one["ec2InstanceId"].as_str().unwrap().to_owned(), one.clone())).collect()
}

fn names(nodes: &[&str], groups: &[&str], expected: Expect) {
    let instances = instances(&mut plane(nodes, groups));
    let line = |(node, instance): (&String, &Value)| format!("{node} {}\n", instance["capacityProviderName"]);
    expected.assert_eq(&instances.iter().map(line).collect::<String>());
}

#[test]
fn an_instance_is_of_the_provider_of_its_group() {
    names(
        &["web-1", "web-2", "batch-1", "other-1", "free"],
        &["web", "batch"],
        expect![[r#"
            batch-1 "cp-batch"
            free null
            other-1 null
            web-1 "cp-web"
            web-2 "cp-web"
        "#]],
    );
    names(
        &["web-1", "batch-1", "free"],
        &["web"],
        expect![[r#"
            batch-1 null
            free "cp-web"
            web-1 "cp-web"
        "#]],
    );
    names(
        &["web-1", "free"],
        &[],
        expect![[r#"
            free null
            web-1 null
        "#]],
    );
}

/// Where tasks land, as `provider@node`, and what is said of the others.
fn run(plane: &mut Plane, count: u32, how: &Value) -> String {
    let mut body = json!({ "taskDefinition": "job", "count": count });
    body.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
    let answer = match plane.call("RunTask", body) {
        Ok(answer) => answer,
        Err(error) => return error,
    };
    let nodes: BTreeMap<String, String> = instances(plane)
        .into_iter()
        .map(|(node, one)| (one["containerInstanceArn"].as_str().unwrap().to_owned(), node))
        .collect();
    let on = |task: &Value| nodes[task["containerInstanceArn"].as_str().unwrap()].clone();
    let told = |task: &Value| format!("{} {}@{}", task["launchType"], task["capacityProviderName"], on(task));
    let reasons = answer["failures"].as_array().unwrap().iter().map(|one| one["reason"].to_string());
    let mut told: Vec<String> = answer["tasks"].as_array().unwrap().iter().map(told).chain(reasons).collect();
    told.sort();
    told.join("\n").replace('"', "")
}

fn strategy(items: &[(&str, u32, u32)]) -> Value {
    let item = |(name, base, weight): &(&str, u32, u32)| json!({ "capacityProvider": name, "base": base, "weight": weight });
    json!({ "capacityProviderStrategy": items.iter().map(item).collect::<Vec<_>>() })
}

fn check(nodes: &[&str], count: u32, how: &Value, expected: Expect) {
    expected.assert_eq(&run(&mut plane(nodes, &["web", "batch"]), count, how));
}

#[test]
fn tasks_of_a_provider_go_to_its_instances_only() {
    check(
        &["web-1", "batch-1", "other-1"],
        5,
        &strategy(&[("cp-web", 2, 1), ("cp-batch", 0, 2)]),
        expect![[r#"
            EC2 cp-batch@batch-1
            EC2 cp-batch@batch-1
            EC2 cp-web@web-1
            EC2 cp-web@web-1
            EC2 cp-web@web-1"#]],
    );
}

#[test]
fn what_has_no_room_at_its_provider_goes_to_no_other() {
    check(
        &["web-1", "batch-1"],
        6,
        &strategy(&[("cp-batch", 0, 1)]),
        expect![[r#"
            EC2 cp-batch@batch-1
            EC2 cp-batch@batch-1
            EC2 cp-batch@batch-1
            EC2 cp-batch@batch-1
            RESOURCE:CPU"#]],
    );
    check(
        &["web-1"],
        1,
        &strategy(&[("cp-batch", 0, 1)]),
        expect!["InvalidParameterException: No Container Instances were found in your capacity provider."],
    );
}

#[test]
fn a_node_without_a_group_serves_every_provider() {
    check(
        &["free"],
        2,
        &strategy(&[("cp-web", 0, 1), ("cp-batch", 0, 1)]),
        expect![[r#"
            EC2 cp-batch@free
            EC2 cp-web@free"#]],
    );
}

#[test]
fn a_launch_type_asks_for_no_provider() {
    check(&["batch-1"], 1, &json!({ "launchType": "EC2" }), expect!["EC2 null@batch-1"]);
    check(&["other-1"], 1, &json!({}), expect!["EC2 null@other-1"]);
}

#[test]
fn a_node_may_come_again_with_another_group() {
    let mut plane = plane(&["web-1"], &["web", "batch"]);
    plane.join(NodeFacts { auto_scaling_group: Some("batch".into()), ..facts("web-1") });
    assert_eq!(run(&mut plane, 1, &strategy(&[("cp-batch", 0, 1)])), "EC2 cp-batch@web-1");
    assert_eq!(instances(&mut plane)["web-1"]["capacityProviderName"], "cp-batch");
}

#[test]
fn a_provider_that_has_tasks_stays_with_its_cluster() {
    let mut plane = plane(&["web-1"], &["web", "batch"]);
    run(&mut plane, 1, &strategy(&[("cp-web", 0, 1)]));
    let keep =
        |names: &[&str]| json!({ "cluster": "default", "capacityProviders": names, "defaultCapacityProviderStrategy": [] });
    plane.ok("PutClusterCapacityProviders", keep(&["cp-web"]));
    let refused = plane.refused("PutClusterCapacityProviders", keep(&[]));
    assert_eq!(refused, "ResourceInUseException: The specified capacity provider is in use and cannot be removed.");
    let task = plane.ok("ListTasks", json!({}))["taskArns"][0].clone();
    plane.ok("StopTask", json!({ "task": task }));
    plane.report("web-1", obedient);
    plane.ok("PutClusterCapacityProviders", keep(&[]));
}

#[test]
fn zones_without_an_instance_of_the_provider_are_not_to_be_evened_out() {
    for (nodes, expected) in [(["web-1", "batch-2"], 0), (["web-1", "web-2"], 1)] {
        let mut plane = plane(&[nodes[0]], &["web", "batch"]);
        let mut body = strategy(&[("cp-web", 0, 1)]);
        body["serviceName"] = json!("web");
        body["taskDefinition"] = json!("job");
        body["desiredCount"] = json!(2);
        body["availabilityZoneRebalancing"] = json!("ENABLED");
        plane.ok("CreateService", body);
        plane.report(nodes[0], obedient);
        plane.pass(Duration::from_secs(60));
        plane.join(NodeFacts { availability_zone: "us-east-1b".into(), ..of_group(nodes[1]) });
        plane.pass(Duration::from_secs(60));
        let described = plane.ok("DescribeServices", json!({ "services": ["web"] }));
        let events = described["services"][0]["events"].as_array().unwrap();
        let unbalanced = events.iter().filter(|event| event["message"].as_str().unwrap().contains("is not AZ balanced"));
        assert_eq!(unbalanced.count(), expected, "{nodes:?} {events:?}");
    }
}

#[test]
fn a_service_waits_for_an_instance_of_its_provider() {
    let mut plane = plane(&["web-1"], &["web", "batch"]);
    let mut body = strategy(&[("cp-batch", 0, 1)]);
    body["serviceName"] = json!("jobs");
    body["taskDefinition"] = json!("job");
    body["desiredCount"] = json!(1);
    plane.ok("CreateService", body);
    let said = |plane: &mut Plane| {
        let described = plane.ok("DescribeServices", json!({ "services": ["jobs"] }));
        let message = described["services"][0]["events"][0]["message"].as_str().unwrap().to_owned();
        message.split(": (task").next().unwrap().to_owned()
    };
    expect![
        "(service jobs) was unable to place a task because no container instance met all of its requirements. Reason: No \
         Container Instances were found in your capacity provider. For more information, see the Troubleshooting section of \
         the Amazon ECS Developer Guide."
    ]
    .assert_eq(&said(&mut plane));
    plane.join(of_group("web-2"));
    plane.pass(Duration::from_secs(1));
    plane.join(of_group("batch-1"));
    plane.pass(Duration::from_secs(1));
    assert_eq!((plane.report("web-2", obedient), said(&mut plane)), (0, "(service jobs) has started 1 tasks".to_owned()));
    assert_eq!(plane.sent["batch-1"].tasks.len(), 1);
}
