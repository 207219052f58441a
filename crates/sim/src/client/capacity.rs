//! Capacity providers that users make, and strategies over them, at random.

use super::Request;
use base::Rng;
use serde_json::{Value, json};

pub const GROUPS: [&str; 2] = ["web", "batch"];
pub const FARGATES: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// Before anything else: the cluster `default` has them all.
pub fn provisions() -> Vec<Request> {
    let provider = |group: &str| {
        let arn = format!("arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/{group}");
        json!({ "name": group, "autoScalingGroupProvider": { "autoScalingGroupArn": arn } })
    };
    let create = |group| Request { operation: "CreateCapacityProvider", input: provider(group) };
    let cluster = Request { operation: "CreateCluster", input: json!({ "clusterName": "default" }) };
    let all: Vec<&str> = FARGATES.into_iter().chain(GROUPS).collect();
    let input = json!({ "cluster": "default", "capacityProviders": all, "defaultCapacityProviderStrategy": [] });
    let put = Request { operation: "PutClusterCapacityProviders", input };
    GROUPS.map(create).into_iter().chain([cluster, put]).collect()
}

/// Over some of the providers; one of them may have a base.
pub fn strategy(providers: [&str; 2], rng: &mut Rng) -> Value {
    let weights = *rng.pick(&[(1, 1), (1, 3), (4, 1), (2, 3), (0, 1), (1, 0)]).unwrap_or(&(1, 1));
    let (first, other) = if rng.chance(50) { (providers[0], providers[1]) } else { (providers[1], providers[0]) };
    let item = |provider: &str, weight: u64| json!({ "capacityProvider": provider, "weight": weight });
    let mut items = vec![item(first, weights.0), item(other, weights.1)];
    if rng.chance(20) {
        items = vec![item(first, 1)];
    }
    if rng.chance(50) {
        items[0]["base"] = json!(rng.below(4));
    }
    json!(items)
}
