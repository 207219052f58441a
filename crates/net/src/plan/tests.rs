use super::*;
use expect_test::{Expect, expect};

fn spec(text: &str) -> PortSpec {
    let (ports, protocol) = text.split_once('/').unwrap();
    let (host, container) = ports.split_once(':').unwrap();
    let (first, last) = container.split_once('-').unwrap_or((container, container));
    PortSpec {
        container_port: first.parse().unwrap(),
        host_port: host.parse().unwrap(),
        protocol: if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp },
        container_port_end: last.parse().unwrap(),
    }
}

/// `host` are ports somebody else on the host has; every line of `attaches` is one attachment.
fn check_ports(start: u64, host: &[u16], attaches: &[&str], expected: Expect) {
    let mut ports = Ports::new(Ipv4Addr::UNSPECIFIED, 100..=109, BTreeSet::from([102]), start);
    let mut claim = |_: Protocol, port: u16| !host.contains(&port);
    let lines: Vec<String> = attaches
        .iter()
        .map(|line| match ports.take(&line.split_whitespace().map(spec).collect::<Vec<_>>(), &mut claim) {
            Ok(bindings) => {
                bindings.iter().map(|b| format!("{}>{}", b.host_port, b.container_port)).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_dynamic_port_skips_reserved_and_foreign_ones() {
    check_ports(
        0,
        &[101, 103],
        &["0:80/tcp 0:81/tcp", "0:80/tcp"],
        expect![[r#"
            100>80 104>81
            105>80"#]],
    );
}

#[test]
fn tcp_and_udp_are_apart() {
    check_ports(
        0,
        &[],
        &["53:53/tcp 53:53/udp", "53:53/udp"],
        expect![[r#"
            53>53 53>53
            Bind for 0.0.0.0:53 failed: port is already allocated"#]],
    );
}

#[test]
fn a_static_port_of_another_process_is_taken() {
    check_ports(0, &[8080], &["8080:80/tcp"], expect!["Bind for 0.0.0.0:8080 failed: port is already allocated"]);
}

#[test]
fn a_refused_attachment_keeps_no_port() {
    check_ports(
        0,
        &[9],
        &["8:80/tcp 9:80/tcp", "8:80/tcp"],
        expect![[r#"
            Bind for 0.0.0.0:9 failed: port is already allocated
            8>80"#]],
    );
}

#[test]
fn the_same_static_port_twice_in_one_attachment_is_taken() {
    check_ports(0, &[], &["8:80/tcp 8:81/tcp"], expect!["Bind for 0.0.0.0:8 failed: port is already allocated"]);
}

#[test]
fn a_range_gets_contiguous_ports() {
    check_ports(
        0,
        &[104],
        &["0:80-82/tcp", "0:80-82/tcp"],
        expect![[r#"
            105>80 106>81 107>82
            no free host port left in the dynamic range"#]],
    );
}

#[test]
fn a_static_range_follows_its_first_port() {
    check_ports(0, &[], &["200:80-82/udp"], expect!["200>80 201>81 202>82"]);
}

#[test]
fn the_search_wraps_and_finds_what_lies_before_its_start() {
    check_ports(
        8,
        &[],
        &["0:1/tcp 0:2/tcp 0:3/tcp", "0:80-81/tcp"],
        expect![[r#"
            108>1 109>2 100>3
            103>80 104>81"#]],
    );
    check_ports(8, &[108, 109], &["0:1-2/tcp"], expect!["100>1 101>2"]);
}

#[test]
fn an_exhausted_range_says_so() {
    let nine = "0:1/tcp 0:2/tcp 0:3/tcp 0:4/tcp 0:5/tcp 0:6/tcp 0:7/tcp 0:8/tcp 0:9/tcp";
    check_ports(
        3,
        &[],
        &[nine, "0:1/tcp", "0:1/udp"],
        expect![[r#"
            103>1 104>2 105>3 106>4 107>5 108>6 109>7 100>8 101>9
            no free host port left in the dynamic range
            103>1"#]],
    );
}

#[test]
fn a_range_beyond_the_last_port_is_refused() {
    check_ports(0, &[], &["65535:80-81/tcp"], expect!["no free host port left in the dynamic range"]);
}

#[test]
fn a_freed_port_rests_while_others_are_free() {
    let mut ports = Ports::new(Ipv4Addr::UNSPECIFIED, 100..=109, BTreeSet::new(), 0);
    let mut drawn = Vec::new();
    for _ in 0..11 {
        let bindings = ports.take(&[spec("0:80/tcp")], &mut |_, _| true).unwrap();
        drawn.push(bindings[0].host_port);
        ports.free(&bindings);
    }
    assert_eq!(drawn, [100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 100]);
}

#[test]
fn addresses_cycle_and_never_name_network_gateway_or_broadcast() {
    let mut addresses = Addresses::new("10.0.0.0/29".parse().unwrap(), 3);
    assert_eq!(addresses.gateway(), Ipv4Addr::new(10, 0, 0, 1));
    let mut last_octets = Vec::new();
    while let Ok(address) = addresses.take() {
        last_octets.push(address.octets()[3]);
    }
    assert_eq!(last_octets, [5, 6, 2, 3, 4]);
    assert_eq!(addresses.take().unwrap_err().to_string(), "no free address left in 10.0.0.0/29");
    addresses.free(Ipv4Addr::new(10, 0, 0, 3));
    assert_eq!(addresses.take().unwrap(), Ipv4Addr::new(10, 0, 0, 3));
}

#[test]
fn a_kept_address_is_not_handed_out() {
    let mut addresses = Addresses::new("10.0.0.0/29".parse().unwrap(), 0);
    addresses.keep(Ipv4Addr::new(10, 0, 0, 2));
    assert_eq!(addresses.take().unwrap(), Ipv4Addr::new(10, 0, 0, 3));
}

#[test]
fn subnets_that_overlap_a_route_are_not_free() {
    let choose = |routes: &[&str]| {
        let routes: Vec<Ipv4Net> = routes.iter().map(|route| route.parse().unwrap()).collect();
        free_subnets(&routes).next().map(|subnet| subnet.to_string()).unwrap_or_default()
    };
    assert_eq!(choose(&["0.0.0.0/0", "192.0.2.0/24"]), "172.29.0.0/16");
    assert_eq!(choose(&["172.29.4.0/24"]), "172.28.0.0/16");
    assert_eq!(choose(&["172.16.0.0/12"]), "10.213.0.0/16");
    assert_eq!(choose(&["172.16.0.0/12", "10.0.0.0/8", "192.168.0.0/16"]), "");
}

#[test]
fn the_mac_address_spells_the_address() {
    assert_eq!(mac(Ipv4Addr::new(172, 29, 0, 2)), [0x02, 0x42, 172, 29, 0, 2]);
}
