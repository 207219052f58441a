//! What users ask of services, at random: few names, so that calls about the same service come in each other's way.

use super::{Client, Request, capacity, id_of};
use crate::catalog::{FARGATE, OF_SERVICES, definition, is_fargate};
use base::Rng;
use ecs::service::{Service, Status};
use ecs::service_deployment::ServiceDeployment;
use ecs::task::Task;
use serde_json::{Value, json};
use store::Image;

const NAMES: [&str; 5] = ["one", "two", "three", "daemon", "daemon-too"];

fn request(operation: &'static str, input: Value) -> Option<Request> {
    Some(Request { operation, input })
}

impl Client {
    pub(super) fn asks_services(&mut self, image: &Image, rng: &mut Rng) -> Option<Request> {
        let services: Vec<&Service> = image.scan().collect();
        let active: Vec<&Service> = services.iter().copied().filter(|service| service.status == Status::Active).collect();
        let wanted = active.len() < 3 || rng.chance(8);
        match rng.below(100) {
            0..=39 if wanted => self.create(rng),
            0..=54 => update(rng.pick(&active)?, rng),
            55..=60 => delete(rng.pick(&services)?, rng),
            61..=74 => protect(image, rng),
            75..=80 => stop_deployment(image, rng),
            81..=88 => self.stop_one(image, rng),
            89..=94 => describe(&services),
            _ => request("RegisterTaskDefinition", definition(family(rng))),
        }
    }

    fn create(&mut self, rng: &mut Rng) -> Option<Request> {
        let name = *rng.pick(&NAMES)?;
        let mut input = json!({
            "cluster": if rng.chance(85) { "default" } else { "other" },
            "serviceName": name,
            "clientToken": format!("service-{}", self.number()),
            "taskDefinition": family(rng),
            "desiredCount": rng.below(6),
            "deploymentConfiguration": configuration(rng),
        });
        if name.starts_with("daemon") {
            input["schedulingStrategy"] = json!("DAEMON");
            input["deploymentConfiguration"]["maximumPercent"] = json!(100);
            input["deploymentConfiguration"]["minimumHealthyPercent"] = json!(*rng.pick(&[0, 0, 30, 60])?);
            input.as_object_mut()?.remove("desiredCount");
            return request("CreateService", input);
        }
        match rng.below(8) {
            0 => input["placementStrategy"] = json!([{ "type": "binpack", "field": "memory" }]),
            1 => input["placementConstraints"] = json!([{ "type": "distinctInstance" }]),
            2 => {
                input["taskDefinition"] = json!(FARGATE);
                if rng.chance(50) {
                    input["cluster"] = json!("default");
                    input["capacityProviderStrategy"] = capacity::strategy(capacity::FARGATES, rng);
                } else {
                    input["launchType"] = json!("FARGATE");
                }
                input["networkConfiguration"] = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
            }
            3 => input["healthCheckGracePeriodSeconds"] = json!(rng.below(30)),
            4 => {
                input["cluster"] = json!("default");
                input["capacityProviderStrategy"] = capacity::strategy(capacity::GROUPS, rng);
            }
            _ => {}
        }
        request("CreateService", input)
    }

    /// As a user, or whatever ends tasks by hand.
    fn stop_one(&mut self, image: &Image, rng: &mut Rng) -> Option<Request> {
        let tasks: Vec<&Task> = image.scan::<Task>().filter(|task| task.member.is_some() && !task.is_stopped()).collect();
        Some(super::stop(&rng.pick(&tasks)?.arn(), format!("because {}", self.number())))
    }
}

fn family(rng: &mut Rng) -> &'static str {
    rng.pick(&OF_SERVICES).copied().unwrap_or_default()
}

fn configuration(rng: &mut Rng) -> Value {
    let (least, most) = *rng
        .pick(&[(100, 200), (100, 150), (50, 200), (50, 100), (0, 100), (75, 125), (100, 125), (34, 134)])
        .unwrap_or(&(100, 200));
    let mut configuration = json!({ "minimumHealthyPercent": least, "maximumPercent": most });
    if rng.chance(60) {
        configuration["deploymentCircuitBreaker"] = json!({ "enable": true, "rollback": rng.chance(60) });
    }
    let breaker = &mut configuration["deploymentCircuitBreaker"];
    match rng.below(5) {
        0 if breaker.is_object() => breaker["thresholdConfiguration"] = json!({ "type": "COUNT", "value": 1 + rng.below(5) }),
        1 if breaker.is_object() => breaker["thresholdConfiguration"] = json!({ "type": "UNBOUNDED_PERCENT", "value": 80 }),
        2 if breaker.is_object() => breaker["resetOnHealthyTask"] = json!(false),
        _ => {}
    }
    if rng.chance(35) {
        configuration["earlySuccessCriteria"] = early_success(least, rng);
    }
    if configuration["deploymentCircuitBreaker"].is_null() {
        configuration.as_object_mut().map(|members| members.remove("deploymentCircuitBreaker"));
    }
    configuration
}

/// Never below what daemons ask for, whose `minimumHealthyPercent` is another one.
fn early_success(least: u64, rng: &mut Rng) -> Value {
    let least = least.max(60);
    let cleanup = if rng.chance(50) { "DEFERRED" } else { "BLOCKING" };
    let percent = least + rng.below(101 - least);
    json!({ "enable": rng.chance(85), "healthyPercent": percent, "sourceServiceRevisionCleanup": cleanup })
}

fn update(service: &Service, rng: &mut Rng) -> Option<Request> {
    let mut input = json!({ "cluster": service.cluster, "service": service.name });
    let current = service.spec.task_definition.clone().unwrap_or_default();
    let is_fargate = is_fargate(id_of(&current).split(':').next().unwrap_or_default());
    if service.cluster == "default" && !service.is_daemon() && rng.chance(15) {
        return request("UpdateService", change_capacity(input, is_fargate, rng));
    }
    match rng.below(10) {
        0..=3 if !is_fargate => input["taskDefinition"] = json!(family(rng)),
        0..=4 => input["forceNewDeployment"] = json!(true),
        5..=7 if !service.is_daemon() => input["desiredCount"] = json!(rng.below(6)),
        8 if !service.is_daemon() => input["deploymentConfiguration"] = configuration(rng),
        9 => input["healthCheckGracePeriodSeconds"] = json!(rng.below(30)),
        _ => input["forceNewDeployment"] = json!(true),
    }
    request("UpdateService", input)
}

/// To another strategy, or to none: what it runs must be moved for that, and sometimes nobody says so.
fn change_capacity(mut input: Value, is_fargate: bool, rng: &mut Rng) -> Value {
    let providers = if is_fargate { capacity::FARGATES } else { capacity::GROUPS };
    let strategy = if rng.chance(15) { json!([]) } else { capacity::strategy(providers, rng) };
    input["capacityProviderStrategy"] = strategy;
    input["forceNewDeployment"] = json!(rng.chance(90));
    if rng.chance(30) {
        input["desiredCount"] = json!(rng.below(6));
    }
    if !is_fargate && rng.chance(30) {
        input["taskDefinition"] = json!(family(rng));
    }
    input
}

fn delete(service: &Service, rng: &mut Rng) -> Option<Request> {
    Some(self::deletion(service, rng.chance(80)))
}

pub fn deletion(service: &Service, force: bool) -> Request {
    let input = json!({ "cluster": service.cluster, "service": service.name, "force": force });
    Request { operation: "DeleteService", input }
}

fn protect(image: &Image, rng: &mut Rng) -> Option<Request> {
    let tasks: Vec<&Task> = image.scan::<Task>().filter(|task| task.member.is_some() && !task.is_stopped()).collect();
    let task = rng.pick(&tasks)?;
    let (cluster, arn, is_on) = (&task.cluster, task.arn(), rng.chance(70));
    let mut input = json!({ "cluster": cluster, "tasks": [arn], "protectionEnabled": is_on });
    if is_on {
        input["expiresInMinutes"] = json!(*rng.pick(&[1, 1, 2, 5, 120])?);
    }
    request("UpdateTaskProtection", input)
}

fn stop_deployment(image: &Image, rng: &mut Rng) -> Option<Request> {
    let rows: Vec<&ServiceDeployment> = image.scan::<ServiceDeployment>().filter(|row| !row.is_over()).collect();
    let stop = if rng.chance(60) { "ROLLBACK" } else { "ABORT" };
    request("StopServiceDeployment", json!({ "serviceDeploymentArn": rng.pick(&rows)?.arn(), "stopType": stop }))
}

fn describe(services: &[&Service]) -> Option<Request> {
    let of_default: Vec<&str> =
        services.iter().filter(|service| service.cluster == "default").map(|service| service.name.as_str()).collect();
    request("DescribeServices", json!({ "cluster": "default", "services": of_default })).filter(|_| !of_default.is_empty())
}
