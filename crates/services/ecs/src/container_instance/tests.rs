use crate::testing::{Plane, facts, obedient};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn check(answer: &Value, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(answer).unwrap());
}

/// Two nodes in `default`, with a task on one of them.
fn plane() -> Plane {
    let mut plane = Plane::with_node();
    plane.join(facts("n2"));
    plane.define("web", json!({"containerDefinitions": [
        {"name": "app", "image": "i", "memory": 100, "cpu": 256, "portMappings": [{"containerPort": 80, "hostPort": 8080, "protocol": "tcp"}]},
    ]}));
    plane
}

fn id(plane: &mut Plane, node: &str) -> String {
    let filter = format!("ec2InstanceId == {node}");
    let answer = plane.ok("ListContainerInstances", json!({"filter": filter}));
    answer["containerInstanceArns"][0].as_str().expect("there is one").to_owned()
}

fn described(plane: &mut Plane, given: &str) -> Value {
    plane.ok("DescribeContainerInstances", json!({"containerInstances": [given]}))["containerInstances"][0].clone()
}

#[test]
fn an_instance_says_what_it_has_and_what_is_left() {
    let mut plane = plane();
    let arn = id(&mut plane, "n1");
    plane.ok("StartTask", json!({"taskDefinition": "web", "containerInstances": [arn]}));
    plane.report("n1", obedient);
    let mut answer = plane
        .ok("DescribeContainerInstances", json!({"containerInstances": [arn], "include": ["TAGS", "CONTAINER_INSTANCE_HEALTH"]}));
    let instance = &mut answer["containerInstances"][0];
    instance["containerInstanceArn"] = json!(instance["containerInstanceArn"].as_str().unwrap().rsplit_once('/').unwrap().0);
    check(
        &answer,
        expect![[r#"
        {
          "containerInstances": [
            {
              "containerInstanceArn": "arn:aws:ecs:us-east-1:123456789012:container-instance/default",
              "ec2InstanceId": "n1",
              "version": 2,
              "versionInfo": {
                "agentVersion": "1.2.3",
                "dockerVersion": ""
              },
              "remainingResources": [
                {
                  "name": "CPU",
                  "type": "INTEGER",
                  "doubleValue": 0.0,
                  "longValue": 0,
                  "integerValue": 1792
                },
                {
                  "name": "MEMORY",
                  "type": "INTEGER",
                  "doubleValue": 0.0,
                  "longValue": 0,
                  "integerValue": 3996
                },
                {
                  "name": "PORTS",
                  "type": "STRINGSET",
                  "doubleValue": 0.0,
                  "longValue": 0,
                  "integerValue": 0,
                  "stringSetValue": [
                    "22",
                    "8080"
                  ]
                },
                {
                  "name": "PORTS_UDP",
                  "type": "STRINGSET",
                  "doubleValue": 0.0,
                  "longValue": 0,
                  "integerValue": 0,
                  "stringSetValue": []
                }
              ],
              "registeredResources": [
                {
                  "name": "CPU",
                  "type": "INTEGER",
                  "doubleValue": 0.0,
                  "longValue": 0,
                  "integerValue": 2048
                },
                {
                  "name": "MEMORY",
                  "type": "INTEGER",
                  "doubleValue": 0.0,
                  "longValue": 0,
                  "integerValue": 4096
                },
                {
                  "name": "PORTS",
                  "type": "STRINGSET",
                  "doubleValue": 0.0,
                  "longValue": 0,
                  "integerValue": 0,
                  "stringSetValue": [
                    "22"
                  ]
                },
                {
                  "name": "PORTS_UDP",
                  "type": "STRINGSET",
                  "doubleValue": 0.0,
                  "longValue": 0,
                  "integerValue": 0,
                  "stringSetValue": []
                }
              ],
              "status": "ACTIVE",
              "agentConnected": true,
              "runningTasksCount": 1,
              "pendingTasksCount": 0,
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
              "registeredAt": 1700000000,
              "attachments": [],
              "tags": [],
              "healthStatus": {
                "overallStatus": "OK",
                "details": [
                  {
                    "type": "AGENT_CONNECTIVITY",
                    "status": "OK"
                  }
                ]
              }
            }
          ],
          "failures": []
        }"#]],
    );
}

#[test]
fn what_is_not_there_is_missing() {
    let mut plane = plane();
    let answer = plane.ok("DescribeContainerInstances", json!({"containerInstances": ["0f3a"]}));
    check(
        &answer,
        expect![[r#"
        {
          "containerInstances": [],
          "failures": [
            {
              "arn": "arn:aws:ecs:us-east-1:123456789012:container-instance/default/0f3a",
              "reason": "MISSING"
            }
          ]
        }"#]],
    );
    assert_eq!(
        plane.refused("DescribeContainerInstances", json!({"containerInstances": []})),
        "ClientException: Container Instances cannot be empty."
    );
}

#[test]
fn instances_are_listed_by_state_and_by_expression() {
    let mut plane = plane();
    let (first, second) = (id(&mut plane, "n1"), id(&mut plane, "n2"));
    plane.ok("UpdateContainerInstancesState", json!({"containerInstances": [first], "status": "DRAINING"}));
    plane.ok("PutAttributes", json!({"attributes": [{"name": "rack", "value": "r2", "targetId": second}]}));
    let mut listed = |body: Value| plane.ok("ListContainerInstances", body)["containerInstanceArns"].clone();
    assert_eq!(listed(json!({"status": "DRAINING"})), json!([first]));
    assert_eq!(listed(json!({"status": "ACTIVE"})), json!([second]));
    assert_eq!(listed(json!({"filter": "attribute:rack == r2"})), json!([second]));
    assert_eq!(listed(json!({})).as_array().unwrap().len(), 2);
    let refused = plane.refused("ListContainerInstances", json!({"filter": "rack"}));
    assert!(refused.starts_with("InvalidParameterException: Invalid filter: "), "{refused}");
}

#[test]
fn draining_is_told_and_taken_back() {
    let mut plane = plane();
    let arn = id(&mut plane, "n1");
    let version = described(&mut plane, &arn)["version"].as_i64().unwrap();
    for (status, step) in [("DRAINING", 1), ("DRAINING", 1), ("ACTIVE", 2)] {
        let answer = plane.ok("UpdateContainerInstancesState", json!({"containerInstances": [arn], "status": status}));
        assert_eq!((&answer["containerInstances"][0]["status"], &answer["failures"]), (&json!(status), &json!([])));
        assert_eq!(described(&mut plane, &arn)["version"], version + step);
    }
    let refused = plane.refused("UpdateContainerInstancesState", json!({"containerInstances": [arn], "status": "REGISTERING"}));
    assert_eq!(refused, "InvalidParameterException: Container instance status should be one of [ACTIVE, DRAINING]");
}

#[test]
fn a_busy_instance_is_deregistered_by_force_only() {
    let mut plane = plane();
    let arn = id(&mut plane, "n1");
    plane.ok("StartTask", json!({"taskDefinition": "web", "containerInstances": [arn]}));
    let refused = plane.refused("DeregisterContainerInstance", json!({"containerInstance": arn}));
    assert_eq!(refused, "InvalidParameterException: Found running tasks on the instance.");
    let answer = plane.ok("DeregisterContainerInstance", json!({"containerInstance": arn, "force": true}));
    assert_eq!(answer["containerInstance"]["status"], "INACTIVE");
    plane.report("n1", obedient);
    let tasks = plane.ok("ListTasks", json!({}))["taskArns"].clone();
    assert_eq!(plane.ok("DescribeTasks", json!({"tasks": tasks}))["tasks"][0]["lastStatus"], "RUNNING");
}

#[test]
fn there_is_never_another_agent() {
    let mut plane = plane();
    let arn = id(&mut plane, "n1");
    let refused = plane.refused("UpdateContainerAgent", json!({"containerInstance": arn}));
    assert_eq!(refused, "NoUpdateAvailableException: There is no update available for agent version 1.2.3.");
}

#[test]
fn attributes_are_written_found_and_deleted() {
    let mut plane = plane();
    let (first, second) = (id(&mut plane, "n1"), id(&mut plane, "n2"));
    plane.ok("PutAttributes", json!({"attributes": [
        {"name": "env", "value": "prod"}, {"name": "rack", "value": "r1", "targetId": first}, {"name": "bare", "targetId": second, "targetType": "container-instance"},
    ]}));
    let mut listed = |body: Value| {
        let answer = plane.ok("ListAttributes", body);
        let names = answer["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| format!("{}={}", one["name"].as_str().unwrap(), one["value"]));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names.join(" ")
    };
    let all = json!({"targetType": "container-instance"});
    assert_eq!(
        listed(all.clone()).split(' ').filter(|one| !one.starts_with("ecs.")).collect::<Vec<_>>(),
        [r#"bare=null"#, r#"env="prod""#, r#"env="prod""#, r#"rack="r1""#]
    );
    assert_eq!(listed(json!({"targetType": "container-instance", "attributeName": "rack"})), r#"rack="r1""#);
    assert_eq!(listed(json!({"targetType": "container-instance", "attributeName": "env", "attributeValue": "dev"})), "");
    plane.ok("DeleteAttributes", json!({"attributes": [{"name": "env"}, {"name": "rack", "value": "other", "targetId": first}]}));
    let attributes = described(&mut plane, &first)["attributes"].clone();
    let named = |name: &str| attributes.as_array().unwrap().iter().any(|one| one["name"] == name);
    assert!(named("rack") && !named("env"), "{attributes}");
}

#[test]
fn attributes_have_rules() {
    let mut plane = plane();
    let many: Vec<Value> = (0..10).map(|n| json!({"name": format!("a{n}")})).collect();
    plane.ok("PutAttributes", json!({"attributes": many}));
    let mut put = |attributes: Value| plane.refused("PutAttributes", json!({"attributes": attributes}));
    let told = [
        put(json!([])),
        put(json!([{"name": "a b"}])),
        put(json!([{"name": "ecs.os-type", "value": "other"}])),
        put(json!([{"name": "a", "value": " b"}])),
        put(json!([{"name": "a", "targetId": "0f3a"}])),
        put(json!([{"name": "one-more"}])),
    ];
    check(
        &json!(told),
        expect![[r#"
        [
          "InvalidParameterException: attributes can not be empty",
          "InvalidParameterException: The attribute name a b is invalid.",
          "InvalidParameterException: The attribute name ecs.os-type is reserved.",
          "InvalidParameterException: The value of the attribute a is invalid.",
          "TargetNotFoundException: Could not find 0f3a",
          "AttributeLimitExceededException: An instance can have at most 10 custom attributes."
        ]"#]],
    );
}
