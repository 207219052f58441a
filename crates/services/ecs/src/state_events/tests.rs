use super::*;
use crate::testing::{Plane, facts, scope, status};
use api_ecs::DeploymentRolloutState;
use base::Rng;
use base::limits::{STATE_EVENT_RETENTION_SECONDS, STATE_EVENTS};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::time::Duration;
use workload::{Address, TaskPhase};

fn call(plane: &Plane) -> Call {
    Call::internal(plane.now, Rng::from_seed(1))
}

fn of(scope: &Scope) -> Of<'_> {
    Of { scope, cluster: "default", service_arn: "arn:aws:ecs:us-east-1:123456789012:service/default/web".into() }
}

/// `detail-type: detail`, its ARNs short.
fn check(tell: impl FnOnce(&mut Call, &mut Tx, Of<'_>) + Send + 'static, expected: Expect) {
    let mut plane = Plane::new();
    let mut call = call(&plane);
    plane.write(move |tx| tell(&mut call, tx, of(&scope())));
    let event = after(plane.core.image(), 0).next().unwrap();
    let told = format!("{}: {}", event.kind.as_str(), event.detail);
    expected.assert_eq(&told.replace("arn:aws:ecs:us-east-1:123456789012:", "~").replace(",\"", ",\n \""));
}

#[test]
fn an_event_is_delivered_in_the_envelope_of_eventbridge() {
    let mut plane = Plane::new();
    plane.now = base::Time(1_700_000_000_999);
    tell_many(&mut plane, 1);
    let event = after(plane.core.image(), 0).next().unwrap();
    expect![[r#"
        {
          "version": "0",
          "id": "f9681a64-d330-4861-b0f4-d125cc0d694a",
          "detail-type": "ECS Service Action",
          "source": "aws.ecs",
          "account": "123456789012",
          "time": "2023-11-14T22:13:20Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:ecs:us-east-1:123456789012:service/default/web"
          ],
          "detail": {
            "eventType": "INFO",
            "eventName": "SERVICE_STEADY_STATE",
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
            "createdAt": "2023-11-14T22:13:20.999Z"
          }
        }
    "#]]
    .assert_eq(&format!("{:#}\n", serde_json::to_value(envelope(event)).unwrap()));
}

#[test]
fn an_event_that_an_older_server_kept_as_text_is_the_event_it_was() {
    let older = json!({"sequence": 1, "detail": r#"{"a":{"b":"\"c\""}}"#});
    assert_eq!(Event::migrate(1, older), json!({"sequence": 1, "detail": {"a": {"b": "\"c\""}}}));
}

#[test]
fn a_service_tells_what_it_does() {
    let steady = |call: &mut Call, tx: &mut Tx, of: Of<'_>| {
        service_action(call, tx, of, Action::SteadyState, &ServiceAction::default());
    };
    check(
        steady,
        expect![[r#"
        ECS Service Action: {"eventType":"INFO",
         "eventName":"SERVICE_STEADY_STATE",
         "clusterArn":"~cluster/default",
         "createdAt":"2023-11-14T22:13:20.000Z"}"#]],
    );
    let more = ServiceAction {
        reason: Some("RESOURCE:CPU".into()),
        capacity_provider_arns: vec!["arn:aws:ecs:us-east-1:123456789012:capacity-provider/cp".into()],
        container_instance_arns: vec!["arn:aws:ecs:us-east-1:123456789012:container-instance/default/1".into()],
    };
    check(
        move |call, tx, of| service_action(call, tx, of, Action::TaskPlacementFailure, &more),
        expect![[r#"
        ECS Service Action: {"eventType":"ERROR",
         "eventName":"SERVICE_TASK_PLACEMENT_FAILURE",
         "capacityProviderArns":["~capacity-provider/cp"],
         "clusterArn":"~cluster/default",
         "containerInstanceArns":["~container-instance/default/1"],
         "reason":"RESOURCE:CPU",
         "createdAt":"2023-11-14T22:13:20.000Z"}"#]],
    );
}

#[test]
fn a_deployment_tells_how_it_goes_and_why() {
    let told = |state: DeploymentRolloutState, reason: &'static str| {
        move |call: &mut Call, tx: &mut Tx, of: Of<'_>| deployment_state_change(call, tx, of, "ecs-svc/123", &state, reason)
    };
    check(
        told(DeploymentRolloutState::InProgress, "ECS deployment ecs-svc/123 in progress."),
        expect![[r#"
        ECS Deployment State Change: {"eventType":"INFO",
         "eventName":"SERVICE_DEPLOYMENT_IN_PROGRESS",
         "deploymentId":"ecs-svc/123",
         "updatedAt":"2023-11-14T22:13:20.000Z",
         "reason":"ECS deployment ecs-svc/123 in progress."}"#]],
    );
    check(
        told(DeploymentRolloutState::Completed, "ECS deployment ecs-svc/123 completed."),
        expect![[r#"
        ECS Deployment State Change: {"eventType":"INFO",
         "eventName":"SERVICE_DEPLOYMENT_COMPLETED",
         "deploymentId":"ecs-svc/123",
         "updatedAt":"2023-11-14T22:13:20.000Z",
         "reason":"ECS deployment ecs-svc/123 completed."}"#]],
    );
    let broken = "ECS deployment circuit breaker: task failed to start.";
    check(
        told(DeploymentRolloutState::Failed, broken),
        expect![[r#"
        ECS Deployment State Change: {"eventType":"ERROR",
         "eventName":"SERVICE_DEPLOYMENT_FAILED",
         "deploymentId":"ecs-svc/123",
         "updatedAt":"2023-11-14T22:13:20.000Z",
         "reason":"ECS deployment circuit breaker: task failed to start."}"#]],
    );
}

fn tell_many(plane: &mut Plane, count: usize) {
    let mut call = call(plane);
    plane.write(move |tx| {
        for _ in 0..count {
            service_action(&mut call, tx, of(&scope()), Action::SteadyState, &ServiceAction::default());
        }
    });
}

/// The first and the last number, and how many there are.
fn kept(plane: &Plane) -> (u64, u64, usize) {
    let image = plane.core.image();
    (image.scan::<Event>().next().unwrap().sequence, newest(image), image.len::<Event>())
}

#[test]
fn numbers_follow_each_other_over_commits_and_restarts() {
    let mut plane = Plane::new();
    tell_many(&mut plane, 3);
    plane.restart();
    tell_many(&mut plane, 2);
    let numbers: Vec<u64> = after(plane.core.image(), 2).map(|event| event.sequence).collect();
    assert_eq!(numbers, [3, 4, 5]);
}

#[test]
fn only_so_many_events_are_kept() {
    let mut plane = Plane::new();
    tell_many(&mut plane, STATE_EVENTS);
    assert_eq!(kept(&plane), (1, STATE_EVENTS as u64, STATE_EVENTS));
    tell_many(&mut plane, 7);
    assert_eq!(kept(&plane), (8, STATE_EVENTS as u64 + 7, STATE_EVENTS));
}

#[test]
fn events_go_by_their_age_but_the_newest_stays() {
    let mut plane = Plane::new();
    let day = Duration::from_secs(STATE_EVENT_RETENTION_SECONDS);
    tell_many(&mut plane, 3);
    plane.pass(day / 2);
    tell_many(&mut plane, 2);
    plane.pass(day / 2 - Duration::from_millis(1));
    assert_eq!(kept(&plane), (1, 5, 5));
    assert_eq!(plane.core.next_wake(), Some(plane.now + Duration::from_millis(1)));
    plane.pass(Duration::from_millis(1));
    assert_eq!(kept(&plane), (4, 5, 2));
    plane.pass(day);
    assert_eq!(kept(&plane), (5, 5, 1));
    assert_eq!(plane.core.next_wake(), None);
    tell_many(&mut plane, 1);
    assert_eq!(kept(&plane), (6, 6, 1));
}

/// Details told since, of one kind.
fn details(plane: &Plane, kind: Kind, since: u64) -> Vec<Value> {
    let events = after(plane.core.image(), since).filter(|event| event.kind == kind);
    events.map(|event| serde_json::from_str(event.detail.get()).unwrap()).collect()
}

fn run(plane: &mut Plane, input: Value) -> String {
    let ran = plane.ok("RunTask", input);
    ran["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
}

#[test]
fn a_task_is_told_as_the_documentation_shows_it() {
    let mut plane = Plane::with_node();
    let container = json!([{ "name": "app", "image": "busybox", "cpu": 256, "memory": 512 }]);
    plane.define(
        "job",
        json!({ "networkMode": "awsvpc", "cpu": "256", "memory": "512", "containerDefinitions": container,
        "requiresCompatibilities": ["FARGATE"], "compatibilities": ["EC2", "FARGATE"] }),
    );
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
    run(&mut plane, json!({ "taskDefinition": "job", "launchType": "FARGATE", "networkConfiguration": network }));
    plane.pass(Duration::from_millis(1500));
    plane.report("n1", |spec| {
        let address = Address { ipv4: "10.0.0.139".into(), mac: "0a:98:eb:a7:29:ba".into(), ..Address::default() };
        let mut said = status(spec, TaskPhase::Running);
        said.address = Some(address);
        said.containers[0].health = workload::Health::Healthy;
        Some(said)
    });
    let told = details(&plane, Kind::Task, 0).pop().unwrap();
    let ids = ["containerArn", "taskArn"].map(|member| told["containers"][0][member].as_str().unwrap().to_owned());
    let attachment = told["attachments"][0]["id"].as_str().unwrap().to_owned();
    let text = serde_json::to_string_pretty(&told).unwrap();
    let text = text.replace(&ids[0], "CONTAINER").replace(&ids[1], "TASK").replace(&attachment, "ATTACHMENT");
    expect![[r#"
        {
          "attachments": [
            {
              "id": "ATTACHMENT",
              "type": "eni",
              "status": "ATTACHED",
              "details": [
                {
                  "name": "subnetId",
                  "value": "subnet-1"
                },
                {
                  "name": "networkInterfaceId",
                  "value": "eni-06c996e5945704a5a"
                },
                {
                  "name": "macAddress",
                  "value": "0a:98:eb:a7:29:ba"
                },
                {
                  "name": "privateDnsName",
                  "value": "ip-10-0-0-139.ec2.internal"
                },
                {
                  "name": "privateIPv4Address",
                  "value": "10.0.0.139"
                }
              ]
            }
          ],
          "attributes": [
            {
              "name": "ecs.cpu-architecture",
              "value": "x86_64"
            }
          ],
          "availabilityZone": "us-east-1a",
          "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
          "connectivity": "CONNECTED",
          "containers": [
            {
              "containerArn": "CONTAINER",
              "taskArn": "TASK",
              "name": "app",
              "image": "busybox",
              "lastStatus": "RUNNING",
              "networkBindings": [],
              "networkInterfaces": [
                {
                  "attachmentId": "ATTACHMENT",
                  "privateIpv4Address": "10.0.0.139"
                }
              ],
              "cpu": "256",
              "memory": "512"
            }
          ],
          "cpu": "256",
          "desiredStatus": "RUNNING",
          "enableExecuteCommand": false,
          "group": "family:job",
          "lastStatus": "RUNNING",
          "launchType": "FARGATE",
          "memory": "512",
          "overrides": {
            "containerOverrides": [
              {
                "name": "app"
              }
            ]
          },
          "platformVersion": "1.4.0",
          "platformFamily": "Linux",
          "taskArn": "TASK",
          "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/job:1",
          "version": 2,
          "ephemeralStorage": {
            "sizeInGiB": 20
          },
          "connectivityAt": "2023-11-14T22:13:21.500Z",
          "createdAt": "2023-11-14T22:13:20.000Z",
          "startedAt": "2023-11-14T22:13:21.500Z",
          "updatedAt": "2023-11-14T22:13:21.500Z"
        }
    "#]]
    .assert_eq(&format!("{text}\n"));
}

#[test]
fn the_version_of_the_newest_event_is_what_describe_tasks_says() {
    let mut plane = Plane::with_node();
    plane.define("job", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64 }] }));
    let arn = run(&mut plane, json!({ "taskDefinition": "job" }));
    let mut story = Vec::new();
    for phase in [TaskPhase::Pending, TaskPhase::Activating, TaskPhase::Running, TaskPhase::Stopping, TaskPhase::Stopped] {
        plane.report("n1", |spec| Some(status(spec, phase)));
        let described = plane.ok("DescribeTasks", json!({ "tasks": [arn] }))["tasks"][0].clone();
        let told = details(&plane, Kind::Task, 0).pop().unwrap();
        let members = ["version", "lastStatus", "desiredStatus", "taskArn", "stopCode"];
        members.iter().for_each(|member| assert_eq!(told[member], described[member], "{member}"));
        story.push(format!("{} {}", told["version"], told["lastStatus"].as_str().unwrap()));
    }
    assert_eq!(story, ["2 PENDING", "3 ACTIVATING", "4 RUNNING", "5 STOPPING", "6 STOPPED"]);
}

#[test]
fn health_and_tags_are_told_by_no_event() {
    let mut plane = Plane::with_node();
    plane.define("job", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64 }] }));
    let tags = json!([{ "key": "k", "value": "v" }]);
    run(&mut plane, json!({ "taskDefinition": "job", "tags": tags }));
    let told = details(&plane, Kind::Task, 0).pop().unwrap();
    assert_eq!(["healthStatus", "tags"].map(|member| told.get(member)), [None, None]);
    assert_eq!(told["containers"][0].get("healthStatus"), None);
}

#[test]
fn an_instance_is_told_as_the_documentation_shows_it() {
    let plane = Plane::with_node();
    let told = details(&plane, Kind::ContainerInstance, 0).pop().unwrap();
    let arn = told["containerInstanceArn"].as_str().unwrap().to_owned();
    let text = serde_json::to_string_pretty(&told).unwrap().replace(&arn, "INSTANCE");
    expect![[r#"
        {
          "agentConnected": true,
          "attributes": [
            {
              "name": "ecs.availability-zone",
              "value": "us-east-1a"
            },
            {
              "name": "ecs.cpu-architecture",
              "value": "x86_64"
            }
          ],
          "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
          "containerInstanceArn": "INSTANCE",
          "ec2InstanceId": "n1",
          "registeredResources": [
            {
              "name": "CPU",
              "type": "INTEGER",
              "integerValue": 2048
            },
            {
              "name": "MEMORY",
              "type": "INTEGER",
              "integerValue": 4096
            },
            {
              "name": "PORTS",
              "type": "STRINGSET",
              "stringSetValue": [
                "22"
              ]
            },
            {
              "name": "PORTS_UDP",
              "type": "STRINGSET",
              "stringSetValue": []
            }
          ],
          "remainingResources": [
            {
              "name": "CPU",
              "type": "INTEGER",
              "integerValue": 2048
            },
            {
              "name": "MEMORY",
              "type": "INTEGER",
              "integerValue": 4096
            },
            {
              "name": "PORTS",
              "type": "STRINGSET",
              "stringSetValue": [
                "22"
              ]
            },
            {
              "name": "PORTS_UDP",
              "type": "STRINGSET",
              "stringSetValue": []
            }
          ],
          "status": "ACTIVE",
          "versionInfo": {
            "agentVersion": "1.2.3",
            "dockerVersion": ""
          },
          "version": 1,
          "updatedAt": "2023-11-14T22:13:20.000Z"
        }
    "#]]
    .assert_eq(&format!("{text}\n"));
}

/// `version status connected CPU left` of what was told of instances.
fn of_instances(plane: &Plane, since: u64) -> Vec<String> {
    let line = |told: Value| {
        let (version, status, connected) = (&told["version"], told["status"].as_str().unwrap(), &told["agentConnected"]);
        format!("v{version} {status} {connected} {}", told["remainingResources"][0]["integerValue"])
    };
    details(plane, Kind::ContainerInstance, since).into_iter().map(line).collect()
}

#[test]
fn an_instance_tells_of_every_change_once_a_commit() {
    let mut plane = Plane::with_node();
    plane.define("job", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "cpu": 100, "memory": 64 }] }));
    plane.join(facts("n1"));
    plane.ok("RunTask", json!({ "taskDefinition": "job", "count": 3 }));
    plane.report("n1", |spec| Some(status(spec, TaskPhase::Running)));
    plane.leave("n1");
    plane.leave("n1");
    plane.join(facts("n1"));
    plane.report("n1", |spec| Some(status(spec, TaskPhase::Stopped)));
    let instance = plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"][0].clone();
    for status in ["DRAINING", "DRAINING", "ACTIVE"] {
        let input = json!({ "containerInstances": [instance], "status": status });
        let answer = plane.ok("UpdateContainerInstancesState", input)["containerInstances"][0].clone();
        let told = details(&plane, Kind::ContainerInstance, 0).pop().unwrap();
        assert_eq!(answer["version"], told["version"]);
    }
    let attribute = |name: &str| json!({ "name": name, "value": "1", "targetId": instance });
    plane.ok("PutAttributes", json!({ "attributes": [attribute("a"), attribute("b")] }));
    plane.ok("PutAttributes", json!({ "attributes": [attribute("a")] }));
    plane.restart();
    plane.join(facts("n1"));
    plane.ok("DeregisterContainerInstance", json!({ "containerInstance": instance }));
    expect![[r#"
        v1 ACTIVE true 2048
        v2 ACTIVE true 1748
        v3 ACTIVE false 1748
        v4 ACTIVE true 1748
        v5 ACTIVE true 2048
        v6 DRAINING true 2048
        v7 ACTIVE true 2048
        v8 ACTIVE true 2048
        v9 ACTIVE true 2048
        v10 ACTIVE false 2048
        v11 ACTIVE true 2048
        v12 INACTIVE true 2048
    "#]]
    .assert_eq(&(of_instances(&plane, 0).join("\n") + "\n"));
}
