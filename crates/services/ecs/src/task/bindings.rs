//! A container's `networkBindings`: one for each port, but one for all of a `containerPortRange`, whose host ports are as many
//! in a row. Pure.
//! https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_NetworkBinding.html

use api_ecs as api;
use std::ops::RangeInclusive;
use workload::{Binding, Protocol};

type Range = (Protocol, RangeInclusive<u16>);

/// In the order of `bindings`; a range stands where its first port does.
pub fn view(declared: &api::ContainerDefinition, bindings: &[Binding]) -> Vec<api::NetworkBinding> {
    let ranges: Vec<Range> = declared.port_mappings.iter().flatten().filter_map(range).collect();
    bindings.iter().filter_map(|binding| one(&ranges, binding, bindings)).collect()
}

fn range(mapping: &api::PortMapping) -> Option<Range> {
    let (first, last) = mapping.container_port_range.as_deref()?.split_once('-')?;
    let protocol = match mapping.protocol {
        Some(api::TransportProtocol::Udp) => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    Some((protocol, first.trim().parse().ok()?..=last.trim().parse().ok()?))
}

/// `None` for a port that its range's first port speaks for.
fn one(ranges: &[Range], binding: &Binding, all: &[Binding]) -> Option<api::NetworkBinding> {
    let is_in = |range: &Range, binding: &Binding| range.0 == binding.protocol && range.1.contains(&binding.container_port);
    let Some(range) = ranges.iter().find(|range| is_in(range, binding)) else { return Some(single(binding)) };
    let ports = || all.iter().filter(|binding| is_in(range, binding));
    if ports().next() != Some(binding) {
        return None;
    }
    let (first, last) = (ports().map(|port| port.host_port).min()?, ports().map(|port| port.host_port).max()?);
    Some(api::NetworkBinding {
        container_port_range: Some(format!("{}-{}", range.1.start(), range.1.end())),
        host_port_range: Some(format!("{first}-{last}")),
        container_port: None,
        host_port: None,
        ..single(binding)
    })
}

fn single(binding: &Binding) -> api::NetworkBinding {
    let protocol = match binding.protocol {
        Protocol::Tcp => api::TransportProtocol::Tcp,
        Protocol::Udp => api::TransportProtocol::Udp,
    };
    api::NetworkBinding {
        bind_ip: Some(binding.bind_ip.clone()),
        container_port: Some(binding.container_port.into()),
        host_port: Some(binding.host_port.into()),
        protocol: Some(protocol),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn check(mappings: serde_json::Value, ports: &[(u16, u16, Protocol)], expected: Expect) {
        let declared = serde_json::from_value(json!({ "name": "app", "portMappings": mappings })).unwrap();
        let binding = |(container_port, host_port, protocol): &(u16, u16, Protocol)| Binding {
            bind_ip: "0.0.0.0".into(),
            container_port: *container_port,
            host_port: *host_port,
            protocol: *protocol,
        };
        let bindings: Vec<Binding> = ports.iter().map(binding).collect();
        let lines: String = view(&declared, &bindings).iter().map(|b| serde_json::to_string(b).unwrap() + "\n").collect();
        expected.assert_eq(&lines);
    }

    #[test]
    fn a_range_is_one_binding() {
        use Protocol::{Tcp, Udp};
        check(
            json!([{ "containerPort": 80 }]),
            &[(80, 32768, Tcp)],
            expect![[r#"
            {"bindIP":"0.0.0.0","containerPort":80,"hostPort":32768,"protocol":"tcp"}
        "#]],
        );
        check(
            json!([{ "containerPort": 80 }, { "containerPortRange": "90-92" }, { "containerPortRange": "90-91", "protocol": "udp" }]),
            &[(80, 40000, Tcp), (90, 50000, Tcp), (91, 50001, Tcp), (92, 50002, Tcp), (90, 60000, Udp), (91, 60001, Udp)],
            expect![[r#"
                {"bindIP":"0.0.0.0","containerPort":80,"hostPort":40000,"protocol":"tcp"}
                {"bindIP":"0.0.0.0","protocol":"tcp","containerPortRange":"90-92","hostPortRange":"50000-50002"}
                {"bindIP":"0.0.0.0","protocol":"udp","containerPortRange":"90-91","hostPortRange":"60000-60001"}
            "#]],
        );
        check(
            json!([{ "containerPortRange": "7-7" }]),
            &[(7, 7, Tcp)],
            expect![[r#"
            {"bindIP":"0.0.0.0","protocol":"tcp","containerPortRange":"7-7","hostPortRange":"7-7"}
        "#]],
        );
        check(json!([{ "containerPortRange": "7-8" }]), &[], expect![[""]]);
    }
}
