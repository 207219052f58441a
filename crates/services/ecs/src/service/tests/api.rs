use crate::testing::{Plane, obedient};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::time::Duration;

fn check(answer: &Value, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(answer).unwrap());
}

/// With the definitions `web` (bridge) and `net` (awsvpc, for Fargate too).
fn plane() -> Plane {
    let mut plane = Plane::with_node();
    let ports = json!([{"containerPort": 80, "name": "http"}]);
    let containers = json!([{"name": "app", "image": "i", "memory": 8, "cpu": 8, "essential": true, "portMappings": ports}]);
    plane.define("web", json!({"containerDefinitions": containers}));
    plane.define(
        "net",
        json!({"containerDefinitions": containers, "networkMode": "awsvpc", "cpu": "256", "memory": "512", "compatibilities": ["EC2", "FARGATE"]}),
    );
    plane
}

fn web() -> Value {
    json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2})
}

fn with(mut body: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("members of an object") };
    body.as_object_mut().unwrap().extend(members);
    body
}

fn described(plane: &mut Plane) -> Value {
    plane.ok("DescribeServices", json!({"services": ["web"], "include": ["TAGS"]}))["services"][0].take()
}

fn deployments(plane: &mut Plane) -> Vec<String> {
    let rows = plane.ok("ListServiceDeployments", json!({"service": "web"}));
    let rows = rows["serviceDeployments"].as_array().unwrap().clone();
    rows.iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_new_service_has_every_member() {
    let service = plane().ok("CreateService", web())["service"].take();
    check(
        &service,
        expect![[r#"
        {
          "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/default/web",
          "serviceName": "web",
          "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
          "loadBalancers": [],
          "serviceRegistries": [],
          "status": "ACTIVE",
          "desiredCount": 2,
          "runningCount": 0,
          "pendingCount": 0,
          "launchType": "EC2",
          "taskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
          "deploymentConfiguration": {
            "deploymentCircuitBreaker": {
              "enable": false,
              "rollback": false,
              "resetOnHealthyTask": true,
              "thresholdConfiguration": {
                "type": "BOUNDED_PERCENT",
                "value": 50
              }
            },
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0
          },
          "deployments": [
            {
              "id": "ecs-svc/7105434459971771377",
              "status": "PRIMARY",
              "taskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
              "desiredCount": 2,
              "pendingCount": 0,
              "runningCount": 0,
              "failedTasks": 0,
              "createdAt": 1700000000,
              "updatedAt": 1700000000,
              "launchType": "EC2",
              "rolloutState": "IN_PROGRESS",
              "rolloutStateReason": "ECS deployment ecs-svc/7105434459971771377 in progress."
            }
          ],
          "events": [],
          "createdAt": 1700000000,
          "currentServiceDeployment": "arn:aws:ecs:us-east-1:123456789012:service-deployment/default/web/-KoPzgbHJUiR4sXLAm3zZ",
          "currentServiceRevisions": [
            {
              "arn": "arn:aws:ecs:us-east-1:123456789012:service-revision/default/web/6899340699498109438",
              "requestedTaskCount": 2,
              "runningTaskCount": 0,
              "pendingTaskCount": 0
            }
          ],
          "placementConstraints": [],
          "placementStrategy": [],
          "healthCheckGracePeriodSeconds": 0,
          "schedulingStrategy": "REPLICA",
          "deploymentController": {
            "type": "ECS"
          },
          "tags": [],
          "createdBy": "",
          "enableECSManagedTags": false,
          "propagateTags": "NONE",
          "enableExecuteCommand": false,
          "availabilityZoneRebalancing": "ENABLED",
          "resourceManagementType": "CUSTOMER"
        }"#]],
    );
}

#[test]
fn a_service_on_fargate_has_a_platform() {
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}});
    let body = with(web(), json!({"taskDefinition": "net", "launchType": "FARGATE", "networkConfiguration": network}));
    let service = plane().ok("CreateService", body)["service"].take();
    let of = |members: &Value| json!([members["launchType"], members["platformVersion"], members["platformFamily"]]);
    check(
        &json!([of(&service), of(&service["deployments"][0]), service["networkConfiguration"], service["roleArn"]]),
        expect![[r#"
            [
              [
                "FARGATE",
                "LATEST",
                "Linux"
              ],
              [
                "FARGATE",
                "1.4.0",
                "Linux"
              ],
              {
                "awsvpcConfiguration": {
                  "subnets": [
                    "subnet-1"
                  ],
                  "securityGroups": [
                    "sg-1"
                  ],
                  "assignPublicIp": "DISABLED"
                }
              },
              "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
            ]"#]],
    );
}

#[test]
fn what_a_service_cannot_be_is_refused_in_awss_words() {
    let daemon =
        |members: Value| with(json!({"serviceName": "web", "taskDefinition": "web", "schedulingStrategy": "DAEMON"}), members);
    let percents = |minimum: i32, maximum: i32| {
        with(web(), json!({"deploymentConfiguration": {"minimumHealthyPercent": minimum, "maximumPercent": maximum}}))
    };
    let cases = [
        with(web(), json!({"serviceName": "a b"})),
        with(web(), json!({"cluster": "none"})),
        with(web(), json!({"taskDefinition": ""})),
        with(web(), json!({"taskDefinition": "none"})),
        with(web(), json!({"clientToken": "x".repeat(37)})),
        with(web(), json!({"clientToken": "a b"})),
        with(web(), json!({"deploymentConfiguration": {"bakeTimeInMinutes": -1}})),
        json!({"serviceName": "web", "taskDefinition": "web"}),
        with(web(), json!({"desiredCount": -1})),
        with(web(), json!({"desiredCount": 5001})),
        with(
            web(),
            json!({"desiredCount": 1001, "serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:us-east-1:123456789012:service/a"}]}),
        ),
        with(web(), json!({"taskDefinition": "net"})),
        with(web(), json!({"launchType": "FARGATE"})),
        with(web(), json!({"platformVersion": "1.4.0"})),
        with(web(), json!({"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]})),
        with(web(), json!({"placementStrategy": [{"type": "spread", "field": "x"}]})),
        with(web(), json!({"tags": [{"key": "aws:x", "value": ""}]})),
        with(web(), json!({"deploymentController": {"type": "EXTERNAL"}})),
        with(web(), json!({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}})),
        percents(100, 100),
        percents(101, 200),
        percents(0, 99),
        with(percents(50, 100), json!({"availabilityZoneRebalancing": "ENABLED"})),
        daemon(json!({"desiredCount": 0})),
        daemon(json!({"launchType": "FARGATE"})),
        daemon(json!({"placementStrategy": [{"type": "random"}]})),
        daemon(json!({"deploymentConfiguration": {"maximumPercent": 200}})),
    ];
    let mut plane = plane();
    let said: Vec<String> = cases.into_iter().map(|body| plane.refused("CreateService", body)).collect();
    check(
        &json!(said),
        expect![[r#"
            [
              "InvalidParameterException: Invalid service name.",
              "ClusterNotFoundException: Cluster not found.",
              "InvalidParameterException: TaskDefinition can not be blank.",
              "ClientException: TaskDefinition not found.",
              "InvalidParameterException: idempotency token longer than 36.",
              "InvalidParameterException: clientToken must be ASCII characters in the range of 33-126.",
              "InvalidParameterException: bakeTimeInMinutes must be between 0 and 1440.",
              "InvalidParameterException: DesiredCount is missing",
              "InvalidParameterException: DesiredCount can not be lesser than 0",
              "InvalidParameterException: DesiredCount can not be greater than 5000",
              "InvalidParameterException: DesiredCount can not be greater than 1000",
              "InvalidParameterException: Network Configuration must be provided when networkMode 'awsvpc' is specified.",
              "InvalidParameterException: Task definition does not support launch_type FARGATE.",
              "InvalidParameterException: The platform version must be null when specifying an EC2 launch type.",
              "InvalidParameterException: Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
              "InvalidParameterException: spread field 'x' is invalid.",
              "InvalidParameterException: The prefix aws: is reserved for AWS use. Tag keys and values cannot start with it.",
              "UnsupportedFeatureException: Deployments by EXTERNAL controllers are not supported by this server yet.",
              "UnsupportedFeatureException: Deployment strategies other than ROLLING are not supported by this server yet.",
              "InvalidParameterException: Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
              "InvalidParameterException: minimumHealthyPercent must be at most 100",
              "InvalidParameterException: maximumPercent must be at least 100",
              "InvalidParameterException: Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment configuration.",
              "InvalidParameterException: The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again",
              "InvalidParameterException: The daemon scheduling strategy does not support the FARGATE launch type. Change the launch type and try again",
              "InvalidParameterException: The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again",
              "InvalidParameterException: The daemon scheduling strategy does not support values above 100 for maximumPercent."
            ]"#]],
    );
}

#[test]
fn a_name_is_taken_until_its_service_is_gone() {
    let mut plane = plane();
    let token = with(web(), json!({"clientToken": "t"}));
    let first = plane.ok("CreateService", token.clone());
    let mut again = plane.ok("CreateService", token.clone());
    again["service"]["events"] = first["service"]["events"].clone();
    assert_eq!(first["service"]["serviceArn"], again["service"]["serviceArn"]);
    let taken = "InvalidParameterException: Creation of service was not idempotent.";
    assert_eq!(plane.refused("CreateService", web()), taken);
    assert_eq!(plane.refused("CreateService", with(token, json!({"desiredCount": 3}))), taken);
}

#[test]
fn only_some_changes_start_a_deployment() {
    let ports = json!([{"containerPort": 80, "name": "http"}]);
    let containers = json!([{"name": "app", "image": "i", "memory": 8, "portMappings": ports}]);
    let fresh = || {
        let mut plane = plane();
        plane.define("web", json!({"containerDefinitions": containers}));
        plane.ok("CreateService", with(web(), json!({"taskDefinition": "web:1"})));
        plane
    };
    let balancer = json!([{"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/b", "containerName": "app", "containerPort": 80}]);
    let registry = json!([{"registryArn": "arn:aws:servicediscovery:us-east-1:123456789012:service/a", "containerName": "app", "containerPort": 80}]);
    let cases = [
        (json!({}), false),
        (json!({"taskDefinition": "web:1"}), false),
        (json!({"taskDefinition": "web"}), true),
        (json!({"forceNewDeployment": true}), true),
        (json!({"loadBalancers": balancer}), true),
        (json!({"loadBalancers": []}), false),
        (json!({"serviceRegistries": registry}), true),
        (json!({"serviceConnectConfiguration": {"enabled": true, "namespace": "n"}}), true),
        (json!({"serviceConnectConfiguration": {"enabled": false}}), false),
        (json!({"desiredCount": 5}), false),
        (json!({"deploymentConfiguration": {"maximumPercent": 150}}), false),
        (json!({"availabilityZoneRebalancing": "DISABLED"}), false),
        (json!({"placementConstraints": [{"type": "distinctInstance"}]}), false),
        (json!({"placementStrategy": [{"type": "random"}], "availabilityZoneRebalancing": "DISABLED"}), false),
        (json!({"healthCheckGracePeriodSeconds": 9}), false),
        (json!({"enableExecuteCommand": true}), false),
        (json!({"enableECSManagedTags": true}), false),
        (json!({"propagateTags": "SERVICE"}), false),
    ];
    for (members, deploys) in cases {
        let mut plane = fresh();
        plane.ok("UpdateService", with(json!({"service": "web"}), members.clone()));
        assert_eq!(deployments(&mut plane).len(), 1 + usize::from(deploys), "{members}");
    }
}

#[test]
fn an_update_changes_what_it_says_and_leaves_the_rest() {
    let mut plane = plane();
    plane.ok("CreateService", with(web(), json!({"deploymentConfiguration": {"minimumHealthyPercent": 50}})));
    let update = json!({
        "service": "web", "desiredCount": 3, "propagateTags": "SERVICE",
        "deploymentConfiguration": {"maximumPercent": 150, "deploymentCircuitBreaker": {"enable": true, "rollback": true}},
    });
    let service = plane.ok("UpdateService", update)["service"].take();
    let configuration = &service["deploymentConfiguration"];
    check(
        &json!([service["desiredCount"], service["propagateTags"], service["placementStrategy"], configuration]),
        expect![[r#"
            [
              3,
              "SERVICE",
              [],
              {
                "deploymentCircuitBreaker": {
                  "enable": true,
                  "rollback": true,
                  "resetOnHealthyTask": true,
                  "thresholdConfiguration": {
                    "type": "BOUNDED_PERCENT",
                    "value": 50
                  }
                },
                "maximumPercent": 150,
                "minimumHealthyPercent": 50,
                "strategy": "ROLLING",
                "bakeTimeInMinutes": 0
              }
            ]"#]],
    );
}

#[test]
fn what_cannot_be_updated_is_refused() {
    let mut plane = plane();
    plane.ok("CreateService", web());
    let daemon = json!({"serviceName": "all", "taskDefinition": "web", "schedulingStrategy": "DAEMON"});
    plane.ok("CreateService", daemon);
    plane.ok(
        "PutClusterCapacityProviders",
        json!({"cluster": "default", "capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []}),
    );
    let cases = [
        json!({"service": "none"}),
        json!({"service": "web", "cluster": "none"}),
        json!({"service": "arn:aws:ecs:us-east-1:123456789012:service/other/web"}),
        json!({"service": "web", "desiredCount": -1}),
        json!({"service": "all", "desiredCount": 1}),
        json!({"service": "web", "taskDefinition": "none"}),
        json!({"service": "web", "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}),
        json!({"service": "web", "deploymentController": {"type": "CODE_DEPLOY"}}),
    ];
    let mut said: Vec<String> = cases.into_iter().map(|body| plane.refused("UpdateService", body)).collect();
    plane.ok("DeleteService", json!({"service": "web", "force": true}));
    said.push(plane.refused("UpdateService", json!({"service": "web", "desiredCount": 1})));
    check(
        &json!(said),
        expect![[r#"
        [
          "ServiceNotFoundException: Service not found.",
          "ClusterNotFoundException: Cluster not found.",
          "InvalidParameterException: Invalid identifier: Identifier is for cluster other. Your cluster is default",
          "InvalidParameterException: DesiredCount can not be lesser than 0",
          "InvalidParameterException: The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again",
          "ClientException: TaskDefinition not found.",
          "InvalidParameterException: When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.",
          "UnsupportedFeatureException: Deployments by CODE_DEPLOY are not supported by this server yet.",
          "ServiceNotActiveException: Service was not ACTIVE."
        ]"#]],
    );
}

#[test]
fn a_service_with_tasks_wanted_is_deleted_by_force_only() {
    let mut plane = plane();
    plane.ok("CreateService", web());
    assert_eq!(
        plane.refused("DeleteService", json!({"service": "web"})),
        "InvalidParameterException: The service cannot be stopped while it is scaled above 0."
    );
    assert_eq!(plane.refused("DeleteService", json!({"service": "none"})), "ServiceNotFoundException: Service not found.");
    let deleted = plane.ok("DeleteService", json!({"service": "web", "force": true}))["service"].take();
    assert_eq!([&deleted["status"], &deleted["desiredCount"]], [&json!("DRAINING"), &json!(0)]);
    assert_eq!(plane.ok("ListServices", json!({}))["serviceArns"], json!([]));
}

#[test]
fn a_deployment_in_the_way_of_another_is_stopped() {
    let mut plane = plane();
    plane.ok("CreateService", web());
    plane.pass(Duration::from_millis(1));
    plane.ok("UpdateService", json!({"service": "web", "forceNewDeployment": true}));
    assert_eq!(deployments(&mut plane), ["IN_PROGRESS", "STOPPED"]);
}

#[test]
fn a_rollback_in_the_way_of_a_deployment_has_failed() {
    let mut plane = plane();
    plane.ok("CreateService", with(web(), json!({"desiredCount": 1})));
    plane.report("n1", obedient);
    plane.pass(Duration::from_secs(60));
    assert_eq!(deployments(&mut plane), ["SUCCESSFUL"]);
    plane.ok("UpdateService", json!({"service": "web", "forceNewDeployment": true}));
    plane.pass(Duration::from_secs(1));
    let arn = described(&mut plane)["currentServiceDeployment"].clone();
    plane.ok("StopServiceDeployment", json!({"serviceDeploymentArn": arn}));
    assert_eq!(deployments(&mut plane), ["ROLLBACK_IN_PROGRESS", "SUCCESSFUL"]);
    plane.ok("UpdateService", json!({"service": "web", "forceNewDeployment": true}));
    assert_eq!(deployments(&mut plane), ["IN_PROGRESS", "ROLLBACK_FAILED", "SUCCESSFUL"]);
}

#[test]
fn services_are_listed_by_what_they_are() {
    let mut plane = plane();
    let named = |name: &str, members: Value| with(with(web(), json!({"serviceName": name})), members);
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
    plane.ok(
        "CreateService",
        named("a", json!({"launchType": "FARGATE", "taskDefinition": "net", "networkConfiguration": network})),
    );
    plane.ok("CreateService", named("b", json!({"serviceConnectConfiguration": {"enabled": true, "namespace": "n"}})));
    plane.ok("CreateService", json!({"serviceName": "c", "taskDefinition": "web", "schedulingStrategy": "DAEMON"}));
    let mut listed = |body: Value| {
        let arns = plane.ok("ListServices", body)["serviceArns"].take();
        let names = arns.as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned());
        names.collect::<String>()
    };
    assert_eq!(listed(json!({})), "abc");
    assert_eq!(listed(json!({"launchType": "FARGATE"})), "a");
    assert_eq!(listed(json!({"schedulingStrategy": "DAEMON"})), "c");
    assert_eq!(listed(json!({"schedulingStrategy": "REPLICA", "launchType": "EC2"})), "b");
    assert_eq!(listed(json!({"maxResults": 2})), "ab");
    let of_namespace = plane.ok("ListServicesByNamespace", json!({"namespace": "n"}));
    assert_eq!(of_namespace["serviceArns"], json!(["arn:aws:ecs:us-east-1:123456789012:service/default/b"]));
}

#[test]
fn what_is_described_is_told_of_or_missing() {
    let mut plane = plane();
    plane.ok("CreateService", with(web(), json!({"tags": [{"key": "a", "value": "b"}]})));
    let answer = plane.ok("DescribeServices", json!({"services": ["web", "none"]}));
    assert_eq!(answer["services"][0]["tags"], Value::Null);
    assert_eq!(
        answer["failures"],
        json!([{"arn": "arn:aws:ecs:us-east-1:123456789012:service/default/none", "reason": "MISSING"}])
    );
    assert_eq!(described(&mut plane)["tags"], json!([{"key": "a", "value": "b"}]));
    let arn = described(&mut plane)["serviceArn"].clone();
    plane.ok("TagResource", json!({"resourceArn": arn, "tags": [{"key": "c", "value": "d"}]}));
    assert_eq!(plane.ok("ListTagsForResource", json!({"resourceArn": arn}))["tags"][1]["key"], "c");
    assert_eq!(
        plane.refused("DescribeServices", json!({"services": []})),
        "InvalidParameterException: Services cannot be empty."
    );
}

#[test]
fn a_cluster_counts_its_services_and_keeps_them() {
    let mut plane = plane();
    plane.ok("CreateCluster", json!({"clusterName": "other"}));
    plane.ok("CreateService", with(web(), json!({"cluster": "other", "desiredCount": 0})));
    let cluster = plane.ok("DescribeClusters", json!({"clusters": ["other"], "include": ["STATISTICS"]}))["clusters"][0].take();
    assert_eq!([&cluster["activeServicesCount"], &cluster["statistics"][6]["value"]], [&json!(1), &json!("1")]);
    assert_eq!(
        plane.refused("DeleteCluster", json!({"cluster": "other"})),
        "ClusterContainsServicesException: The Cluster cannot be deleted while Services are active."
    );
}

#[test]
fn a_definition_is_kept_while_a_service_has_it() {
    let mut plane = plane();
    plane.ok("CreateService", with(web(), json!({"desiredCount": 0})));
    plane.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"}));
    plane.ok("DeleteTaskDefinitions", json!({"taskDefinitions": ["web:1"]}));
    let status = plane.ok("DescribeTaskDefinition", json!({"taskDefinition": "web:1"}))["taskDefinition"]["status"].take();
    assert_eq!(status, "DELETE_IN_PROGRESS");
    // It may still be scaled.
    plane.ok("UpdateService", json!({"service": "web", "desiredCount": 1}));
}

#[test]
fn deployments_and_revisions_are_described() {
    let mut plane = plane();
    plane.ok("CreateService", with(web(), json!({"desiredCount": 0})));
    let service = described(&mut plane);
    let arn = &service["currentServiceDeployment"];
    let deployment =
        plane.ok("DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}))["serviceDeployments"][0].take();
    assert_eq!(deployment["targetServiceRevision"], with(service["currentServiceRevisions"][0].clone(), json!({})));
    assert_eq!(deployment["deploymentConfiguration"]["maximumPercent"], 200);
    assert_eq!(deployment["deploymentCircuitBreaker"], json!({"status": "DISABLED", "failureCount": 0, "threshold": 3}));
    let revision = &deployment["targetServiceRevision"]["arn"];
    let revision = plane.ok("DescribeServiceRevisions", json!({"serviceRevisionArns": [revision]}))["serviceRevisions"][0].take();
    assert_eq!([&revision["taskDefinition"], &revision["launchType"]], [&service["taskDefinition"], &json!("EC2")]);
    let by_arn = plane.ok("ListServiceDeployments", json!({"service": service["serviceArn"], "createdAt": {"after": 1}}));
    assert_eq!(by_arn["serviceDeployments"][0]["serviceDeploymentArn"], *arn);
    let missing = format!("{}x", arn.as_str().unwrap());
    let failures = plane.ok("DescribeServiceDeployments", json!({"serviceDeploymentArns": [missing]}))["failures"].take();
    assert_eq!(failures[0]["reason"], "MISSING");
}

#[test]
fn a_deployment_is_stopped_once() {
    let mut plane = plane();
    plane.ok("CreateService", with(web(), json!({"desiredCount": 1})));
    let arn = described(&mut plane)["currentServiceDeployment"].clone();
    let answer = plane.ok("StopServiceDeployment", json!({"serviceDeploymentArn": arn, "stopType": "ABORT"}));
    assert_eq!(answer["serviceDeploymentArn"], arn);
    let refused = plane.refused("StopServiceDeployment", json!({"serviceDeploymentArn": arn}));
    assert!(
        refused.starts_with("ConflictException: The service deployment can't be stopped because its status is STOP"),
        "{refused}"
    );
    let none = arn.as_str().unwrap().replace("/web/", "/none/");
    assert_eq!(
        plane.refused("StopServiceDeployment", json!({"serviceDeploymentArn": none})),
        "ServiceDeploymentNotFoundException: The service deployment doesn't exist."
    );
}

#[test]
fn capacity_is_changed_by_force() {
    let mut plane = plane();
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
    let body = with(web(), json!({"taskDefinition": "net", "launchType": "FARGATE", "networkConfiguration": network}));
    plane.ok("CreateService", body);
    plane.ok("CreateCapacityProvider", json!({"name": "mine", "autoScalingGroupProvider": {"autoScalingGroupArn": "a"}}));
    let providers =
        json!({"cluster": "default", "capacityProviders": ["FARGATE", "mine"], "defaultCapacityProviderStrategy": []});
    plane.ok("PutClusterCapacityProviders", providers);
    let mut told = |strategy: Value| {
        let update = json!({"service": "web", "forceNewDeployment": true, "capacityProviderStrategy": strategy});
        let service = plane.ok("UpdateService", update)["service"].take();
        let strategy = service["capacityProviderStrategy"][0]["capacityProvider"].clone();
        json!([service["launchType"], strategy, service["platformVersion"]])
    };
    assert_eq!(told(json!([{"capacityProvider": "FARGATE", "weight": 1}])), json!([null, "FARGATE", "LATEST"]));
    assert_eq!(told(json!([])), json!(["FARGATE", null, "LATEST"]));
    assert_eq!(told(json!([{"capacityProvider": "mine", "weight": 1}])), json!([null, "mine", null]));
    assert_eq!(told(json!([])), json!(["EC2", null, null]));
}
