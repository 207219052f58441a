//! What this host has: gathered once, said when the node connects.

use super::Config;
use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use workload::NodeFacts;

/// What the kernel, this process and the shims may need; ECS_RESERVED_MEMORY's purpose.
const RESERVED_MIB: u64 = 128;
const CPU_UNITS_PER_CORE: u32 = 1024;
/// ECS_RESERVED_PORTS' default: ssh, Docker's two, the stock agent's own two.
const RESERVED_PORTS: [u16; 5] = [22, 2375, 2376, 51678, 51679];
/// Attributes without a value, by which the placement of tasks finds out what a node can do. Names as the stock agent
/// registers them (`agent/app/agent_capability.go`); only what this agent does.
const CAPABILITIES: [&str; 16] = [
    "com.amazonaws.ecs.capability.privileged-container",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.logging-driver.none",
    "ecs.capability.task-eni",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.increased-task-cpu-limit",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.efs",
    "ecs.capability.efsAuth",
    "ecs.capability.container-ordering",
    "ecs.capability.container-health-check",
    "ecs.capability.container-restart-policy",
    "ecs.capability.pid-ipc-namespace-sharing",
    "ecs.capability.network.container-port-range",
    "ecs.capability.full-sync",
    "ecs.capability.external",
];
/// Versions of Docker's API whose features tasks may ask for (`com.amazonaws.ecs.capability.docker-remote-api.1.17`, …).
const DOCKER_API_VERSIONS: std::ops::RangeInclusive<u32> = 17..=44;

pub fn gather(config: &Config, node: String) -> NodeFacts {
    NodeFacts {
        id: node,
        account: config.account.clone(),
        region: config.region.clone(),
        cluster: config.cluster.clone(),
        auto_scaling_group: config.auto_scaling_group.clone(),
        cpu_units: config.cpu_units.unwrap_or_else(|| cores() * CPU_UNITS_PER_CORE),
        memory_mib: config.memory_mib.unwrap_or_else(|| memory_total_mib(&read("/proc/meminfo")).saturating_sub(RESERVED_MIB)),
        reserved_ports: RESERVED_PORTS.into_iter().chain(config.reserved_ports.iter().copied()).collect(),
        reserved_ports_udp: vec![],
        availability_zone: config.availability_zone.clone(),
        address: config.address.clone().unwrap_or_else(address),
        attributes: attributes(config),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        runtime_version: config.runtime_version.clone(),
    }
}

/// The host's name, which containers in host mode share.
pub fn hostname() -> String {
    match read("/proc/sys/kernel/hostname").trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

fn attributes(config: &Config) -> BTreeMap<String, Option<String>> {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let valued = [
        ("ecs.os-type", "linux"),
        ("ecs.os-family", "LINUX"),
        ("ecs.cpu-architecture", architecture),
        ("ecs.availability-zone", &config.availability_zone),
    ];
    let valued = valued.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
    let versions = DOCKER_API_VERSIONS.map(|minor| format!("com.amazonaws.ecs.capability.docker-remote-api.1.{minor}"));
    let drivers = config.log_drivers.values().flat_map(|driver| driver.capabilities()).map(|name| (*name).to_owned());
    let references = config.references.capabilities().iter().map(|name| (*name).to_owned());
    let own = CAPABILITIES.into_iter().map(str::to_owned);
    let capabilities = own.chain(versions).chain(drivers).chain(references).chain(config.capabilities.clone());
    valued.into_iter().chain(capabilities.map(|name| (name, None))).collect()
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

fn memory_total_mib(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB"));
    total.and_then(|kib| kib.trim().parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}

/// The address this host is reached at: the one it would send from. Connecting a datagram socket sends nothing.
fn address() -> String {
    let own = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    };
    own().map_or_else(|_: std::io::Error| "127.0.0.1".to_owned(), |address| address.ip().to_string())
}

/// Nothing in /proc is worth failing for: what cannot be read counts as absent.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_total_in_mebibytes() {
        assert_eq!(memory_total_mib("MemTotal:        8038212 kB\nMemFree:          123 kB\n"), 7849);
        assert_eq!(memory_total_mib("nonsense"), 0);
    }

    #[test]
    fn a_node_says_what_it_is_and_can() {
        let config = Config::new("/data".as_ref(), "123456789012", "eu-west-1");
        let facts = gather(&config, "node".into());
        let valued: Vec<_> = facts.attributes.iter().filter_map(|(n, v)| Some((n.as_str(), v.as_deref()?))).collect();
        assert!(valued.contains(&("ecs.availability-zone", "eu-west-1a")) && valued.contains(&("ecs.os-type", "linux")));
        assert!(facts.attributes.contains_key("com.amazonaws.ecs.capability.docker-remote-api.1.17"));
        assert!(facts.cpu_units >= CPU_UNITS_PER_CORE && facts.memory_mib > 0, "{facts:?}");
    }
}
