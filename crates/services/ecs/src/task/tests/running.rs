//! RunTask and StartTask: what is answered, what is refused.

use crate::testing::{Plane, facts};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn web() -> Value {
    json!({
        "networkMode": "bridge", "compatibilities": ["EC2"],
        "containerDefinitions": [{
            "name": "web", "image": "nginx", "cpu": 256, "memory": 512, "essential": true,
            "portMappings": [{ "containerPort": 80, "hostPort": 8080, "protocol": "tcp" }],
        }]
    })
}

fn small() -> Value {
    json!({ "networkMode": "bridge", "compatibilities": ["EC2"],
            "containerDefinitions": [{ "name": "a", "image": "busybox", "cpu": 512, "memory": 512 }] })
}

fn fargate() -> Value {
    json!({ "networkMode": "awsvpc", "cpu": "256", "memory": "512", "compatibilities": ["EC2", "FARGATE"],
            "containerDefinitions": [{ "name": "app", "image": "app" }] })
}

fn network() -> Value {
    json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"], "securityGroups": ["sg-1"] } })
}

fn plane() -> Plane {
    let mut plane = Plane::with_node();
    plane.define("web", web());
    plane.define("small", small());
    plane.define("fargate", fargate());
    plane
}

fn refused(body: Value, expected: Expect) {
    expected.assert_eq(&plane().refused("RunTask", body));
}

/// `reason` of every failure, and how many tasks there are.
fn placed(answer: &Value) -> String {
    let failures: Vec<&str> = answer["failures"].as_array().unwrap().iter().filter_map(|f| f["reason"].as_str()).collect();
    format!("{} {}", answer["tasks"].as_array().unwrap().len(), failures.join(","))
}

#[test]
fn a_task_is_answered_with_every_member() {
    let answer = plane().ok("RunTask", json!({ "taskDefinition": "web", "startedBy": "me" }));
    expect![[r#"
        {
          "tasks": [
            {
              "attachments": [],
              "attributes": [
                {
                  "name": "ecs.cpu-architecture",
                  "value": "x86_64"
                }
              ],
              "availabilityZone": "us-east-1a",
              "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
              "containerInstanceArn": "arn:aws:ecs:us-east-1:123456789012:container-instance/default/f4744c6cdb612a5db9c82293734d7da7",
              "containers": [
                {
                  "containerArn": "arn:aws:ecs:us-east-1:123456789012:container/default/018bcfe568000a712ba1da10b55d9262/8a86b27b-d186-4fc1-a99d-1f46af5ab2e8",
                  "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/default/018bcfe568000a712ba1da10b55d9262",
                  "name": "web",
                  "image": "nginx",
                  "lastStatus": "PENDING",
                  "networkBindings": [],
                  "networkInterfaces": [],
                  "healthStatus": "UNKNOWN",
                  "cpu": "256",
                  "memory": "512"
                }
              ],
              "cpu": "256",
              "createdAt": 1700000000,
              "desiredStatus": "RUNNING",
              "enableExecuteCommand": false,
              "group": "family:web",
              "healthStatus": "UNKNOWN",
              "lastStatus": "PENDING",
              "launchType": "EC2",
              "memory": "512",
              "overrides": {
                "containerOverrides": [
                  {
                    "name": "web"
                  }
                ],
                "inferenceAcceleratorOverrides": []
              },
              "startedBy": "me",
              "tags": [],
              "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/default/018bcfe568000a712ba1da10b55d9262",
              "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
              "version": 1
            }
          ],
          "failures": []
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&answer).unwrap());
}

#[test]
fn a_fargate_task_has_an_interface_and_a_platform() {
    let body = json!({ "taskDefinition": "fargate", "launchType": "FARGATE", "networkConfiguration": network() });
    let task = &plane().ok("RunTask", body)["tasks"][0];
    let members = ["lastStatus", "launchType", "platformVersion", "platformFamily", "cpu", "memory", "ephemeralStorage"];
    let shown: Vec<String> = members.iter().map(|member| task[member].to_string()).collect();
    expect![[r#""PROVISIONING" "FARGATE" "1.4.0" "Linux" "256" "512" {"sizeInGiB":20}"#]].assert_eq(&shown.join(" "));
    assert_eq!((&task["attachments"][0]["status"], &task["containerInstanceArn"]), (&json!("PRECREATED"), &Value::Null));
}

#[test]
fn what_aws_refuses_is_refused_in_its_words() {
    refused(json!({ "taskDefinition": "web", "cluster": "other" }), expect!["ClusterNotFoundException: Cluster not found."]);
    refused(json!({ "taskDefinition": "nothing" }), expect!["ClientException: TaskDefinition not found."]);
    refused(
        json!({ "taskDefinition": "web", "count": 11 }),
        expect!["InvalidParameterException: count must be between 1 and 10."],
    );
    refused(
        json!({ "taskDefinition": "web", "count": 0 }),
        expect!["InvalidParameterException: count must be between 1 and 10."],
    );
    refused(
        json!({ "taskDefinition": "web", "launchType": "FARGATE" }),
        expect!["InvalidParameterException: Task definition does not support launch_type FARGATE."],
    );
    refused(
        json!({ "taskDefinition": "web", "networkConfiguration": network() }),
        expect![
            "InvalidParameterException: Network Configuration is not valid for the given networkMode of this task definition."
        ],
    );
    refused(
        json!({ "taskDefinition": "fargate", "launchType": "FARGATE" }),
        expect!["InvalidParameterException: Network Configuration must be provided when networkMode 'awsvpc' is specified."],
    );
    refused(
        json!({ "taskDefinition": "web", "platformVersion": "1.4.0" }),
        expect!["InvalidParameterException: The platform version must be null when specifying an EC2 launch type."],
    );
    refused(
        json!({ "taskDefinition": "web", "group": "service:x" }),
        expect!["InvalidParameterException: Invalid namespace for group."],
    );
    refused(
        json!({ "taskDefinition": "web", "overrides": { "containerOverrides": [{ "name": "db" }] } }),
        expect!["InvalidParameterException: Override for container named db is not a container in the TaskDefinition."],
    );
    refused(
        json!({ "taskDefinition": "web", "overrides": { "cpu": "much" } }),
        expect!["ClientException: Invalid 'cpu' setting for task."],
    );
    refused(
        json!({ "taskDefinition": "web", "propagateTags": "SERVICE" }),
        expect!["InvalidParameterException: Tags can be propagated from a service to the tasks of that service only."],
    );
    refused(
        json!({ "taskDefinition": "web", "clientToken": "a b" }),
        expect!["InvalidParameterException: clientToken must be 1 to 64 ASCII characters in the range of 33-126."],
    );
    refused(
        json!({ "taskDefinition": "web", "placementStrategy": [{ "type": "binpack", "field": "disk" }] }),
        expect!["InvalidParameterException: binpack field 'disk' is invalid."],
    );
    refused(
        json!({ "taskDefinition": "web", "placementConstraints": [{ "type": "memberOf", "expression": "x == 1" }] }),
        expect!["InvalidParameterException: Invalid expression: x is not a subject."],
    );
    refused(
        json!({ "taskDefinition": "web", "launchType": "EC2", "capacityProviderStrategy": [{ "capacityProvider": "FARGATE" }] }),
        expect![
            "InvalidParameterException: Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        ],
    );
    refused(
        json!({ "taskDefinition": "web", "capacityProviderStrategy": [{ "capacityProvider": "FARGATE", "weight": 1 }] }),
        expect![
            "InvalidParameterException: The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster and try again."
        ],
    );
}

#[test]
fn an_unknown_platform_is_refused() {
    let body = json!({ "taskDefinition": "fargate", "launchType": "FARGATE", "networkConfiguration": network(),
                       "platformVersion": "9.9.9" });
    refused(body, expect!["PlatformUnknownException: The specified platform version does not exist."]);
}

#[test]
fn a_cluster_without_instances_is_an_error() {
    let mut plane = Plane::new();
    plane.define("web", web());
    plane.write(|tx| crate::cluster::ensure(tx, &crate::testing::scope(), "default"));
    let refused = plane.refused("RunTask", json!({ "taskDefinition": "web" }));
    assert_eq!(refused, "InvalidParameterException: No Container Instances were found in your cluster.");
}

#[test]
fn what_does_not_fit_is_a_failure_with_its_reason() {
    let run = |body: Value| placed(&plane().ok("RunTask", body));
    for gpu in [json!({ "type": "GPU", "value": "1" }), json!({ "type": "GPU", "value": "ALL" })] {
        let gpu = json!({ "containerOverrides": [{ "name": "a", "resourceRequirements": [gpu] }] });
        assert_eq!(run(json!({ "taskDefinition": "small", "overrides": gpu })), "0 RESOURCE:GPU");
    }
    assert_eq!(run(json!({ "taskDefinition": "web", "count": 2 })), "1 RESOURCE:PORTS");
    assert_eq!(run(json!({ "taskDefinition": "small", "count": 6 })), "4 RESOURCE:CPU");
    let memory = json!({ "containerOverrides": [{ "name": "a", "memory": 3000 }] });
    assert_eq!(run(json!({ "taskDefinition": "small", "count": 2, "overrides": memory })), "1 RESOURCE:MEMORY");
    let distinct = json!([{ "type": "distinctInstance" }]);
    let body = json!({ "taskDefinition": "small", "count": 2, "placementConstraints": distinct });
    assert_eq!(run(body), "1 DistinctInstance placement constraint unsatisfied.");
    let member = json!([{ "type": "memberOf", "expression": "attribute:ecs.cpu-architecture == arm64" }]);
    let body = json!({ "taskDefinition": "small", "placementConstraints": member });
    assert_eq!(run(body), "0 MemberOf placement constraint unsatisfied.");
}

#[test]
fn fargate_without_room_says_so_once_a_task() {
    let body = json!({ "taskDefinition": "fargate", "launchType": "FARGATE", "networkConfiguration": network(), "count": 10 });
    let capacity = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
    assert_eq!(placed(&plane().ok("RunTask", body)), format!("8 {capacity},{capacity}"));
}

#[test]
fn a_disconnected_agent_is_given_nothing() {
    let mut plane = plane();
    plane.leave("n1");
    assert_eq!(placed(&plane.ok("RunTask", json!({ "taskDefinition": "small" }))), "0 AGENT");
}

#[test]
fn a_missing_attribute_is_a_failure() {
    let mut plane = plane();
    let mut windows = small();
    windows["runtimePlatform"] = json!({ "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "X86_64" });
    plane.define("windows", windows);
    assert_eq!(placed(&plane.ok("RunTask", json!({ "taskDefinition": "windows" }))), "0 ATTRIBUTE");
    let mut definition = small();
    definition["requiresAttributes"] = json!([{ "name": "com.amazonaws.ecs.capability.logging-driver.gelf" }]);
    plane.define("gelf", definition);
    assert_eq!(placed(&plane.ok("RunTask", json!({ "taskDefinition": "gelf" }))), "0 ATTRIBUTE");
}

#[test]
fn tags_of_the_definition_yield_to_the_requests() {
    let body = json!({ "taskDefinition": "small", "propagateTags": "TASK_DEFINITION", "enableECSManagedTags": true,
                       "tags": [{ "key": "a", "value": "1" }] });
    let tags = plane().ok("RunTask", body)["tasks"][0]["tags"].to_string();
    expect![[r#"[{"key":"of","value":"definition"},{"key":"a","value":"1"},{"key":"aws:ecs:clusterName","value":"default"}]"#]]
        .assert_eq(&tags);
}

#[test]
fn a_token_makes_a_request_once() {
    let mut plane = plane();
    let body = json!({ "taskDefinition": "small", "clientToken": "t", "count": 2 });
    let first = plane.ok("RunTask", body.clone());
    assert_eq!(plane.ok("RunTask", body.clone()), first);
    let arns: Vec<&str> = first["tasks"].as_array().unwrap().iter().filter_map(|task| task["taskArn"].as_str()).collect();
    let other = plane.refused("RunTask", json!({ "taskDefinition": "small", "clientToken": "t", "count": 1 }));
    expect!["ConflictException: The client token was already used in a request with different parameters."].assert_eq(&other);
    assert_eq!(plane.ok("ListTasks", json!({}))["taskArns"], json!(arns.iter().collect::<std::collections::BTreeSet<_>>()));
    plane.pass(std::time::Duration::from_secs(24 * 3600));
    assert_eq!(placed(&plane.ok("RunTask", body)), "2 ");
    assert_eq!(plane.ok("ListTasks", json!({}))["taskArns"].as_array().unwrap().len(), 4);
}

#[test]
fn start_task_goes_where_it_is_told() {
    let mut plane = plane();
    plane.join(facts("n2"));
    let ids: Vec<String> = {
        let image = plane.core.image();
        image.scan::<crate::container_instance::ContainerInstance>().map(|instance| instance.id.clone()).collect()
    };
    let missing = "0123456789abcdef0123456789abcdef";
    let body = json!({ "taskDefinition": "web", "containerInstances": [ids[0], ids[1], ids[0], missing] });
    let answer = plane.ok("StartTask", body);
    assert_eq!(placed(&answer), "2 RESOURCE:PORTS,MISSING");
    let on: Vec<bool> = (0..2).map(|i| answer["tasks"][i]["containerInstanceArn"].as_str().unwrap().ends_with(&ids[i])).collect();
    assert_eq!(on, [true, true]);
}
