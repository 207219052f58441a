//! The nodes of this process: what each is and has given away, and the switch of each.

use super::{Answer, Refusal, json, refused};
use crate::compose::Server;
use crate::nodes;
use base::Scope;
use ecs::container_instance::ContainerInstance;
use ecs::node::{Ledger, Node};
use ecs::task::{Last, Task};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use store::Image;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    /// UP or STOPPED.
    state: &'static str,
    /// What the API calls `ec2InstanceId`.
    id: String,
    availability_zone: String,
    auto_scaling_group: Option<String>,
    /// Where ports of its containers are published, but for a host's only node, which publishes everywhere.
    address: String,
    cpu_units: Given,
    memory_mib: Given,
    running_tasks: usize,
    pending_tasks: usize,
    /// Of the account that asks: none where the node was deregistered.
    container_instances: Vec<Registration>,
}

#[derive(Serialize)]
struct Given {
    registered: u64,
    remaining: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    container_instance_arn: String,
    cluster: String,
    status: &'static str,
    agent_connected: bool,
}

pub fn list(server: &Server, scope: &Scope) -> Answer {
    let image = server.plane.image();
    let shown: Vec<Shown> = server.nodes.all().iter().map(|node| shown(node, &image, scope)).collect();
    Ok(json(&shown))
}

/// `NAME/stop` or `NAME/start`.
pub async fn switch(server: &Arc<Server>, scope: &Scope, path: &str) -> Answer {
    let (name, verb) = path.split_once('/').unwrap_or((path, ""));
    let Some(node) = server.nodes.named(name).cloned() else {
        return refused(StatusCode::NOT_FOUND, format!("no node {name}"));
    };
    // Also if who asked goes away meanwhile: half a stop is worse than none.
    let (done, node) = match verb {
        "stop" => tokio::spawn(async move { (node.stop().await, node) }).await,
        "start" => tokio::spawn(async move { (node.start().await, node) }).await,
        _ => return refused(StatusCode::NOT_FOUND, "no such endpoint"),
    }
    .map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    done.map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("{name}: {error:#}")))?;
    Ok(json(&shown(&node, &server.plane.image(), scope)))
}

fn shown(node: &nodes::Node, image: &Image, scope: &Scope) -> Shown {
    let row = image.get::<Node>(&node.id).cloned().unwrap_or_default();
    let ledger = image.get::<Ledger>(&node.id).cloned().unwrap_or_default();
    let (facts, connected) = (row.facts, row.connected);
    let tasks: Vec<Last> = image.by::<Task>("node", &node.id).map(|task| task.last).collect();
    let instances = image.by::<ContainerInstance>("node", &node.id).filter(|instance| instance.scope.account == scope.account);
    Shown {
        name: node.place.name.clone(),
        state: if node.is_stopped() { "STOPPED" } else { "UP" },
        id: node.id.clone(),
        cpu_units: Given {
            registered: facts.cpu_units.into(),
            remaining: facts.cpu_units.saturating_sub(ledger.cpu_units).into(),
        },
        memory_mib: Given { registered: facts.memory_mib, remaining: facts.memory_mib.saturating_sub(ledger.memory_mib) },
        running_tasks: tasks.iter().filter(|last| **last == Last::Running).count(),
        pending_tasks: tasks.iter().filter(|last| **last < Last::Running).count(),
        availability_zone: facts.availability_zone,
        auto_scaling_group: facts.auto_scaling_group,
        address: facts.address,
        container_instances: instances.map(|instance| registration(instance, connected)).collect(),
    }
}

fn registration(instance: &ContainerInstance, agent_connected: bool) -> Registration {
    Registration {
        container_instance_arn: instance.arn(),
        cluster: instance.cluster.clone(),
        status: instance.status(),
        agent_connected,
    }
}
