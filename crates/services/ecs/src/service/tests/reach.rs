//! What load balancers, registries and Service Connect of a service may say.

use crate::testing::Plane;
use expect_test::expect;
use serde_json::{Value, json};

/// With the definitions `bridge` and `awsvpc`, whose container `app` listens on 80, called `http`, and on 9000 to 9010.
fn plane() -> Plane {
    let mut plane = Plane::with_node();
    let ports = json!([{"containerPort": 80, "name": "http"}, {"containerPortRange": "9000-9010"}]);
    let containers = json!([{"name": "app", "image": "i", "memory": 8, "essential": true, "portMappings": ports}]);
    plane.define("bridge", json!({"containerDefinitions": containers}));
    plane.define(
        "awsvpc",
        json!({"containerDefinitions": containers, "networkMode": "awsvpc", "cpu": "256", "memory": "512", "compatibilities": ["EC2", "FARGATE"]}),
    );
    plane
}

fn group(container: &str, port: i32) -> Value {
    let arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef";
    json!({"targetGroupArn": arn, "containerName": container, "containerPort": port})
}

fn registry(members: Value) -> Value {
    let mut registry = json!({"registryArn": "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"});
    registry.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({"serviceRegistries": [registry]})
}

fn connect(service: Value) -> Value {
    json!({"serviceConnectConfiguration": {"enabled": true, "namespace": "n", "services": [service]}})
}

/// What the operation says to each, `ok` where it takes it.
fn said(operation: &str, definition: &str, cases: Vec<Value>) -> Vec<String> {
    let one = |members: Value| {
        let mut plane = plane();
        let mut body = json!({
            "serviceName": "web", "taskDefinition": definition, "desiredCount": 0, "availabilityZoneRebalancing": "DISABLED",
        });
        if definition == "awsvpc" {
            body["networkConfiguration"] = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
        }
        if operation == "UpdateService" {
            plane.ok("CreateService", body);
            body = json!({"service": "web"});
        }
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        plane.call(operation, body).map_or_else(|refused| refused, |_| "ok".to_owned())
    };
    cases.into_iter().map(one).collect()
}

fn balancers() -> Vec<Value> {
    let balancers = |list: Value| json!({"loadBalancers": list});
    let classic = json!({"loadBalancerName": "old", "containerName": "app", "containerPort": 80});
    let both = json!({"loadBalancerName": "old", "targetGroupArn": group("app", 80)["targetGroupArn"]});
    vec![
        balancers(json!([group("app", 80), group("app", 9005)])),
        balancers(json!([classic])),
        balancers(json!([group("web", 80)])),
        balancers(json!([group("app", 81)])),
        balancers(json!([group("", 80)])),
        balancers(json!([{"targetGroupArn": group("app", 80)["targetGroupArn"], "containerName": "app"}])),
        balancers(json!([{"targetGroupArn": "web", "containerName": "app", "containerPort": 80}])),
        balancers(json!([{"containerName": "app", "containerPort": 80}])),
        balancers(json!([both])),
        balancers(json!(vec![group("app", 80); 6])),
        balancers(json!([classic, classic])),
    ]
}

#[test]
fn load_balancers_name_a_container_and_its_port() {
    let created = said("CreateService", "bridge", balancers());
    expect![[r#"
        ok
        ok
        InvalidParameterException: The container web does not exist in the task definition.
        InvalidParameterException: The container app did not have a container port 81 defined.
        InvalidParameterException: Container Name can not be blank.
        InvalidParameterException: Container Port can not be blank.
        InvalidParameterException: The targetGroupArn web is not valid.
        InvalidParameterException: Either loadBalancerName or targetGroupArn must be specified.
        InvalidParameterException: loadBalancerName and targetGroupArn cannot both be specified.
        InvalidParameterException: load balancers can have at most 5 items.
        InvalidParameterException: load balancers can have at most 1 items."#]]
    .assert_eq(&created.join("\n"));
    assert_eq!(said("UpdateService", "bridge", balancers()), created);
}

#[test]
fn registries_name_a_port_as_the_network_mode_needs_it() {
    let cases = || {
        vec![
            registry(json!({"containerName": "app", "containerPort": 80})),
            registry(json!({})),
            registry(json!({"port": 80})),
            registry(json!({"containerName": "app"})),
            registry(json!({"containerName": "app", "containerPort": 81})),
            registry(json!({"containerName": "app", "containerPort": 80, "port": 80})),
            json!({"serviceRegistries": [{"registryArn": "srv-1"}]}),
            json!({"serviceRegistries": [{}, {}]}),
        ]
    };
    expect![[r#"
        ok
        InvalidParameterException: When specifying 'host' or 'bridge' for networkMode, values for 'containerName' and 'containerPort' must be specified from the task definition.
        InvalidParameterException: When specifying 'host' or 'bridge' for networkMode, values for 'containerName' and 'containerPort' must be specified from the task definition.
        InvalidParameterException: When specifying 'host' or 'bridge' for networkMode, values for 'containerName' and 'containerPort' must be specified from the task definition.
        InvalidParameterException: The container app did not have a container port 81 defined.
        InvalidParameterException: Specify a value for either 'port' or the 'containerName' and 'containerPort' combination, but not both.
        InvalidParameterException: The registryArn srv-1 is not valid.
        InvalidParameterException: service registries can have at most 1 items."#]].assert_eq(&said("CreateService", "bridge", cases()).join("\n"));
    expect![[r#"
        ok
        ok
        ok
        InvalidParameterException: Container Port can not be blank.
        InvalidParameterException: The container app did not have a container port 81 defined.
        InvalidParameterException: Specify a value for either 'port' or the 'containerName' and 'containerPort' combination, but not both.
        InvalidParameterException: The registryArn srv-1 is not valid.
        InvalidParameterException: service registries can have at most 1 items."#]].assert_eq(&said("CreateService", "awsvpc", cases()).join("\n"));
}

#[test]
fn service_connect_names_a_port_of_the_definition() {
    let cases = vec![
        connect(json!({"portName": "http", "clientAliases": [{"port": 80, "dnsName": "web.internal"}]})),
        connect(json!({"portName": "https"})),
        connect(json!({"portName": "http", "clientAliases": [{"port": 80}, {"port": 81}]})),
        connect(json!({"portName": "http", "clientAliases": [{"port": 80, "dnsName": "a b"}]})),
        json!({"serviceConnectConfiguration": {"enabled": true}}),
        json!({"serviceConnectConfiguration": {"enabled": false, "services": [{"portName": "https"}]}}),
    ];
    expect![[r#"
        ok
        InvalidParameterException: portName(https) does not refer to any named PortMapping in the container definitions.
        InvalidParameterException: 2 clientAliases exceeds the max limit of 1.
        InvalidParameterException: The DNS name that you provided is invalid.
        InvalidParameterException: Namespace is missing.
        ok"#]]
    .assert_eq(&said("CreateService", "bridge", cases).join("\n"));
}

#[test]
fn what_is_measured_stands_in_the_revision() {
    let mut plane = plane();
    let monitoring = json!({"metricConfigurations": [{"metricNames": ["CPUUtilization"], "resolutionSeconds": 20}]});
    let service = json!({"serviceName": "web", "taskDefinition": "bridge", "desiredCount": 0, "monitoring": monitoring});
    let arn = plane.ok("CreateService", service)["service"]["currentServiceRevisions"][0]["arn"].take();
    let revisions = plane.ok("DescribeServiceRevisions", json!({"serviceRevisionArns": [arn]}));
    assert_eq!(revisions["serviceRevisions"][0]["monitoring"], monitoring);
}

#[test]
fn a_role_of_a_path_is_told_by_its_arn() {
    let mut plane = plane();
    let service = json!({
        "serviceName": "web", "taskDefinition": "bridge", "desiredCount": 0, "role": "/foo/bar", "loadBalancers": [group("app", 80)],
    });
    let told = plane.ok("CreateService", service)["service"]["roleArn"].take();
    assert_eq!(told, "arn:aws:iam::123456789012:role/foo/bar");
    // It may be updated to what a new service could not have with it.
    plane.ok("UpdateService", json!({"service": "web", "loadBalancers": [group("app", 80), group("app", 9000)]}));
}

#[test]
fn a_role_is_for_services_that_ecs_has_none_of_its_own_for() {
    let with_role = |members: Value| {
        let mut body = json!({"role": "mine"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        body
    };
    let cases = || {
        vec![
            with_role(json!({"loadBalancers": [group("app", 80)]})),
            with_role(json!({"loadBalancers": [group("app", 80), group("app", 9000)]})),
            with_role(json!({})),
            json!({"role": ""}),
        ]
    };
    expect![[r#"
        ok
        InvalidParameterException: You cannot specify an IAM role for services that require a service linked role.
        InvalidParameterException: A role was passed, but no load balancers were present.
        ok"#]]
    .assert_eq(&said("CreateService", "bridge", cases()).join("\n"));
    expect![[r#"
        InvalidParameterException: You cannot specify an IAM role for services that require a service linked role.
        InvalidParameterException: You cannot specify an IAM role for services that require a service linked role.
        InvalidParameterException: You cannot specify an IAM role for services that require a service linked role.
        ok"#]]
    .assert_eq(&said("CreateService", "awsvpc", cases()).join("\n"));
}
