//! The files that a container finds in /etc because of where it runs, as Docker writes them.

use crate::engine::network::plug_id;
use crate::engine::order::linked;
use crate::engine::{Attachment, Facts};
use std::fmt::Write;
use std::path::Path;
use workload::{ContainerSpec, NetworkMode, TaskSpec};

const LOCAL: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\n\
    ff00::\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";
/// What Docker takes when the host's own resolvers cannot be reached from a container.
const FALLBACK_RESOLVERS: [&str; 2] = ["8.8.8.8", "8.8.4.4"];
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The real resolvers behind the loopback stub of systemd-resolved.
const SYSTEMD_RESOLV_CONF: &str = "/run/systemd/resolve/resolv.conf";
const HOSTS: &str = "/etc/hosts";
/// Stands for the host's own address in `extraHosts`.
const HOST_GATEWAY: &str = "host-gateway";

/// Docker's default is the short container id; awsvpc tasks have the private DNS name of their address; in host mode it is
/// the host's own.
pub fn hostname(facts: &Facts, container: &ContainerSpec, runtime_id: &str, host: &str) -> String {
    let default = || match facts.spec.network_mode {
        NetworkMode::Host => host.to_owned(),
        NetworkMode::Awsvpc => private_dns_name(facts).unwrap_or_else(|| short(runtime_id)),
        NetworkMode::Bridge | NetworkMode::None => short(runtime_id),
    };
    container.hostname.clone().unwrap_or_else(default)
}

fn short(runtime_id: &str) -> String {
    runtime_id.chars().take(12).collect()
}

/// `ip-10-0-0-5.eu-west-1.compute.internal`.
fn private_dns_name(facts: &Facts) -> Option<String> {
    let address = facts.attachments.get(&facts.spec.id)?.address.as_ref()?.ipv4.replace('.', "-");
    let region = facts.spec.region.as_str();
    Some(match region {
        "us-east-1" => format!("ip-{address}.ec2.internal"),
        _ => format!("ip-{address}.{region}.compute.internal"),
    })
}

/// `None`: the host's own file as it is.
pub fn hosts(facts: &Facts, container: &ContainerSpec, hostname: &str) -> Option<String> {
    let spec = &facts.spec;
    if spec.network_mode == NetworkMode::Host {
        let host = || std::fs::read_to_string(HOSTS).unwrap_or_else(|_| LOCAL.to_owned());
        return (!container.extra_hosts.is_empty()).then(|| host() + &extra_hosts(container, "127.0.0.1"));
    }
    let own = attachment(facts, &container.name).and_then(|a| a.address.as_ref());
    let gateway = own.map(|address| address.gateway.as_str()).unwrap_or("127.0.0.1");
    let mut text = LOCAL.to_owned() + &extra_hosts(container, gateway);
    for link in &container.links {
        text += &link_line(facts, link).unwrap_or_default();
    }
    if let Some(own) = own {
        writeln!(text, "{}\t{}", own.ipv4, names(hostname, container.domainname.as_deref())).expect("a string takes all");
    }
    Some(text)
}

/// `web.example.com web`, or `web`.
fn names(hostname: &str, domainname: Option<&str>) -> String {
    match domainname {
        Some(domain) if !domain.is_empty() => format!("{hostname}.{domain} {hostname}"),
        _ => match hostname.split_once('.') {
            Some((short, _)) => format!("{hostname} {short}"),
            None => hostname.to_owned(),
        },
    }
}

fn extra_hosts(container: &ContainerSpec, gateway: &str) -> String {
    let line = |(name, address): &(String, String)| {
        let address = if address == HOST_GATEWAY { gateway } else { address };
        format!("{address}\t{name}\n")
    };
    container.extra_hosts.iter().map(line).collect()
}

/// The linked container under its alias and its name.
fn link_line(facts: &Facts, link: &str) -> Option<String> {
    let (name, alias) = linked(link);
    let address = &attachment(facts, name)?.address.as_ref()?.ipv4;
    let names = if name == alias { name.to_owned() } else { format!("{alias} {name}") };
    Some(format!("{address}\t{names}\n"))
}

fn attachment<'a>(facts: &'a Facts, container: &str) -> Option<&'a Attachment> {
    facts.attachments.get(&plug_id(&facts.spec, container)?)
}

/// `None`: the host's own file as it is.
pub fn resolv_conf(spec: &TaskSpec, container: &ContainerSpec) -> Option<String> {
    let nothing_said = container.dns_servers.is_empty() && container.dns_search_domains.is_empty();
    if spec.network_mode == NetworkMode::Host && nothing_said {
        return None;
    }
    Some(resolver_file(container, &host_resolver()))
}

/// The host's resolver configuration, from where its servers are no loopback stub.
fn host_resolver() -> String {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let own = read(RESOLV_CONF);
    if reachable_servers(&own).next().is_some() { own } else { read(SYSTEMD_RESOLV_CONF) }
}

fn resolver_file(container: &ContainerSpec, host: &str) -> String {
    let mut text = String::new();
    let mut line = |keyword: &str, values: &[&str]| {
        if !values.is_empty() {
            writeln!(text, "{keyword} {}", values.join(" ")).expect("a string takes all");
        }
    };
    let given: Vec<&str> = container.dns_servers.iter().map(String::as_str).collect();
    let inherited: Vec<&str> = reachable_servers(host).collect();
    let servers = [given, inherited, FALLBACK_RESOLVERS.to_vec()].into_iter().find(|servers| !servers.is_empty());
    servers.unwrap_or_default().iter().for_each(|server| line("nameserver", &[server]));
    let search: Vec<&str> = container.dns_search_domains.iter().map(String::as_str).collect();
    line("search", &if search.is_empty() { values(host, "search").collect() } else { search });
    line("options", &values(host, "options").collect::<Vec<_>>());
    text
}

/// A loopback address means another host inside a container.
fn reachable_servers(host: &str) -> impl Iterator<Item = &str> {
    values(host, "nameserver").filter(|server| !server.starts_with("127.") && *server != "::1")
}

fn values<'a>(host: &'a str, keyword: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = host.lines().map(str::split_whitespace);
    lines.filter_map(move |mut words| (words.next() == Some(keyword)).then_some(words)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use workload::Address;

    fn facts(mode: NetworkMode, containers: Vec<ContainerSpec>) -> Facts {
        let spec = TaskSpec { id: "t".into(), region: "eu-west-1".into(), network_mode: mode, containers, ..TaskSpec::default() };
        let address = |n: usize| Address { ipv4: format!("10.0.0.{n}"), gateway: "10.0.0.1".into(), ..Address::default() };
        let ids = spec.containers.iter().filter_map(|c| plug_id(&spec, &c.name)).enumerate();
        let attach = |(n, id)| (id, Attachment { address: Some(address(n + 2)), ..Attachment::default() });
        let attachments = ids.map(attach).collect();
        Facts { spec: Arc::new(spec), images: BTreeMap::new(), attachments }
    }

    fn container(name: &str) -> ContainerSpec {
        ContainerSpec { name: name.into(), ..ContainerSpec::default() }
    }

    fn check(mode: NetworkMode, app: ContainerSpec, expected: Expect) {
        let facts = facts(mode, vec![app, container("db")]);
        let app = &facts.spec.containers[0];
        let hostname = hostname(&facts, app, "0123456789abcdef", "host");
        let hosts = hosts(&facts, app, &hostname);
        let own = hosts.map(|text| text.replace(LOCAL, "")).unwrap_or_else(|| "as the host\n".into());
        expected.assert_eq(&format!("{hostname}\n{own}"));
    }

    #[test]
    fn a_container_knows_itself_its_links_and_extra_hosts() {
        let app = ContainerSpec {
            links: vec!["db:database".into(), "db".into(), "gone".into()],
            extra_hosts: vec![("api".into(), "192.0.2.7".into()), ("host".into(), HOST_GATEWAY.into())],
            ..container("app")
        };
        check(
            NetworkMode::Bridge,
            app,
            expect![[r#"
                0123456789ab
                192.0.2.7	api
                10.0.0.1	host
                10.0.0.3	database db
                10.0.0.3	db
                10.0.0.2	0123456789ab
            "#]],
        );
    }

    #[test]
    fn the_name_is_the_definitions_or_that_of_its_place() {
        let named = ContainerSpec { hostname: Some("web".into()), domainname: Some("example.com".into()), ..container("app") };
        check(
            NetworkMode::Bridge,
            named,
            expect![[r#"
                web
                10.0.0.2	web.example.com web
            "#]],
        );
        check(
            NetworkMode::Awsvpc,
            container("app"),
            expect![[r#"
                ip-10-0-0-3.eu-west-1.compute.internal
                10.0.0.3	ip-10-0-0-3.eu-west-1.compute.internal ip-10-0-0-3
            "#]],
        );
        check(
            NetworkMode::Host,
            container("app"),
            expect![[r#"
                host
                as the host
            "#]],
        );
    }

    fn check_resolver(container: ContainerSpec, host: &str, expected: Expect) {
        expected.assert_eq(&resolver_file(&container, host));
    }

    #[test]
    fn resolvers_are_the_definitions_else_the_hosts_else_reachable_ones() {
        let host = "# generated\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch example.com corp\noptions edns0 trust-ad\n";
        check_resolver(
            container("app"),
            host,
            expect![[r#"
                nameserver 192.0.2.53
                search example.com corp
                options edns0 trust-ad
            "#]],
        );
        let own = ContainerSpec {
            dns_servers: vec!["198.51.100.1".into(), "198.51.100.2".into()],
            dns_search_domains: vec!["local".into()],
            ..container("app")
        };
        check_resolver(
            own,
            host,
            expect![[r#"
                nameserver 198.51.100.1
                nameserver 198.51.100.2
                search local
                options edns0 trust-ad
            "#]],
        );
        check_resolver(
            container("app"),
            "nameserver 127.0.0.1\nnameserver ::1\n",
            expect![[r#"
                nameserver 8.8.8.8
                nameserver 8.8.4.4
            "#]],
        );
    }
}
