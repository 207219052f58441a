use crate::testing::{Plane, obedient};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::time::Duration;

fn check(answer: &Value, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(answer).unwrap());
}

fn containers() -> Value {
    json!([{"name": "app", "image": "nginx", "memory": 128}])
}

fn register(plane: &mut Plane, family: &str) -> Value {
    plane.ok("RegisterTaskDefinition", json!({"family": family, "containerDefinitions": containers()}))
}

fn listed(plane: &mut Plane, body: Value) -> String {
    let answer = plane.ok("ListTaskDefinitions", body);
    let arns = answer["taskDefinitionArns"].as_array().expect("a list").clone();
    let names = arns.iter().map(|arn| arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_registered_definition_has_every_default() {
    let answer = register(&mut Plane::new(), "web");
    check(
        &answer,
        expect![[r#"
        {
          "taskDefinition": {
            "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
            "containerDefinitions": [
              {
                "name": "app",
                "image": "nginx",
                "cpu": 0,
                "memory": 128,
                "portMappings": [],
                "essential": true,
                "environment": [],
                "mountPoints": [],
                "volumesFrom": [],
                "systemControls": []
              }
            ],
            "family": "web",
            "networkMode": "bridge",
            "revision": 1,
            "volumes": [],
            "status": "ACTIVE",
            "requiresAttributes": [],
            "placementConstraints": [],
            "compatibilities": [
              "EXTERNAL",
              "EC2"
            ],
            "registeredAt": 1700000000,
            "registeredBy": ""
          },
          "tags": []
        }"#]],
    );
}

#[test]
fn awsvpc_ports_and_sizes_are_filled_in() {
    let answer = Plane::new().ok("RegisterTaskDefinition", json!({
        "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": ".25 vCPU", "memory": "0.5GB",
        "executionRoleArn": "arn:aws:iam::123456789012:role/r", "tags": [{"key": "a", "value": "b"}],
        "containerDefinitions": [{
            "name": "app", "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1", "portMappings": [{"containerPort": 80}],
            "secrets": [{"name": "S", "valueFrom": "/s"}], "healthCheck": {"command": ["CMD-SHELL", "true"], "startPeriod": 5},
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"}},
        }],
    }));
    let definition = &answer["taskDefinition"];
    let attributes = definition["requiresAttributes"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
    let attributes: Vec<&str> = attributes.collect();
    let container = &definition["containerDefinitions"][0];
    let told = json!([
        definition["cpu"],
        definition["memory"],
        definition["compatibilities"],
        container["portMappings"],
        container["healthCheck"],
        answer["tags"],
        attributes,
    ]);
    check(
        &told,
        expect![[r#"
        [
          "256",
          "512",
          [
            "EC2",
            "MANAGED_INSTANCES",
            "FARGATE"
          ],
          [
            {
              "containerPort": 80,
              "hostPort": 80,
              "protocol": "tcp"
            }
          ],
          {
            "command": [
              "CMD-SHELL",
              "true"
            ],
            "interval": 30,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 5
          },
          [
            {
              "key": "a",
              "value": "b"
            }
          ],
          [
            "com.amazonaws.ecs.capability.docker-remote-api.1.18",
            "com.amazonaws.ecs.capability.docker-remote-api.1.19",
            "com.amazonaws.ecs.capability.docker-remote-api.1.29",
            "com.amazonaws.ecs.capability.ecr-auth",
            "com.amazonaws.ecs.capability.logging-driver.awslogs",
            "ecs.capability.container-health-check",
            "ecs.capability.execution-role-awslogs",
            "ecs.capability.execution-role-ecr-pull",
            "ecs.capability.secrets.ssm.environment-variables",
            "ecs.capability.task-eni"
          ]
        ]"#]],
    );
}

#[test]
fn a_revision_is_never_used_again() {
    let mut plane = Plane::new();
    register(&mut plane, "web");
    plane.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"}));
    plane.ok("DeleteTaskDefinitions", json!({"taskDefinitions": ["web:1"]}));
    assert_eq!(
        plane.refused("DescribeTaskDefinition", json!({"taskDefinition": "web:1"})),
        "ClientException: Unable to describe task definition."
    );
    assert_eq!(register(&mut plane, "web")["taskDefinition"]["revision"], 2);
}

#[test]
fn a_family_means_its_latest_active_revision() {
    let mut plane = Plane::new();
    (0..3).for_each(|_| _ = register(&mut plane, "web"));
    plane.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web:3"}));
    let mut described = |given: &str| {
        let answer = plane.ok("DescribeTaskDefinition", json!({"taskDefinition": given}));
        (answer["taskDefinition"]["revision"].clone(), answer["taskDefinition"]["status"].clone())
    };
    assert_eq!(described("web"), (json!(2), json!("ACTIVE")));
    assert_eq!(described("web:3"), (json!(3), json!("INACTIVE")));
    assert_eq!(described("arn:aws:ecs:us-east-1:123456789012:task-definition/web:1"), (json!(1), json!("ACTIVE")));
    for (operation, given, expected) in [
        ("DescribeTaskDefinition", "db", "ClientException: Unable to describe task definition."),
        ("DeregisterTaskDefinition", "web", "ClientException: Revision is missing."),
        ("DeregisterTaskDefinition", "web:9", "ClientException: Unable to describe task definition."),
        ("DeregisterTaskDefinition", "web:x", "InvalidParameterException: Invalid revision number. Number: x"),
    ] {
        assert_eq!(plane.refused(operation, json!({"taskDefinition": given})), expected);
    }
}

#[test]
fn tags_are_described_when_asked_for() {
    let mut plane = Plane::new();
    plane.ok(
        "RegisterTaskDefinition",
        json!({"family": "web", "containerDefinitions": containers(), "tags": [{"key": "a", "value": "b"}]}),
    );
    let mut tags = |body: Value| plane.ok("DescribeTaskDefinition", body)["tags"].clone();
    assert_eq!(tags(json!({"taskDefinition": "web"})), json!([]));
    assert_eq!(tags(json!({"taskDefinition": "web", "include": ["TAGS"]})), json!([{"key": "a", "value": "b"}]));
}

#[test]
fn revisions_are_listed_in_order_and_in_pages() {
    let mut plane = Plane::new();
    for family in ["web", "web-a", "db", "web", "web"] {
        register(&mut plane, family);
    }
    plane.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web:2"}));
    assert_eq!(listed(&mut plane, json!({})), "db:1 web:1 web:3 web-a:1");
    assert_eq!(listed(&mut plane, json!({"sort": "DESC"})), "web-a:1 web:3 web:1 db:1");
    assert_eq!(listed(&mut plane, json!({"familyPrefix": "web"})), "web:1 web:3");
    assert_eq!(listed(&mut plane, json!({"status": "INACTIVE"})), "web:2");
    for sort in ["ASC", "DESC"] {
        let (mut paged, mut token) = (Vec::new(), Value::Null);
        loop {
            let answer = plane.ok("ListTaskDefinitions", json!({"sort": sort, "maxResults": 3, "nextToken": token}));
            paged.extend(answer["taskDefinitionArns"].as_array().unwrap().clone());
            token = answer["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(json!(paged), plane.ok("ListTaskDefinitions", json!({"sort": sort}))["taskDefinitionArns"], "{sort}");
    }
}

#[test]
fn a_family_is_active_while_a_revision_is() {
    let mut plane = Plane::new();
    for family in ["web", "web-a", "db"] {
        register(&mut plane, family);
    }
    plane.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web-a:1"}));
    let mut families = |body: Value| plane.ok("ListTaskDefinitionFamilies", body)["families"].clone();
    assert_eq!(families(json!({})), json!(["db", "web", "web-a"]));
    assert_eq!(families(json!({"familyPrefix": "we", "status": "ACTIVE"})), json!(["web"]));
    assert_eq!(families(json!({"status": "INACTIVE"})), json!(["web-a"]));
}

#[test]
fn only_what_is_not_active_is_deleted() {
    let mut plane = Plane::new();
    register(&mut plane, "web");
    let answer = plane.ok("DeleteTaskDefinitions", json!({"taskDefinitions": ["web:1", "web", "web:7"]}));
    check(
        &answer,
        expect![[r#"
        {
          "taskDefinitions": [],
          "failures": [
            {
              "arn": "web:1",
              "reason": "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
            },
            {
              "arn": "web",
              "reason": "The specified task definition identifier is invalid. Specify a valid name or ARN and try again."
            },
            {
              "arn": "web:7",
              "reason": "The specified task definition does not exist. Specify a valid account, family, revision and try again."
            }
          ]
        }"#]],
    );
    assert_eq!(
        plane.refused("DeleteTaskDefinitions", json!({"taskDefinitions": []})),
        "InvalidParameterException: size of TaskDefinition references list must be greater than 0"
    );
}

#[test]
fn what_a_task_names_is_deleted_after_the_task() {
    let mut plane = Plane::with_node();
    register(&mut plane, "web");
    plane.ok("RunTask", json!({"taskDefinition": "web"}));
    plane.report("n1", obedient);
    plane.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"}));
    let answer = plane.ok("DeleteTaskDefinitions", json!({"taskDefinitions": ["web:1"]}));
    assert_eq!(answer["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
    let status = |plane: &mut Plane| {
        plane
            .call("DescribeTaskDefinition", json!({"taskDefinition": "web:1"}))
            .map(|answer| answer["taskDefinition"]["status"].clone())
    };
    assert_eq!(status(&mut plane), Ok(json!("DELETE_IN_PROGRESS")));
    let task = plane.ok("ListTasks", json!({}))["taskArns"][0].clone();
    plane.ok("StopTask", json!({"task": task}));
    plane.report("n1", obedient);
    assert_eq!(status(&mut plane), Ok(json!("DELETE_IN_PROGRESS")), "a stopped task is still described");
    plane.pass(Duration::from_secs(2 * 3600));
    assert!(status(&mut plane).is_err(), "nothing names it any more");
}
