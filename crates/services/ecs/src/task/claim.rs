//! What a task takes from its node: sums over its containers unless the task itself says a number, overrides applied.

use super::overrides::Overrides;
use crate::task_definition::resources::{cpu_units, memory_mib};
use api_ecs as api;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a task takes from its node's ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub cpu_units: u32,
    pub memory_mib: u64,
    /// Host ports given in the definition, each once; dynamic ones are the node's own business.
    pub ports_tcp: Vec<u16>,
    pub ports_udp: Vec<u16>,
}

/// Task-level numbers, where anybody says them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub cpu_units: Option<u32>,
    pub memory_mib: Option<u64>,
}

pub fn size(definition: &api::TaskDefinition, overrides: &Overrides) -> Size {
    let cpu = overrides.cpu().or(definition.cpu.as_deref());
    let memory = overrides.memory().or(definition.memory.as_deref());
    Size { cpu_units: cpu.and_then(cpu_units), memory_mib: memory.and_then(memory_mib) }
}

pub fn claim(definition: &api::TaskDefinition, overrides: &Overrides) -> Claim {
    let size = size(definition, overrides);
    let containers = definition.container_definitions.as_deref().unwrap_or_default();
    let cpu = containers.iter().map(|container| overrides.cpu_of(container)).fold(0, u32::saturating_add);
    let memory = containers.iter().map(|container| overrides.reserved_memory_of(container)).fold(0, u64::saturating_add);
    Claim {
        cpu_units: size.cpu_units.unwrap_or(cpu),
        memory_mib: size.memory_mib.unwrap_or(memory),
        ports_tcp: host_ports(definition, api::TransportProtocol::Tcp),
        ports_udp: host_ports(definition, api::TransportProtocol::Udp),
    }
}

/// Tasks with addresses of their own take no port of the host.
fn host_ports(definition: &api::TaskDefinition, protocol: api::TransportProtocol) -> Vec<u16> {
    let is_host = definition.network_mode == Some(api::NetworkMode::Host);
    if !is_host && !matches!(definition.network_mode, None | Some(api::NetworkMode::Bridge)) {
        return Vec::new();
    }
    let containers = definition.container_definitions.iter().flatten();
    let mappings = containers.flat_map(|container| container.port_mappings.iter().flatten());
    let ports: BTreeSet<u16> = mappings
        .filter(|mapping| mapping.protocol.as_ref().unwrap_or(&api::TransportProtocol::Tcp) == &protocol)
        .filter_map(|mapping| if is_host { mapping.container_port } else { mapping.host_port })
        .filter_map(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0)
        .collect();
    ports.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(json: serde_json::Value) -> (Vec<u16>, Vec<u16>) {
        let claim = claim(&serde_json::from_value(json).unwrap(), &Overrides::default());
        (claim.ports_tcp, claim.ports_udp)
    }

    #[test]
    fn only_fixed_ports_of_the_host_are_claimed() {
        let containers = serde_json::json!([
            { "name": "a", "portMappings": [
                { "containerPort": 80, "hostPort": 8080, "protocol": "tcp" },
                { "containerPort": 53, "hostPort": 53, "protocol": "udp" },
                { "containerPort": 81, "hostPort": 0 }] },
            { "name": "b", "portMappings": [{ "containerPort": 90, "hostPort": 9090 }, { "containerPort": 91 }] }]);
        let of = |mode: &str| ports(serde_json::json!({ "networkMode": mode, "containerDefinitions": containers }));
        assert_eq!(of("bridge"), (vec![8080, 9090], vec![53]));
        assert_eq!(of("host"), (vec![80, 81, 90, 91], vec![53]));
        assert_eq!(of("awsvpc"), (vec![], vec![]));
    }
}
