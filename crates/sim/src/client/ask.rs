//! What users ask for, at random.

use super::{Client, Request, UPDATE_INSTANCES, capacity, cluster_of};
use crate::catalog::{FAMILIES, FARGATE, definition};
use base::Rng;
use ecs::container_instance::ContainerInstance;
use ecs::task_definition::TaskDefinition;
use serde_json::{Value, json};
use store::Image;

fn request(operation: &'static str, input: Value) -> Option<Request> {
    Some(Request { operation, input })
}

impl Client {
    pub fn asks(&mut self, image: &Image, rng: &mut Rng) -> Option<Request> {
        if rng.chance(60) && !self.again.is_empty() {
            return self.again.pop();
        }
        if self.services > 0 && rng.chance(self.services) {
            return self.asks_services(image, rng);
        }
        match rng.below(100) {
            0 => self.token_of_another(rng),
            1..=36 => self.run_task(rng),
            37..=42 => self.start_task(image, rng),
            43..=67 => self.stop_task(rng),
            68..=73 => request("DescribeTasks", json!({ "cluster": "default", "tasks": self.some_known(rng) })),
            74..=78 => request("ListTasks", list(rng)),
            79..=80 => request("DescribeClusters", json!({ "clusters": ["default", "other"], "include": ["STATISTICS"] })),
            81..=83 => describe_instances(image),
            84..=88 => request("RegisterTaskDefinition", definition(family(rng))),
            89..=91 => with_revision("DeregisterTaskDefinition", image, rng),
            92..=93 => delete_revision(image, rng),
            94..=97 => self.update_instance(image, rng),
            98 => rare(image, rng),
            _ => request("DeleteCluster", json!({ "cluster": "other" })),
        }
    }

    /// Only what is open is brought to its end.
    pub fn finishes(&mut self) -> Option<Request> {
        self.again.pop()
    }

    fn run_task(&mut self, rng: &mut Rng) -> Option<Request> {
        let token = format!("token-{}", self.number());
        let cluster = if rng.chance(80) { "default" } else { "other" };
        let mut input = json!({ "cluster": cluster, "taskDefinition": family(rng), "count": 1 + rng.below(3) });
        (input["clientToken"], input["startedBy"]) = (json!(token), json!(token));
        match rng.below(10) {
            0 => input["placementStrategy"] = json!([{ "type": "spread", "field": "attribute:ecs.availability-zone" }]),
            1 => input["placementStrategy"] = json!([{ "type": "binpack", "field": "memory" }]),
            2 => input["placementConstraints"] = json!([{ "type": "distinctInstance" }]),
            3 | 4 => {
                input["taskDefinition"] = json!(FARGATE);
                if rng.chance(50) {
                    input["cluster"] = json!("default");
                    input["capacityProviderStrategy"] = capacity::strategy(capacity::FARGATES, rng);
                } else {
                    input["launchType"] = json!("FARGATE");
                }
                input["networkConfiguration"] = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
            }
            5 => {
                input["cluster"] = json!("default");
                input["capacityProviderStrategy"] = capacity::strategy(capacity::GROUPS, rng);
            }
            _ => {}
        }
        request("RunTask", input)
    }

    /// The same token, and something else.
    fn token_of_another(&mut self, rng: &mut Rng) -> Option<Request> {
        let tokens: Vec<&String> = self.runs.iter().filter(|(_, run)| run.made_something()).map(|(token, _)| token).collect();
        let token = rng.pick(&tokens).copied()?;
        // Tokens are a cluster's.
        let cluster = self.runs.get(token).map(|run| run.input["cluster"].clone());
        request("RunTask", json!({ "cluster": cluster, "taskDefinition": "job", "count": 9, "clientToken": token }))
    }

    fn start_task(&mut self, image: &Image, rng: &mut Rng) -> Option<Request> {
        let instances: Vec<&ContainerInstance> = image.scan().collect();
        let instance = rng.pick(&instances)?;
        let by = format!("start-{}", self.number());
        let (cluster, arn) = (&instance.cluster, instance.arn());
        let input = json!({ "cluster": cluster, "taskDefinition": family(rng), "containerInstances": [arn], "startedBy": by });
        request("StartTask", input)
    }

    fn stop_task(&mut self, rng: &mut Rng) -> Option<Request> {
        let task = rng.pick(&self.known)?.clone();
        Some(stop(&task, format!("because {}", self.number())))
    }

    fn some_known(&self, rng: &mut Rng) -> Vec<&String> {
        let of_default: Vec<&String> = self.known.iter().filter(|arn| cluster_of(arn) == "default").collect();
        let mut some: Vec<&String> = (0..5).filter_map(|_| rng.pick(&of_default).copied()).collect();
        some.sort();
        some.dedup();
        some
    }

    fn update_instance(&mut self, image: &Image, rng: &mut Rng) -> Option<Request> {
        let instances: Vec<&ContainerInstance> = image.scan().collect();
        let instance = rng.pick(&instances)?;
        let status = if rng.chance(40) { "DRAINING" } else { "ACTIVE" };
        let (cluster, arn) = (&instance.cluster, instance.arn());
        request(UPDATE_INSTANCES, json!({ "cluster": cluster, "containerInstances": [arn], "status": status }))
    }
}

pub fn stop(task: &str, reason: String) -> Request {
    let input = json!({ "cluster": cluster_of(task), "task": task, "reason": reason });
    Request { operation: "StopTask", input }
}

pub fn activate(instance: &ContainerInstance) -> Request {
    let input = json!({ "cluster": instance.cluster, "containerInstances": [instance.arn()], "status": "ACTIVE" });
    Request { operation: UPDATE_INSTANCES, input }
}

fn rare(image: &Image, rng: &mut Rng) -> Option<Request> {
    let instances: Vec<&ContainerInstance> = image.scan().collect();
    let instance = rng.pick(&instances)?;
    let (cluster, arn) = (&instance.cluster, instance.arn());
    let force = json!({ "cluster": cluster, "containerInstance": arn, "force": rng.chance(50) });
    match rng.below(3) {
        0 => request("DeregisterContainerInstance", force),
        _ => request("CreateCluster", json!({ "clusterName": "other" })),
    }
}

fn family(rng: &mut Rng) -> &'static str {
    FAMILIES[rng.below(FAMILIES.len() as u64) as usize]
}

fn list(rng: &mut Rng) -> Value {
    let desired = if rng.chance(50) { "RUNNING" } else { "STOPPED" };
    json!({ "cluster": "default", "desiredStatus": desired, "maxResults": 1 + rng.below(20) })
}

fn describe_instances(image: &Image) -> Option<Request> {
    let of_default = image.scan::<ContainerInstance>().filter(|instance| instance.cluster == "default");
    let arns: Vec<String> = of_default.map(ContainerInstance::arn).collect();
    let input = json!({ "cluster": "default", "containerInstances": arns });
    request("DescribeContainerInstances", input).filter(|_| !arns.is_empty())
}

/// One revision, but never the newest of its family: everybody would have to stop.
fn with_revision(operation: &'static str, image: &Image, rng: &mut Rng) -> Option<Request> {
    request(operation, json!({ "taskDefinition": old_revision(image, rng)? }))
}

fn delete_revision(image: &Image, rng: &mut Rng) -> Option<Request> {
    request("DeleteTaskDefinitions", json!({ "taskDefinitions": [old_revision(image, rng)?] }))
}

fn old_revision(image: &Image, rng: &mut Rng) -> Option<String> {
    let all: Vec<&TaskDefinition> = image.scan().collect();
    let is_old = |one: &&TaskDefinition| all.iter().any(|other| other.family == one.family && other.revision > one.revision);
    let old: Vec<String> = all.iter().copied().filter(is_old).map(|one| format!("{}:{}", one.family, one.revision)).collect();
    rng.pick(&old).cloned()
}
