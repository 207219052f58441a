//! What a node asks its plane on behalf of a task: operations of ECS, in the task's account and region.

use async_trait::async_trait;
use base::{Arn, Rng, Scope};
use kernel::plane::Who;
use kernel::{Caller, Plane};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use workload::TaskSpec;

pub struct Refusal {
    pub error: wire::Error,
    pub request_id: String,
}

/// The seam: a node that is not in the plane's process asks over its link.
#[async_trait]
pub trait Asks: Send + Sync {
    async fn ask(&self, task: &TaskSpec, operation: &str, input: Value) -> Result<Value, Refusal>;
}

#[async_trait]
impl Asks for Plane {
    async fn ask(&self, task: &TaskSpec, operation: &str, input: Value) -> Result<Value, Refusal> {
        let request_id = Rng::from_os().uuid();
        let refused = |error| Refusal { error, request_id: request_id.clone() };
        let arn: Arn = task.arn.parse().map_err(|_| refused(wire::Error::internal()))?;
        // The account asks, not the task's role: no policy is evaluated that would tell them apart.
        let caller = Caller { access_key: String::new(), arn: format!("arn:{}:iam::{}:root", arn.partition, arn.account) };
        let who = Who { scope: Scope::new(arn.account, arn.region), caller, request_id: request_id.clone() };
        let body = input.to_string();
        let answer = self.call(&api_ecs::MODEL, operation, who, body.as_bytes()).await.map_err(refused)?;
        serde_json::from_slice(&answer).map_err(|_| refused(wire::Error::internal()))
    }
}

/// The tags of a resource.
pub async fn tags(plane: &dyn Asks, task: &TaskSpec, arn: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let answer = plane.ask(task, "ListTagsForResource", json!({ "resourceArn": arn })).await?;
    let tags = answer["tags"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    Ok(tags.iter().map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect())
}

/// Where the task runs: `None` for one without a container instance (Fargate).
pub async fn container_instance(plane: &dyn Asks, task: &TaskSpec) -> Result<Option<String>, Refusal> {
    let answer = plane.ask(task, "DescribeTasks", json!({ "cluster": task.cluster, "tasks": [task.arn] })).await?;
    Ok(answer["tasks"][0]["containerInstanceArn"].as_str().map(str::to_owned))
}
