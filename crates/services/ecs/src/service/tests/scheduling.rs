//! Whole lives of services, through the operations and honest or broken nodes.

use crate::container_instance::ContainerInstance;
use crate::task::Task;
use crate::testing::{Plane, facts, obedient, scope, status};
use expect_test::expect;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use workload::{Health, StopCause, TaskPhase, TaskSpec, TaskStatus};

const NOW: base::Time = base::Time(1_700_000_000_000);

fn plane() -> Plane {
    let mut plane = Plane::with_node();
    plane.join(facts("n2"));
    define(&mut plane);
    plane
}

fn define(plane: &mut Plane) {
    let container = json!({ "name": "a", "image": "b", "memory": 64, "cpu": 16, "essential": true });
    plane.define("web", json!({ "containerDefinitions": [container] }));
}

fn create(plane: &mut Plane, more: Value) {
    let mut input = json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 2 });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    plane.ok("CreateService", input);
}

/// Both nodes do what they are told, until nothing changes any more.
fn settle(plane: &mut Plane, say: impl Fn(&TaskSpec) -> Option<TaskStatus>) {
    while plane.report("n1", &say) + plane.report("n2", &say) > 0 {}
}

/// What the 40-second rule needs.
fn live(plane: &mut Plane, say: impl Fn(&TaskSpec) -> Option<TaskStatus>) {
    for _ in 0..8 {
        settle(plane, &say);
        plane.pass(Duration::from_secs(41));
    }
    settle(plane, &say);
}

/// A revision whose image has no such program.
fn broken(from: u32) -> impl Fn(&TaskSpec) -> Option<TaskStatus> {
    move |spec| match spec.revision {
        revision if revision >= from => {
            let cause = Some(StopCause::FailedToStart("CannotPullContainerError: no such image".into()));
            Some(TaskStatus { cause, ..status(spec, TaskPhase::Stopped) })
        }
        _ => obedient(spec),
    }
}

fn describe(plane: &mut Plane) -> Value {
    plane.ok("DescribeServices", json!({ "services": ["web"] }))["services"][0].clone()
}

fn deployments(plane: &mut Plane) -> Vec<String> {
    let service = describe(plane);
    let deployment = |it: &Value| {
        let revision = it["taskDefinition"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        let (status, rollout) = (it["status"].as_str().unwrap(), it["rolloutState"].as_str().unwrap());
        format!("{status} web:{revision} {rollout} {}/{}", it["runningCount"], it["desiredCount"])
    };
    service["deployments"].as_array().unwrap().iter().map(deployment).collect()
}

fn events(plane: &mut Plane) -> Vec<String> {
    let is_hex = |word: &str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let cut = |message: &str| {
        let words = message.split(' ').map(|word| if is_hex(word.trim_end_matches([')', '.'])) { "…)" } else { word });
        words.map(|word| if word.starts_with("ecs-svc/") { "ecs-svc/…)" } else { word }).collect::<Vec<_>>().join(" ")
    };
    let service = describe(plane);
    let events = service["events"].as_array().unwrap().iter();
    events.map(|event| cut(event["message"].as_str().unwrap())).collect()
}

#[test]
fn a_service_reaches_a_steady_state_forty_seconds_after_its_tasks_run() {
    let mut plane = plane();
    create(&mut plane, json!({}));
    settle(&mut plane, obedient);
    assert_eq!(deployments(&mut plane), ["PRIMARY web:1 IN_PROGRESS 2/2"]);
    plane.pass(Duration::from_secs(39));
    assert_eq!(deployments(&mut plane), ["PRIMARY web:1 IN_PROGRESS 2/2"]);
    plane.pass(Duration::from_secs(1));
    assert_eq!(deployments(&mut plane), ["PRIMARY web:1 COMPLETED 2/2"]);
    expect![[r#"
        [
            "(service web) has reached a steady state.",
            "(service web) (deployment ecs-svc/…) deployment completed.",
            "(service web) has started 2 tasks: (task …) (task …)",
        ]
    "#]]
    .assert_debug_eq(&events(&mut plane));
}

#[test]
fn its_tasks_say_whose_they_are_and_are_spread() {
    let mut plane = plane();
    create(&mut plane, json!({ "enableECSManagedTags": true }));
    let tasks = plane.ok("ListTasks", json!({ "serviceName": "web" }))["taskArns"].clone();
    let tasks = plane.ok("DescribeTasks", json!({ "tasks": tasks, "include": ["TAGS"] }))["tasks"].clone();
    let service = describe(&mut plane);
    for task in tasks.as_array().unwrap() {
        assert_eq!(task["group"], "service:web");
        assert_eq!(task["startedBy"], service["deployments"][0]["id"]);
        assert_eq!(task["tags"][1], json!({ "key": "aws:ecs:serviceName", "value": "web" }));
    }
    assert_ne!(tasks[0]["containerInstanceArn"], tasks[1]["containerInstanceArn"]);
}

#[test]
fn an_update_rolls() {
    let mut plane = plane();
    create(&mut plane, json!({}));
    live(&mut plane, obedient);
    define(&mut plane);
    plane.ok("UpdateService", json!({ "service": "web", "taskDefinition": "web:2" }));
    settle(&mut plane, obedient);
    assert_eq!(deployments(&mut plane), ["PRIMARY web:2 IN_PROGRESS 2/2", "ACTIVE web:1 COMPLETED 2/2"]);
    live(&mut plane, obedient);
    assert_eq!(deployments(&mut plane), ["PRIMARY web:2 COMPLETED 2/2"]);
}

#[test]
fn a_broken_update_goes_back() {
    let mut plane = plane();
    let breaker = json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": true } });
    create(&mut plane, json!({ "deploymentConfiguration": breaker }));
    live(&mut plane, obedient);
    define(&mut plane);
    plane.ok("UpdateService", json!({ "service": "web", "taskDefinition": "web:2" }));
    live(&mut plane, broken(2));
    assert_eq!(deployments(&mut plane), ["PRIMARY web:1 COMPLETED 2/2"]);
    assert!(describe(&mut plane)["taskDefinition"].as_str().unwrap().ends_with("web:1"));
    let arns = plane.ok("ListServiceDeployments", json!({ "service": "web" }))["serviceDeployments"].clone();
    let statuses: Vec<&str> = arns.as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]);
}

#[test]
fn a_broken_service_is_started_ever_more_rarely() {
    let mut plane = plane();
    create(&mut plane, json!({ "desiredCount": 1 }));
    let mut starts = Vec::new();
    for second in 0..120u64 {
        settle(&mut plane, broken(1));
        let count = plane.ok("ListTasks", json!({ "desiredStatus": "STOPPED" }))["taskArns"].as_array().unwrap().len();
        starts.resize(count, second);
        plane.pass(Duration::from_secs(1));
    }
    assert_eq!(starts, [0, 0, 1, 3, 7, 15, 31, 63]);
}

#[test]
fn a_task_without_a_place_starts_when_there_is_one() {
    let mut plane = plane();
    create(&mut plane, json!({ "desiredCount": 250 }));
    settle(&mut plane, obedient);
    let running = describe(&mut plane)["runningCount"].clone();
    assert_eq!(running, 128);
    plane.join(facts("n3"));
    plane.pass(Duration::from_millis(100));
    settle(&mut plane, obedient);
    plane.report("n3", obedient);
    assert_eq!(describe(&mut plane)["runningCount"], 192);
    assert!(events(&mut plane).iter().any(|event| event.contains("insufficient memory available")), "{:?}", events(&mut plane));
}

#[test]
fn a_task_whose_constraint_no_instance_meets_starts_when_one_does() {
    let mut plane = plane();
    create(&mut plane, json!({ "placementConstraints": [{ "type": "memberOf", "expression": "attribute:stack == prod" }] }));
    settle(&mut plane, obedient);
    assert_eq!(describe(&mut plane)["runningCount"], 0);
    plane.pass(Duration::from_secs(1));
    let instance = plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"][0].clone();
    let stack = json!({ "name": "stack", "value": "prod", "targetType": "container-instance", "targetId": instance });
    plane.ok("PutAttributes", json!({ "attributes": [stack] }));
    settle(&mut plane, obedient);
    assert_eq!(describe(&mut plane)["runningCount"], 2);
}

#[test]
fn an_instance_that_is_deregistered_by_force_is_left_for_another() {
    for strategy in ["REPLICA", "DAEMON"] {
        let mut plane = plane();
        let mut input = json!({ "serviceName": "web", "taskDefinition": "web", "schedulingStrategy": strategy });
        if strategy == "REPLICA" {
            input["desiredCount"] = json!(2);
        }
        plane.ok("CreateService", input);
        live(&mut plane, obedient);
        let instance = plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"][0].clone();
        plane.ok("DeregisterContainerInstance", json!({ "containerInstance": instance, "force": true }));
        live(&mut plane, obedient);
        let service = describe(&mut plane);
        assert_eq!((&service["runningCount"], &service["pendingCount"]), (&service["desiredCount"], &json!(0)), "{strategy}");
        let stopped = plane.ok("ListTasks", json!({ "desiredStatus": "STOPPED" }))["taskArns"].clone();
        let stopped = plane.ok("DescribeTasks", json!({ "tasks": stopped }))["tasks"].clone();
        assert_eq!(stopped.as_array().map(Vec::len), Some(1));
        assert_eq!(stopped[0]["containerInstanceArn"], instance);
        assert_eq!(stopped[0]["stoppedReason"], "Container instance deregistration forced by user");
    }
}

#[test]
fn a_daemon_says_once_that_it_has_no_room_though_another_instance_is_the_closest() {
    let mut plane = plane();
    plane.define("full", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 4096 }] }));
    let instances = plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"].clone();
    plane.ok("StartTask", json!({ "taskDefinition": "full", "containerInstances": instances }));
    settle(&mut plane, obedient);
    plane.ok("CreateService", json!({ "serviceName": "web", "taskDefinition": "web", "schedulingStrategy": "DAEMON" }));
    let said = events(&mut plane);
    assert!(said.len() == 1 && said[0].contains("has insufficient memory available"), "{said:?}");
    let full = plane.ok("ListTasks", json!({ "family": "full" }))["taskArns"].clone();
    plane.ok("StopTask", json!({ "task": full[0] }));
    live(&mut plane, obedient);
    assert_eq!(
        (events(&mut plane).len(), describe(&mut plane)["runningCount"].clone()),
        (2, json!(1)),
        "{:?}",
        events(&mut plane)
    );
    plane.ok("StopTask", json!({ "task": full[1] }));
    live(&mut plane, obedient);
    assert_eq!(describe(&mut plane)["runningCount"], 2);
}

#[test]
fn tasks_that_turn_unhealthy_hold_no_start_back() {
    let mut plane = plane();
    let check = json!({ "command": ["CMD", "x"] });
    plane.define(
        "checked",
        json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64, "healthCheck": check }] }),
    );
    let well = |spec: &TaskSpec, health: Health| {
        let mut status = obedient(spec)?;
        status.containers.iter_mut().for_each(|container| (container.health, container.health_since) = (health, Some(NOW)));
        Some(status)
    };
    create(
        &mut plane,
        json!({ "taskDefinition": "checked", "desiredCount": 6, "availabilityZoneRebalancing": "DISABLED",
        "deploymentConfiguration": { "minimumHealthyPercent": 50, "maximumPercent": 100 } }),
    );
    settle(&mut plane, |spec| well(spec, Health::Healthy));
    let first: BTreeSet<String> = plane.sent.values().flat_map(|sent| &sent.tasks).map(|spec| spec.id.clone()).collect();
    settle(&mut plane, |spec| well(spec, if first.contains(&spec.id) { Health::Unhealthy } else { Health::Unknown }));
    assert_eq!(describe(&mut plane)["deployments"][0]["failedTasks"], 6);
    assert!(events(&mut plane).iter().all(|event| !event.contains("unable to consistently start")));
}

#[test]
fn a_change_of_both_revision_and_count_starts_only_the_new_revision() {
    let mut plane = plane();
    create(&mut plane, json!({}));
    live(&mut plane, obedient);
    define(&mut plane);
    plane.ok("UpdateService", json!({ "service": "web", "taskDefinition": "web:2", "desiredCount": 5 }));
    settle(&mut plane, obedient);
    assert_eq!(deployments(&mut plane), ["PRIMARY web:2 IN_PROGRESS 5/5", "ACTIVE web:1 COMPLETED 2/2"]);
    plane.ok("UpdateService", json!({ "service": "web", "desiredCount": 7 }));
    settle(&mut plane, obedient);
    assert_eq!(deployments(&mut plane), ["PRIMARY web:2 IN_PROGRESS 7/7", "ACTIVE web:1 COMPLETED 2/2"]);
}

#[test]
fn a_deployment_that_was_successful_stays_so_when_nobody_can_go_back_to_it() {
    let mut plane = plane();
    let breaker = json!({ "enable": true, "rollback": true });
    let configuration = json!({ "minimumHealthyPercent": 0, "maximumPercent": 100, "deploymentCircuitBreaker": breaker });
    create(&mut plane, json!({ "deploymentConfiguration": configuration }));
    live(&mut plane, obedient);
    define(&mut plane);
    plane.ok("UpdateService", json!({ "service": "web", "taskDefinition": "web:2" }));
    live(&mut plane, broken(1));
    let arns = plane.ok("ListServiceDeployments", json!({ "service": "web" }))["serviceDeployments"].clone();
    let arns: Vec<&Value> = arns.as_array().unwrap().iter().map(|it| &it["serviceDeploymentArn"]).collect();
    let described =
        plane.ok("DescribeServiceDeployments", json!({ "serviceDeploymentArns": arns }))["serviceDeployments"].clone();
    let told = |it: &Value| format!("{} {}", it["status"].as_str().unwrap(), it["deploymentCircuitBreaker"]);
    expect![[r#"
        ROLLBACK_FAILED {"status":"TRIGGERED","failureCount":3,"threshold":3}
        SUCCESSFUL {"status":"MONITORING_COMPLETE","failureCount":0,"threshold":3}"#]]
    .assert_eq(&described.as_array().unwrap().iter().map(told).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_the_breaker_counted_is_told_also_after_the_way_back() {
    let mut plane = plane();
    create(
        &mut plane,
        json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": true, "rollback": true } } }),
    );
    live(&mut plane, obedient);
    define(&mut plane);
    plane.ok("UpdateService", json!({ "service": "web", "taskDefinition": "web:2" }));
    live(&mut plane, broken(2));
    let arn = describe(&mut plane)["currentServiceDeployment"].clone();
    let change =
        plane.ok("DescribeServiceDeployments", json!({ "serviceDeploymentArns": [arn] }))["serviceDeployments"][0].take();
    assert_eq!(change["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(change["deploymentCircuitBreaker"], json!({ "status": "TRIGGERED", "failureCount": 3, "threshold": 3 }));
}

/// Every image resolves to what the tag stands for at the moment.
fn resolved(digest: &'static str) -> impl Fn(&TaskSpec) -> Option<TaskStatus> {
    move |spec| {
        let mut status = obedient(spec)?;
        let said = spec.containers[0].image.split_once('@').map_or(digest, |(_, pinned)| pinned).to_owned();
        status.containers.iter_mut().for_each(|container| container.image_digest = Some(said.clone()));
        Some(status)
    }
}

fn images(plane: &mut Plane) -> Vec<String> {
    let specs = plane.sent.values().flat_map(|assign| &assign.tasks);
    let running = specs.filter(|spec| spec.desired == workload::Desired::Running);
    let mut images: Vec<String> = running.map(|spec| spec.containers[0].image.clone()).collect();
    images.sort();
    images
}

#[test]
fn later_tasks_of_a_deployment_run_the_image_of_its_first_one() {
    let mut plane = plane();
    create(&mut plane, json!({ "desiredCount": 1 }));
    live(&mut plane, resolved("sha256:one"));
    plane.ok("UpdateService", json!({ "service": "web", "desiredCount": 2 }));
    live(&mut plane, resolved("sha256:two"));
    assert_eq!(images(&mut plane), ["b", "b@sha256:one"]);
    let revision = describe(&mut plane)["currentServiceRevisions"][0]["arn"].clone();
    let revisions = plane.ok("DescribeServiceRevisions", json!({ "serviceRevisionArns": [revision] }));
    assert_eq!(
        revisions["serviceRevisions"][0]["containerImages"],
        json!([{ "containerName": "a", "image": "b", "imageDigest": "sha256:one" }])
    );
    plane.ok("UpdateService", json!({ "service": "web", "forceNewDeployment": true }));
    live(&mut plane, resolved("sha256:two"));
    assert_eq!(images(&mut plane), ["b", "b"]);
}

/// Found by the simulator: its agent had come back before anybody saw that it was away, and so nothing seemed to be new.
#[test]
fn an_instance_that_is_registered_again_is_a_place_for_who_waits_for_one() {
    let mut plane = plane();
    for node in ["n1", "n2"] {
        deregister(&mut plane, node);
    }
    create(&mut plane, json!({ "desiredCount": 1 }));
    plane.pass(Duration::from_secs(1));
    assert_eq!(describe(&mut plane)["pendingCount"], 0);
    plane.join(facts("n1"));
    plane.pass(Duration::from_secs(1));
    assert_eq!(describe(&mut plane)["pendingCount"], 1);
}

fn deregister(plane: &mut Plane, node: &str) {
    let instances = plane.core.image().by::<ContainerInstance>("node", node);
    let ids: Vec<String> = instances.map(|instance| instance.id.clone()).collect();
    for id in ids {
        plane.ok("DeregisterContainerInstance", json!({ "containerInstance": id, "force": true }));
    }
}

#[test]
fn scale_in_of_a_packed_service_frees_the_instance_that_has_most_left() {
    for (busy, kept) in [("n1", "n1"), ("n2", "n2")] {
        let mut plane = plane();
        let packed = json!([{ "type": "binpack", "field": "memory" }]);
        let apart = json!([{ "type": "distinctInstance" }]);
        create(&mut plane, json!({ "desiredCount": 2, "placementStrategy": packed, "placementConstraints": apart }));
        let there = json!([{ "type": "memberOf", "expression": format!("ec2InstanceId == {busy}") }]);
        plane.ok("RunTask", json!({ "taskDefinition": "web", "placementConstraints": there }));
        plane.ok("UpdateService", json!({ "service": "web", "desiredCount": 1 }));
        live(&mut plane, obedient);
        let image = plane.core.image();
        let left = image.by::<Task>("service", format!("{}/default/web", scope())).filter(|task| !task.is_stopped());
        assert_eq!(left.filter_map(|task| task.node.as_deref()).collect::<Vec<_>>(), [kept]);
    }
}

#[test]
fn tasks_go_to_a_zone_that_comes_late() {
    let mut plane = plane();
    create(&mut plane, json!({ "desiredCount": 3, "availabilityZoneRebalancing": "ENABLED" }));
    live(&mut plane, obedient);
    plane.join(workload::NodeFacts { availability_zone: "us-east-1b".into(), ..facts("n3") });
    for _ in 0..4 {
        plane.report("n3", obedient);
        live(&mut plane, obedient);
    }
    let tasks = plane.ok("ListTasks", json!({ "serviceName": "web", "desiredStatus": "RUNNING" }))["taskArns"].clone();
    let tasks = plane.ok("DescribeTasks", json!({ "tasks": tasks }))["tasks"].clone();
    let mut zones: Vec<&str> = tasks.as_array().unwrap().iter().map(|task| task["availabilityZone"].as_str().unwrap()).collect();
    zones.sort_unstable();
    assert_eq!(zones, ["us-east-1a", "us-east-1a", "us-east-1b"]);
    let said = events(&mut plane);
    expect![[r#"
        (service web) has reached a steady state.
        (service web) is AZ balanced with 2 tasks in us-east-1a, 1 tasks in us-east-1b.
        (service web) has stopped 1 running tasks: (task …)
        (service web) has started 1 tasks in us-east-1b to AZ Rebalance: (task …)
        (service web) is not AZ balanced with 3 tasks in us-east-1a, 0 tasks in us-east-1b. AZ Rebalancing in progress."#]]
    .assert_eq(&said[..5].join("\n"));
}

#[test]
fn daemons_on_a_draining_instance_do_not_wait_for_each_other() {
    let mut plane = plane();
    for name in ["a", "b"] {
        let daemon = json!({ "serviceName": name, "taskDefinition": "web", "schedulingStrategy": "DAEMON" });
        plane.ok("CreateService", daemon);
    }
    live(&mut plane, obedient);
    let drained = plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"][0].clone();
    let on_it = |plane: &mut Plane| plane.ok("ListTasks", json!({ "containerInstance": drained }))["taskArns"].clone();
    assert_eq!(on_it(&mut plane).as_array().map(Vec::len), Some(2));
    plane.ok("UpdateContainerInstancesState", json!({ "containerInstances": [drained], "status": "DRAINING" }));
    live(&mut plane, obedient);
    assert_eq!(on_it(&mut plane), json!([]));
}
