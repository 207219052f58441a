//! What callers see of a container instance: the registration, the node behind it, and what the node's ledger has given away.

use super::{ContainerInstance, told};
use crate::capacity_provider;
use crate::node::{Ledger, Node};
use crate::task::Last;
use api_ecs as api;
use api_ecs::ContainerInstanceField;
use std::collections::BTreeMap;
use store::Image;
use workload::NodeFacts;

pub fn view(instance: &ContainerInstance, image: &Image, include: &[ContainerInstanceField]) -> api::ContainerInstance {
    let node = image.get::<Node>(&instance.node);
    let (nothing, unused) = (NodeFacts::default(), Ledger::default());
    let facts = node.map_or(&nothing, |node| &node.facts);
    let ledger = image.get::<Ledger>(&instance.node).unwrap_or(&unused);
    let connected = node.is_some_and(|node| node.connected);
    let (running, pending) = counts(instance, image);
    let with = |field: &ContainerInstanceField| include.contains(field);
    api::ContainerInstance {
        container_instance_arn: Some(instance.arn()),
        ec2_instance_id: Some(instance.node.clone()),
        capacity_provider_name: capacity_provider::name_of(image, instance),
        version: Some(told::version(image, instance)),
        version_info: Some(version_info(facts)),
        remaining_resources: Some(remaining(facts, ledger)),
        registered_resources: Some(registered(facts)),
        status: Some(instance.status().to_owned()),
        agent_connected: Some(connected),
        running_tasks_count: Some(running),
        pending_tasks_count: Some(pending),
        attributes: Some(all_attributes(instance, facts)),
        registered_at: Some(instance.registered_at.into()),
        attachments: Some(Vec::new()),
        tags: Some(if with(&ContainerInstanceField::Tags) { instance.tags.clone() } else { Vec::new() }),
        health_status: with(&ContainerInstanceField::ContainerInstanceHealth).then(|| health(connected)),
        ..Default::default()
    }
}

fn counts(instance: &ContainerInstance, image: &Image) -> (i32, i32) {
    let (mut running, mut pending) = (0, 0);
    for task in instance.tasks(image) {
        match task.last {
            Last::Provisioning | Last::Pending | Last::Activating => pending += 1,
            Last::Running => running += 1,
            _ => {}
        }
    }
    (running, pending)
}

pub fn version_info(facts: &NodeFacts) -> api::VersionInfo {
    api::VersionInfo {
        agent_version: Some(facts.agent_version.clone()),
        agent_hash: None,
        docker_version: Some(facts.runtime_version.clone()),
    }
}

pub fn registered(facts: &NodeFacts) -> Vec<api::Resource> {
    vec![
        integer("CPU", facts.cpu_units.into()),
        integer("MEMORY", facts.memory_mib),
        string_set("PORTS", facts.reserved_ports.iter().copied()),
        string_set("PORTS_UDP", facts.reserved_ports_udp.iter().copied()),
    ]
}

/// Ports are what is taken, of the other two what is left.
pub fn remaining(facts: &NodeFacts, ledger: &Ledger) -> Vec<api::Resource> {
    vec![
        integer("CPU", facts.cpu_units.saturating_sub(ledger.cpu_units).into()),
        integer("MEMORY", facts.memory_mib.saturating_sub(ledger.memory_mib)),
        string_set("PORTS", facts.reserved_ports.iter().chain(&ledger.ports_tcp).copied()),
        string_set("PORTS_UDP", facts.reserved_ports_udp.iter().chain(&ledger.ports_udp).copied()),
    ]
}

/// AWS sends the members of the other types as zeros.
fn resource(name: &str, kind: &str) -> api::Resource {
    api::Resource {
        name: Some(name.to_owned()),
        r#type: Some(kind.to_owned()),
        double_value: Some(0.0),
        long_value: Some(0),
        integer_value: Some(0),
        string_set_value: None,
    }
}

fn integer(name: &str, value: u64) -> api::Resource {
    api::Resource { integer_value: Some(i32::try_from(value).unwrap_or(i32::MAX)), ..resource(name, "INTEGER") }
}

fn string_set(name: &str, ports: impl Iterator<Item = u16>) -> api::Resource {
    api::Resource { string_set_value: Some(ports.map(|port| port.to_string()).collect()), ..resource(name, "STRINGSET") }
}

/// By name. Nobody talks a node into other attributes than it has.
pub fn attributes<'a>(instance: &'a ContainerInstance, facts: &'a NodeFacts) -> BTreeMap<&'a str, Option<&'a str>> {
    let zone = Some(facts.availability_zone.as_str()).filter(|zone| !zone.is_empty());
    let mut all: BTreeMap<&str, Option<&str>> = zone.into_iter().map(|zone| ("ecs.availability-zone", Some(zone))).collect();
    let given = instance.custom_attributes.iter().chain(&facts.attributes);
    all.extend(given.map(|(name, value)| (name.as_str(), value.as_deref())));
    all
}

pub fn all_attributes(instance: &ContainerInstance, facts: &NodeFacts) -> Vec<api::Attribute> {
    attributes(instance, facts).into_iter().map(attribute).collect()
}

fn attribute((name, value): (&str, Option<&str>)) -> api::Attribute {
    api::Attribute { name: Some(name.to_owned()), value: value.map(str::to_owned), ..Default::default() }
}

fn health(connected: bool) -> api::ContainerInstanceHealthStatus {
    let state = if connected { api::InstanceHealthCheckState::Ok } else { api::InstanceHealthCheckState::Impaired };
    api::ContainerInstanceHealthStatus {
        overall_status: Some(state.clone()),
        details: Some(vec![api::InstanceHealthCheckResult {
            r#type: Some(api::InstanceHealthCheckType::AgentConnectivity),
            status: Some(state),
            ..Default::default()
        }]),
    }
}
