//! What a container is told of those it links to, besides their addresses: Docker's environment variables of links (moby
//! `daemon/links`). Its own variables come first.

use crate::engine::Facts;
use crate::engine::network::plug_id;
use crate::engine::order::linked;
use std::collections::{BTreeMap, BTreeSet};
use workload::{ContainerSpec, Image};

/// Never passed on.
const PRIVATE: [&str; 2] = ["HOME", "PATH"];

pub fn environment(facts: &Facts, container: &ContainerSpec) -> Vec<(String, String)> {
    let mut environment: BTreeMap<String, String> =
        container.links.iter().filter_map(|link| of_link(facts, container, link)).flatten().collect();
    environment.extend(container.environment.clone());
    environment.into_iter().collect()
}

fn of_link(facts: &Facts, container: &ContainerSpec, link: &str) -> Option<Vec<(String, String)>> {
    let (name, alias) = linked(link);
    let target = facts.spec.container(name)?;
    let address = &facts.attachments.get(&plug_id(&facts.spec, name)?)?.address.as_ref()?.ipv4;
    let image = facts.images.get(name).map(|image| &**image);
    let prefix = alias.to_uppercase().replace('-', "_");
    let mut variables = vec![(format!("{prefix}_NAME"), format!("/{}/{alias}", container.name))];
    let ports = ports(target, image);
    if let Some((port, protocol)) = ports.first() {
        variables.push((format!("{prefix}_PORT"), format!("{protocol}://{address}:{port}")));
    }
    for (port, protocol) in &ports {
        variables.extend(of_port(&prefix, address, *port, protocol));
    }
    variables.extend(passed_on(target, image).map(|(name, value)| (format!("{prefix}_ENV_{name}"), value)));
    Some(variables)
}

fn of_port(prefix: &str, address: &str, port: u16, protocol: &str) -> [(String, String); 4] {
    let name = format!("{prefix}_PORT_{port}_{}", protocol.to_uppercase());
    [
        (format!("{name}_ADDR"), address.to_owned()),
        (format!("{name}_PORT"), port.to_string()),
        (format!("{name}_PROTO"), protocol.to_owned()),
        (name, format!("{protocol}://{address}:{port}")),
    ]
}

/// Exposed by the image (`80/tcp`) or mapped by the definition, lowest first.
fn ports(target: &ContainerSpec, image: Option<&Image>) -> BTreeSet<(u16, String)> {
    let exposed = image.into_iter().flat_map(|image| &image.exposed_ports).filter_map(|text| {
        let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        Some((port.parse().ok()?, protocol.to_owned()))
    });
    let mapped = target.ports.iter().flat_map(|port| {
        let protocol = match port.protocol {
            workload::Protocol::Tcp => "tcp",
            workload::Protocol::Udp => "udp",
        };
        (port.container_port..=port.container_port_end.max(port.container_port)).map(|p| (p, protocol.to_owned()))
    });
    exposed.chain(mapped).collect()
}

fn passed_on(target: &ContainerSpec, image: Option<&Image>) -> impl Iterator<Item = (String, String)> {
    let images = image.into_iter().flat_map(|image| &image.environment).filter_map(|line| line.split_once('='));
    let images = images.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut all: BTreeMap<String, String> = images.collect();
    all.extend(target.environment.clone());
    all.into_iter().filter(|(name, _)| !PRIVATE.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Attachment;
    use expect_test::expect;
    use std::sync::Arc;
    use workload::{Address, PortSpec, Protocol, TaskSpec};

    #[test]
    fn a_link_brings_address_ports_and_environment_below_ones_own() {
        let app = ContainerSpec {
            name: "app".into(),
            links: vec!["db:my-db".into(), "gone".into()],
            environment: [("MY_DB_NAME".to_owned(), "mine".to_owned())].into(),
            ..ContainerSpec::default()
        };
        let port = PortSpec { container_port: 53, host_port: 0, protocol: Protocol::Udp, container_port_end: 53 };
        let db = ContainerSpec {
            name: "db".into(),
            ports: vec![port],
            environment: [("USER".to_owned(), "root".to_owned())].into(),
            ..ContainerSpec::default()
        };
        let image = Image {
            exposed_ports: vec!["5432/tcp".into()],
            environment: vec!["PATH=/bin".into(), "USER=nobody".into(), "LANG=C".into()],
            ..Image::default()
        };
        let address = Some(Address { ipv4: "10.0.0.3".into(), ..Address::default() });
        let attachment = Attachment { address, ..Attachment::default() };
        let facts = Facts {
            spec: Arc::new(TaskSpec { id: "t".into(), containers: vec![app, db], ..TaskSpec::default() }),
            images: [("db".to_owned(), Arc::new(image))].into(),
            attachments: [("t.db".to_owned(), attachment)].into(),
        };
        let environment = environment(&facts, &facts.spec.containers[0]);
        let text: String = environment.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        expect![[r#"
            MY_DB_ENV_LANG=C
            MY_DB_ENV_USER=root
            MY_DB_NAME=mine
            MY_DB_PORT=udp://10.0.0.3:53
            MY_DB_PORT_53_UDP=udp://10.0.0.3:53
            MY_DB_PORT_53_UDP_ADDR=10.0.0.3
            MY_DB_PORT_53_UDP_PORT=53
            MY_DB_PORT_53_UDP_PROTO=udp
            MY_DB_PORT_5432_TCP=tcp://10.0.0.3:5432
            MY_DB_PORT_5432_TCP_ADDR=10.0.0.3
            MY_DB_PORT_5432_TCP_PORT=5432
            MY_DB_PORT_5432_TCP_PROTO=tcp
        "#]]
        .assert_eq(&text);
    }
}
