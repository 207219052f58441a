//! Rules on port mappings, each alone and all of a task together.

use super::{Definition, Verdict, items, name_of, refuse, refuse_if};
use api_ecs::{ContainerDefinition, NetworkMode, PortMapping, TransportProtocol};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

pub fn check(definition: &Definition) -> Verdict {
    for container in definition.containers {
        let mappings = items(&container.port_mappings);
        let unreachable = !mappings.is_empty() && definition.mode == NetworkMode::None;
        refuse_if(unreachable, || "Port mappings are not supported when networkMode=none.".to_owned())?;
        mappings.iter().try_for_each(|mapping| alone(container, mapping, &definition.mode))?;
        let ranges = mappings.iter().filter(|mapping| mapping.container_port_range.is_some()).count();
        refuse_if(ranges > 100, || format!("Container '{}' can have at most 100 port ranges.", name_of(container)))?;
    }
    host_ports_are_unique(definition)?;
    container_ports_are_unique(definition)?;
    names_are_unique(definition)
}

fn alone(container: &ContainerDefinition, mapping: &PortMapping, mode: &NetworkMode) -> Verdict {
    match &mapping.container_port_range {
        Some(range) => port_range(container, mapping, range, mode)?,
        None => single_port(container, mapping, mode)?,
    }
    match mapping.name.as_deref() {
        Some(name) if !is_port_name(name) => {
            refuse(format!("Invalid port mapping name '{name}' for container '{}'.", name_of(container)))
        }
        _ => Ok(()),
    }
}

fn single_port(container: &ContainerDefinition, mapping: &PortMapping, mode: &NetworkMode) -> Verdict {
    let invalid = !mapping.container_port.is_some_and(|port| (1..=65535).contains(&port));
    refuse_if(invalid, || format!("Invalid 'containerPort' setting for container '{}'.", name_of(container)))?;
    let invalid = mapping.host_port.is_some_and(|port| !(0..=65535).contains(&port));
    refuse_if(invalid, || format!("Invalid 'hostPort' setting for container '{}'.", name_of(container)))?;
    let differ = is_shared(mode) && mapping.host_port.is_some() && mapping.host_port != mapping.container_port;
    refuse_if(differ, || format!("When networkMode={mode}, the host ports and container ports in port mappings must match."))
}

fn port_range(container: &ContainerDefinition, mapping: &PortMapping, range: &str, mode: &NetworkMode) -> Verdict {
    let name = name_of(container);
    let both = mapping.container_port.is_some() || mapping.host_port.is_some();
    refuse_if(both, || format!("Invalid port mapping for container '{name}', cannot specify both single port and port range."))?;
    refuse_if(range_of(range).is_none(), || format!("Invalid 'containerPortRange' setting for container '{name}'."))?;
    refuse_if(*mode == NetworkMode::Host, || "Container port ranges are not supported when networkMode=host.".to_owned())
}

/// `8000-8010`; the first must be below the last.
fn range_of(text: &str) -> Option<RangeInclusive<i32>> {
    let (first, last) = text.split_once('-')?;
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0 && !text.starts_with('+')).map(i32::from);
    let (first, last) = (port(first)?, port(last)?);
    (first < last).then_some(first..=last)
}

/// Lower case letters, digits, `_` and `-`, not starting with `-`.
fn is_port_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=64).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(allowed)
}

/// In these modes the containers of a task share one set of ports.
fn is_shared(mode: &NetworkMode) -> bool {
    matches!(mode, NetworkMode::Awsvpc | NetworkMode::Host)
}

fn mappings<'a>(definition: &Definition<'a>) -> impl Iterator<Item = &'a PortMapping> {
    definition.containers.iter().flat_map(|container| items(&container.port_mappings))
}

fn protocol(mapping: &PortMapping) -> &'static str {
    if mapping.protocol == Some(TransportProtocol::Udp) { "UDP" } else { "TCP" }
}

fn host_ports_are_unique(definition: &Definition) -> Verdict {
    let mut taken = BTreeSet::new();
    let given = mappings(definition).filter_map(|mapping| mapping.host_port.map(|port| (protocol(mapping), port)));
    let twice = given.filter(|(_, port)| *port != 0).find(|port| !taken.insert(*port));
    twice.map_or(Ok(()), |(protocol, port)| refuse(format!("{protocol} host port '{port}' is mapped multiple times in task.")))
}

fn container_ports_are_unique(definition: &Definition) -> Verdict {
    if !is_shared(&definition.mode) {
        return Ok(());
    }
    let mut taken = BTreeSet::new();
    let twice = mappings(definition).flat_map(exposed).find(|port| !taken.insert(*port));
    twice.map_or(Ok(()), |(protocol, port)| {
        refuse(format!("{protocol} container port '{port}' is used multiple times in task when networkMode={}.", definition.mode))
    })
}

fn exposed(mapping: &PortMapping) -> impl Iterator<Item = (&'static str, i32)> {
    let single = mapping.container_port.map(|port| port..=port);
    let range = mapping.container_port_range.as_deref().and_then(range_of).or(single);
    let protocol = protocol(mapping);
    range.into_iter().flatten().map(move |port| (protocol, port))
}

fn names_are_unique(definition: &Definition) -> Verdict {
    let mut taken = BTreeSet::new();
    let repeated = mappings(definition).filter_map(|mapping| mapping.name.as_deref()).any(|name| !taken.insert(name));
    refuse_if(repeated, || format!("When networkMode={}, port mapping name is already used", definition.mode))
}
