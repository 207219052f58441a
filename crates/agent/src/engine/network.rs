//! Which network namespaces a task needs, and which container lives in which.

use std::collections::BTreeMap;
use workload::{Binding, ContainerSpec, NetworkMode, PortSpec, TaskSpec};

/// One namespace to ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Plug {
    /// `task` or `task.container`.
    pub id: String,
    pub connected: bool,
    /// Published on the host.
    pub ports: Vec<PortSpec>,
    pub sysctls: BTreeMap<String, String>,
}

/// `None`: the host's own namespace.
pub fn plug_id(spec: &TaskSpec, container: &str) -> Option<String> {
    match spec.network_mode {
        NetworkMode::Host => None,
        NetworkMode::Awsvpc => Some(spec.id.clone()),
        NetworkMode::Bridge | NetworkMode::None => Some(format!("{}.{container}", spec.id)),
    }
}

/// The task that an attachment belongs to, from its id.
pub fn owner(id: &str) -> &str {
    id.split_once('.').map_or(id, |(task, _)| task)
}

/// The container that it is for; `None` if the task shares it.
pub fn container(id: &str) -> Option<&str> {
    id.split_once('.').map(|(_, container)| container)
}

pub fn plugs(spec: &TaskSpec) -> Vec<Plug> {
    match spec.network_mode {
        NetworkMode::Host => vec![],
        NetworkMode::Awsvpc => vec![shared(spec)],
        NetworkMode::Bridge | NetworkMode::None => spec.containers.iter().map(|c| private(spec, c)).collect(),
    }
}

/// An awsvpc task has an address of its own: its ports are reached there and not published.
fn shared(spec: &TaskSpec) -> Plug {
    let sysctls = spec.containers.iter().flat_map(net_sysctls).collect();
    Plug { id: spec.id.clone(), connected: true, ports: vec![], sysctls }
}

fn private(spec: &TaskSpec, container: &ContainerSpec) -> Plug {
    let connected = spec.network_mode == NetworkMode::Bridge && !container.disable_networking;
    let ports = if connected { container.ports.clone() } else { vec![] };
    let id = format!("{}.{}", spec.id, container.name);
    Plug { id, connected, ports, sysctls: net_sysctls(container).collect() }
}

fn net_sysctls(container: &ContainerSpec) -> impl Iterator<Item = (String, String)> {
    container.sysctls.iter().filter(|(name, _)| name.starts_with("net.")).map(|(n, v)| (n.clone(), v.clone()))
}

/// In host mode a container's ports are the host's.
pub fn host_bindings(container: &ContainerSpec) -> Vec<Binding> {
    let each = |port: &PortSpec| {
        let protocol = port.protocol;
        let last = port.container_port_end.max(port.container_port);
        (port.container_port..=last).map(move |p| Binding {
            bind_ip: "0.0.0.0".into(),
            container_port: p,
            host_port: p,
            protocol,
        })
    };
    container.ports.iter().flat_map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use workload::Protocol;

    fn check(mode: NetworkMode, disable_networking: bool, expected: Expect) {
        let port = PortSpec { container_port: 80, host_port: 0, protocol: Protocol::Tcp, container_port_end: 81 };
        let sysctls = [("net.core.somaxconn", "1024"), ("kernel.msgmax", "1")].map(|(n, v)| (n.into(), v.into()));
        let web = ContainerSpec {
            name: "web".into(),
            ports: vec![port],
            disable_networking,
            sysctls: sysctls.into(),
            ..Default::default()
        };
        let log = ContainerSpec { name: "log".into(), ..Default::default() };
        let spec = TaskSpec { id: "t".into(), network_mode: mode, containers: vec![web, log], ..Default::default() };
        let line = |p: Plug| format!("{} connected={} ports={} {:?}\n", p.id, p.connected, p.ports.len(), p.sysctls);
        expected.assert_eq(&plugs(&spec).into_iter().map(line).collect::<String>());
        let owners: Vec<_> = spec.containers.iter().filter_map(|c| plug_id(&spec, &c.name)).collect();
        assert!(owners.iter().all(|id| owner(id) == "t"));
    }

    #[test]
    fn each_bridge_container_has_a_namespace_of_its_own() {
        check(
            NetworkMode::Bridge,
            false,
            expect![[r#"
                t.web connected=true ports=1 {"net.core.somaxconn": "1024"}
                t.log connected=true ports=0 {}
            "#]],
        );
    }

    #[test]
    fn an_awsvpc_task_shares_one() {
        check(
            NetworkMode::Awsvpc,
            false,
            expect![[r#"
                t connected=true ports=0 {"net.core.somaxconn": "1024"}
            "#]],
        );
    }

    #[test]
    fn mode_none_and_disabled_networking_leave_loopback() {
        let alone = expect![[r#"
            t.web connected=false ports=0 {"net.core.somaxconn": "1024"}
            t.log connected=false ports=0 {}
        "#]];
        check(NetworkMode::None, false, alone);
        check(
            NetworkMode::Bridge,
            true,
            expect![[r#"
                t.web connected=false ports=0 {"net.core.somaxconn": "1024"}
                t.log connected=true ports=0 {}
            "#]],
        );
        check(NetworkMode::Host, false, expect![[""]]);
    }
}
