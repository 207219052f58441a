//! What other people ask for: services of theirs, and the examples of the AWS CLI's own documentation, whose answers have every
//! key that the documented ones have. The folder of cases is beside the repository, or where `SLIPWAY_CASES` says.

use crate::testing::{Plane, facts, obedient};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use workload::{TaskSpec, TaskStatus};

#[derive(Deserialize)]
struct Example {
    svc: String,
    op: String,
    params: Value,
    expected: Option<Value>,
}

const OPERATIONS: [&str; 6] = [
    "DeleteService",
    "DescribeServiceDeployments",
    "DescribeServiceRevisions",
    "DescribeServices",
    "ListServiceDeployments",
    "ListServices",
];

#[test]
fn documented_examples_are_answered_with_every_documented_key() {
    let Some(examples) = case("cli-examples.json") else { return };
    let examples: Vec<Example> = serde_json::from_value(examples).expect("a list of examples");
    for example in examples.iter().filter(|it| it.svc == "ecs" && OPERATIONS.contains(&it.op.as_str())) {
        let mut plane = plane(&example.params);
        let params = params(&mut plane, example.params.clone());
        let answer = plane.ok(&example.op, params);
        let mut missing = Vec::new();
        example.expected.iter().for_each(|expected| compare(expected, &answer, &example.op, &mut missing));
        assert!(missing.is_empty(), "{missing:?} of {answer:#}");
    }
}

#[test]
fn a_service_with_several_target_groups_is_accepted_as_it_is() {
    let Some(body) = case("services/several-target-groups.json") else { return };
    let mut plane = Plane::new();
    plane.ok("CreateCluster", json!({"clusterName": body["cluster"]}));
    let ports: Vec<Value> = [3000, 40000, 6000, 8000, 9000].map(|port| json!({"containerPort": port})).to_vec();
    let containers = json!([{"name": "querypie-app", "image": "i", "memory": 8, "essential": true, "portMappings": ports}]);
    for _ in 0..5 {
        plane.define(
            "querypie-app",
            json!({"containerDefinitions": containers, "networkMode": "awsvpc", "cpu": "256", "memory": "512", "compatibilities": ["FARGATE"]}),
        );
    }
    let service = plane.ok("CreateService", body.clone())["service"].take();
    for member in ["loadBalancers", "networkConfiguration", "tags", "healthCheckGracePeriodSeconds", "platformVersion"] {
        assert_eq!(service[member], body[member], "{member}");
    }
}

fn case(file: &str) -> Option<Value> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/cases");
    let file = std::env::var_os("SLIPWAY_CASES").map_or(beside, PathBuf::from).join(file);
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("{} is not there: nothing was tested", file.display());
        return None;
    };
    Some(serde_json::from_str(&text).expect("cases are JSON"))
}

/// One with the service that the parameters name, deployed.
fn plane(params: &Value) -> Plane {
    let mut plane = Plane::new();
    let cluster = params["cluster"].as_str().unwrap_or(if params["services"].is_array() { "default" } else { "example-cluster" });
    let service = params["service"].as_str().filter(|name| !name.contains(':'));
    let service = service.or(params["services"][0].as_str()).unwrap_or("example-service");
    plane.join(workload::NodeFacts { cluster: Some(cluster.to_owned()), ..facts("n1") });
    plane.ok(
        "PutClusterCapacityProviders",
        json!({"cluster": cluster, "capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []}),
    );
    let containers = json!([{"name": "web", "image": "nginx", "memory": 8, "essential": true}]);
    plane.define(
        "webserver",
        json!({"containerDefinitions": containers, "networkMode": "awsvpc", "cpu": "256", "memory": "512", "compatibilities": ["FARGATE"]}),
    );
    plane.ok(
        "CreateService",
        json!({
            "cluster": cluster, "serviceName": service, "taskDefinition": "webserver", "desiredCount": 1,
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}},
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
        }),
    );
    plane.report("n1", running);
    plane.pass(Duration::from_secs(60));
    plane
}

fn running(spec: &TaskSpec) -> Option<TaskStatus> {
    let mut status = obedient(spec)?;
    status.containers.iter_mut().for_each(|container| container.image_digest = Some("sha256:0f3a".into()));
    Some(status)
}

/// The ids of an example are not ours.
fn params(plane: &mut Plane, mut params: Value) -> Value {
    let changes = |plane: &mut Plane| {
        let list = json!({"service": "example-service", "cluster": "example-cluster"});
        plane.ok("ListServiceDeployments", list)["serviceDeployments"][0].take()
    };
    if params["serviceDeploymentArns"].is_array() {
        params["serviceDeploymentArns"] = json!([changes(plane)["serviceDeploymentArn"]]);
    }
    if params["serviceRevisionArns"].is_array() {
        params["serviceRevisionArns"] = json!([changes(plane)["targetServiceRevisionArn"]]);
    }
    params
}

fn compare(expected: &Value, answer: &Value, path: &str, missing: &mut Vec<String>) {
    match (expected, answer) {
        (Value::Object(expected), Value::Object(answer)) => expected.iter().for_each(|(key, value)| match answer.get(key) {
            Some(found) => compare(value, found, &format!("{path}.{key}"), missing),
            None => missing.push(format!("{path}.{key}")),
        }),
        (Value::Array(expected), Value::Array(answer)) => match (expected.first(), answer.first()) {
            (Some(expected), Some(answer)) => compare(expected, answer, &format!("{path}[]"), missing),
            (Some(_), None) => missing.push(format!("{path}[]")),
            (None, _) => {}
        },
        _ => {}
    }
}
