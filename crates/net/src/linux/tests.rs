//! Against the real kernel, as root. Each test has a host of its own: a fresh network namespace with an uplink to an
//! `outside`, so tests run side by side and the machine's own network is never touched.

use super::*;
use host::{HOST, OUTSIDE, ask_tcp, ask_udp, on_a_host, published};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use workload::Protocol::{Tcp, Udp};

mod host;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[test]
fn container_host_and_outside_reach_each_other_by_address() {
    on_a_host(async |host| {
        let network = host.network();
        let (a, b) = (host.attach(&network, "a", &[]).await, host.attach(&network, "b", &[]).await);
        let gateway = host.gateway(&a);
        assert_eq!(ask_tcp(&host.root, &b.listen(80), b.at(80)).unwrap(), gateway, "host to container");
        assert_eq!(ask_tcp(&a.place, &b.listen(81), b.at(81)).unwrap(), a.ip(), "container to container");
        assert_eq!(ask_tcp(&a.place, &host.listen(82), at(gateway, 82)).unwrap(), a.ip(), "container to gateway");
        assert_eq!(ask_tcp(&a.place, &host.listen(83), at(HOST, 83)).unwrap(), a.ip(), "container to host");
        assert_eq!(ask_tcp(&a.place, &host.listen_outside(84), at(OUTSIDE, 84)).unwrap(), HOST, "to outside, masqueraded");
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_published_tcp_port_is_reached_from_everywhere() {
    on_a_host(async |host| {
        let network = host.network();
        let server = host.attach(&network, "server", &[published(8080, 80, Tcp)]).await;
        let client = host.attach(&network, "client", &[]).await;
        let listener = server.listen(80);
        let gateway = host.gateway(&server);
        assert_eq!(ask_tcp(&host.root, &listener, at(LOOPBACK, 8080)).unwrap(), gateway, "host by 127.0.0.1");
        assert_eq!(ask_tcp(&host.root, &listener, at(HOST, 8080)).unwrap(), HOST, "host by its address");
        assert_eq!(ask_tcp(&host.outside, &listener, at(HOST, 8080)).unwrap(), OUTSIDE, "outside, source kept");
        assert_eq!(ask_tcp(&client.place, &listener, at(HOST, 8080)).unwrap(), gateway, "another container");
        assert_eq!(ask_tcp(&client.place, &listener, at(gateway, 8080)).unwrap(), gateway, "another container by gateway");
        assert_eq!(ask_tcp(&server.place, &listener, at(HOST, 8080)).unwrap(), gateway, "itself");
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_published_udp_port_is_reached_from_everywhere() {
    on_a_host(async |host| {
        let network = host.network();
        let server = host.attach(&network, "server", &[published(5353, 53, Udp)]).await;
        let client = host.attach(&network, "client", &[]).await;
        let socket = server.bind_udp(53);
        for (place, address) in
            [(&host.root, LOOPBACK), (&host.root, HOST), (&host.outside, HOST), (&client.place, HOST), (&server.place, HOST)]
        {
            ask_udp(place, &socket, at(address, 5353)).unwrap_or_else(|error| panic!("{address}: {error}"));
        }
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_udp_sender_that_never_stops_reaches_each_container_in_turn() {
    on_a_host(async |host| {
        let network = host.network();
        let client = host.outside.run(|| std::net::UdpSocket::bind((OUTSIDE, 9999))).unwrap();
        client.send_to(b"nobody is there", at(HOST, 5353)).unwrap();
        for id in ["first", "second"] {
            let server = host.attach(&network, id, &[published(5353, 53, Udp)]).await;
            let socket = server.bind_udp(53);
            client.send_to(b"ping", at(HOST, 5353)).unwrap();
            host::hear(&socket).unwrap();
            network.detach(id).await.unwrap();
            client.send_to(b"nobody is there", at(HOST, 5353)).unwrap();
        }
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn where_iptables_drop_what_is_forwarded_containers_are_let_through() {
    on_a_host(async |host| {
        host.drop_forwarded();
        drop(host.network());
        let network = host.network();
        let server = host.attach(&network, "server", &[published(8080, 80, Tcp)]).await;
        ask_tcp(&host.outside, &server.listen(80), at(HOST, 8080)).unwrap();
        ask_tcp(&server.place, &host.listen_outside(81), at(OUTSIDE, 81)).unwrap();
        assert_eq!(host.rules("FORWARD"), 2, "granted once");
        network.teardown_all().await.unwrap();
        assert_eq!(host.rules("FORWARD"), 0);
    });
}

#[test]
fn where_iptables_drop_what_comes_in_containers_can_ask_about_themselves_and_nothing_else() {
    on_a_host(async |host| {
        host.drop_incoming();
        let listener = host.root.run(|| TcpListener::bind((LOOPBACK, 9000))).unwrap();
        let metadata = Some(Metadata { listener_port: 9000, host_port: 8000 });
        drop(LinuxNetwork::new(Config { metadata, ..host.config() }).unwrap());
        let network = LinuxNetwork::new(Config { metadata, ..host.config() }).unwrap();
        let a = host.attach(&network, "a", &[]).await;
        ask_tcp(&a.place, &listener, at(Ipv4Addr::new(169, 254, 170, 2), 80)).unwrap();
        assert!(ask_tcp(&a.place, &host.listen(82), at(HOST, 82)).is_err());
        assert_eq!(host.rules("INPUT"), 1, "granted once");
        network.teardown_all().await.unwrap();
        assert_eq!(host.rules("INPUT"), 0);
    });
}

#[test]
fn what_the_host_forwards_for_others_is_left_alone() {
    on_a_host(async |host| {
        let network = host.network();
        let lan = host.lan();
        let listener = lan.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80))).unwrap();
        assert_eq!(ask_tcp(&host.outside, &listener, at(host::LAN, 80)).unwrap(), OUTSIDE);
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn outside_reaches_published_ports_only() {
    on_a_host(async |host| {
        let network = host.network();
        let server = host.attach(&network, "server", &[published(8080, 80, Tcp)]).await;
        let listener = server.listen(81);
        assert!(ask_tcp(&host.outside, &listener, server.at(81)).is_err());
        assert!(ask_tcp(&host.outside, &listener, at(HOST, 8081)).is_err());
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn containers_do_not_reach_what_listens_on_the_hosts_loopback() {
    on_a_host(async |host| {
        let network = host.network();
        let a = host.attach(&network, "a", &[]).await;
        let listener = host.root.run(|| TcpListener::bind((LOOPBACK, 9000))).unwrap();
        // As with NET_ADMIN inside: 127.0.0.1 routed to the host instead of looped back.
        a.place.run(|| sysctl::write("net.ipv4.conf.eth0.route_localnet", "1")).unwrap();
        a.route_loopback_out();
        assert!(ask_tcp(&a.place, &listener, at(LOOPBACK, 9000)).is_err());
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn containers_and_the_host_ask_about_themselves_at_one_address() {
    on_a_host(async |host| {
        let listener = host.root.run(|| TcpListener::bind((LOOPBACK, 9000))).unwrap();
        let metadata = Some(Metadata { listener_port: 9000, host_port: 8000 });
        let network = LinuxNetwork::new(Config { metadata, ..host.config() }).unwrap();
        let a = host.attach(&network, "a", &[]).await;
        let address = Ipv4Addr::new(169, 254, 170, 2);
        assert_eq!(ask_tcp(&a.place, &listener, at(address, 80)).unwrap(), a.ip(), "from a container");
        assert_eq!(ask_tcp(&host.root, &listener, at(address, 8000)).unwrap(), HOST, "from the host's own network");
        assert!(ask_tcp(&a.place, &listener, at(address, 8000)).is_err(), "that port is the host's");
        assert!(ask_tcp(&host.outside, &listener, at(address, 80)).is_err(), "from outside");
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_container_cannot_speak_with_anothers_address() {
    on_a_host(async |host| {
        let network = host.network();
        let (a, b) = (host.attach(&network, "a", &[]).await, host.attach(&network, "b", &[]).await);
        let listener = host.root.run(|| std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 7))).unwrap();
        a.pretend_to_be(b.ip());
        for sender in [b.ip(), a.ip()] {
            let socket = a.place.run(|| std::net::UdpSocket::bind((sender, 0))).unwrap();
            socket.send_to(b"ping", at(host.gateway(&a), 7)).unwrap();
        }
        assert_eq!(host::hear(&listener).unwrap(), a.ip());
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_free_address_is_unreachable_at_once() {
    on_a_host(async |host| {
        let network = host.network();
        let (a, b) = (host.attach(&network, "a", &[]).await, host.attach(&network, "b", &[]).await);
        let listener = b.listen(80);
        network.detach("b").await.unwrap();
        let error = ask_tcp(&a.place, &listener, b.at(80)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EHOSTUNREACH));
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_port_in_use_is_taken() {
    on_a_host(async |host| {
        let network = host.network();
        let _listener = host.listen(8080);
        let _socket = host.root.run(|| std::net::UdpSocket::bind((HOST, 5353))).unwrap();
        let refused = async |port| network.attach(host.wish("x", &[port])).await.unwrap_err().to_string();
        assert_eq!(refused(published(8080, 80, Tcp)).await, "Bind for 0.0.0.0:8080 failed: port is already allocated");
        assert_eq!(refused(published(5353, 53, Udp)).await, "Bind for 0.0.0.0:5353 failed: port is already allocated");
        host.attach(&network, "first", &[published(81, 80, Tcp)]).await;
        assert_eq!(refused(published(81, 80, Tcp)).await, "Bind for 0.0.0.0:81 failed: port is already allocated");
        assert_eq!(network.list().await.unwrap().len(), 1);
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_published_port_is_closed_to_other_processes_until_detached() {
    on_a_host(async |host| {
        let network = host.network();
        host.attach(&network, "a", &[published(8080, 80, Tcp)]).await;
        let listen = || host.root.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)));
        assert_eq!(listen().unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
        network.detach("a").await.unwrap();
        assert!(listen().is_ok());
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn attaching_again_answers_what_there_is() {
    on_a_host(async |host| {
        let network = host.network();
        let wish = || host.wish("a", &[published(0, 80, Tcp)]);
        let (first, second) = tokio::join!(network.attach(wish()), network.attach(wish()));
        let third = network.attach(wish()).await;
        assert_eq!((first.as_ref().unwrap(), first.as_ref().unwrap()), (second.as_ref().unwrap(), third.as_ref().unwrap()));
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn two_hundred_attachments_come_and_go_without_a_trace() {
    on_a_host(async |host| {
        let network = host.network();
        host.settle(&network).await;
        let before = host.traces();
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..200 {
            let second = if i % 20 == 0 { Udp } else { Tcp };
            let wish = host.wish(&format!("task{i}.web"), &[published(0, 80, Tcp), published(0, 53, second)]);
            let attachment = network.attach(wish).await.unwrap();
            for binding in &attachment.bindings {
                assert!(seen.insert((binding.protocol, binding.host_port)), "{binding:?} came twice");
            }
        }
        assert_eq!(network.list().await.unwrap().len(), 200);
        assert_eq!(host.published_ports(), 400);
        for i in 0..200 {
            network.detach(&format!("task{i}.web")).await.unwrap();
        }
        assert_eq!(network.list().await.unwrap(), []);
        host.settle(&network).await;
        assert_eq!(host.traces(), before);
        network.teardown_all().await.unwrap();
        host.is_clean();
    });
}

#[test]
fn a_successor_lists_and_serves_what_its_predecessor_attached() {
    on_a_host(async |host| {
        let network = host.network();
        let server = host.attach(&network, "server", &[published(8080, 80, Tcp)]).await;
        let listener = server.listen(80);
        let before = network.list().await.unwrap();
        drop(network);
        let network = host.network();
        assert_eq!(network.list().await.unwrap(), before);
        ask_tcp(&host.outside, &listener, at(HOST, 8080)).unwrap();
        let error = network.attach(host.wish("other", &[published(8080, 80, Tcp)])).await.unwrap_err();
        assert!(matches!(error, Error::PortTaken(8080)));
        let other = host.attach(&network, "other", &[]).await;
        assert_ne!(other.ip(), server.ip());
        network.detach("server").await.unwrap();
        network.detach("server").await.unwrap();
        host.attach(&network, "again", &[published(8080, 80, Tcp)]).await;
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_port_somebody_withdrew_does_not_keep_the_others() {
    on_a_host(async |host| {
        let network = host.network();
        let a = host.attach(&network, "a", &[published(80, 80, Tcp), published(81, 80, Tcp)]).await;
        host.withdraw(&a.attachment.bindings[..1]);
        network.detach("a").await.unwrap();
        assert_eq!(host.published_ports(), 0);
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_half_made_attachment_is_cleaned_up() {
    on_a_host(async |host| {
        let network = host.network();
        for id in ["nameless", "linkless", "whole"] {
            host.attach(&network, id, &[published(0, 80, Tcp)]).await;
        }
        drop(network);
        netns::forget(&host.netns("nameless")).unwrap();
        host.delete_link_of("linkless");
        std::fs::write(host.dir().join("attachments/torn.json"), "{").unwrap();
        std::fs::write(host.dir().join("netns/stray"), "").unwrap();
        let network = host.network();
        let ids: Vec<String> = network.list().await.unwrap().into_iter().map(|attachment| attachment.id).collect();
        assert_eq!(ids, ["whole"]);
        assert_eq!(host.files(), ["attachments/whole.json", "netns/whole"]);
        network.teardown_all().await.unwrap();
        host.is_clean();
    });
}

#[test]
fn after_a_reboot_nothing_is_attached() {
    on_a_host(async |host| {
        let network = host.network();
        host.attach(&network, "a", &[published(8080, 80, Tcp)]).await;
        drop(network);
        netns::forget(&host.netns("a")).unwrap();
        std::fs::write(host.netns("a"), "").unwrap();
        let network = host.network();
        assert_eq!(network.list().await.unwrap(), []);
        host.attach(&network, "a", &[published(8080, 80, Tcp)]).await;
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn without_a_network_there_is_only_loopback() {
    on_a_host(async |host| {
        let network = host.network();
        let wish = Attach { connected: false, ..host.wish("a", &[published(80, 80, Tcp)]) };
        let attachment = network.attach(wish).await.unwrap();
        assert_eq!((&attachment.address, attachment.bindings.len()), (&None, 0));
        let place = host.place(&attachment);
        assert_eq!(place.links(), ["lo"]);
        let listener = place.run(|| TcpListener::bind((LOOPBACK, 80))).unwrap();
        assert_eq!(ask_tcp(&place, &listener, at(LOOPBACK, 80)).unwrap(), LOOPBACK);
        network.teardown_all().await.unwrap();
        host.is_clean();
    });
}

#[test]
fn network_sysctls_are_set_inside_and_others_refused() {
    on_a_host(async |host| {
        let network = host.network();
        let with = |id: &str, name: &str| {
            let sysctls = [(name.to_owned(), "123".to_owned())].into();
            Attach { sysctls, ..host.wish(id, &[published(8080, 80, Tcp)]) }
        };
        let error = network.attach(with("b", "kernel.shmmni")).await.unwrap_err();
        assert_eq!(error.to_string(), "setting sysctls of b: kernel.shmmni is no network sysctl");
        let a = network.attach(with("a", "net.core.somaxconn")).await.unwrap();
        assert_eq!(host.place(&a).run(|| sysctl::read("net.core.somaxconn")).unwrap(), "123");
        assert_ne!(host.root.run(|| sysctl::read("net.core.somaxconn")).unwrap(), "123");
        network.teardown_all().await.unwrap();
        host.is_clean();
    });
}

#[test]
fn a_state_directory_serves_one_process() {
    on_a_host(async |host| {
        let network = host.network();
        let error = LinuxNetwork::new(host.config()).err().unwrap().to_string();
        assert!(error.contains("is in use"), "{error}");
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn networks_of_different_names_live_side_by_side() {
    on_a_host(async |host| {
        let other_dir = tempfile::tempdir().unwrap();
        let same_name = Config { state_dir: other_dir.path().into(), ..host.config() };
        let other_name = Config { table: "other".into(), link_prefix: "oth".into(), ..same_name.clone() };
        let network = host.network();
        let error = LinuxNetwork::new(same_name).err().unwrap().to_string();
        assert!(error.starts_with("another process has the network slipway"), "{error}");
        let other = LinuxNetwork::new(other_name).unwrap();
        let a = host.attach(&network, "a", &[published(80, 80, Tcp)]).await;
        let b = host.attach(&other, "b", &[published(81, 80, Tcp)]).await;
        assert_ne!(a.ip().octets()[..2], b.ip().octets()[..2]);
        ask_tcp(&host.outside, &a.listen(80), at(HOST, 80)).unwrap();
        ask_tcp(&host.outside, &b.listen(80), at(HOST, 81)).unwrap();
        other.teardown_all().await.unwrap();
        network.teardown_all().await.unwrap();
        host.is_clean();
    });
}

#[test]
fn neighbours_publish_the_same_port_each_at_its_own_address_and_see_each_other_as_they_are() {
    on_a_host(async |host| {
        let range = Range::claim(&host.dir().join("range.json"), None).unwrap();
        let neighbour = |number: usize| {
            let neighbours = Neighbours { range: range.subnet, link_prefix: "nei".into() };
            LinuxNetwork::new(Config {
                state_dir: host.dir().join(number.to_string()),
                table: format!("neighbour-{number}"),
                link_prefix: format!("nei{number}"),
                subnet: range.part(number),
                neighbours: Some(neighbours),
                ..host.config()
            })
            .unwrap()
        };
        let networks = [neighbour(1), neighbour(2)];
        let (a, b) = (
            host.attach(&networks[0], "a", &[published(8080, 80, Tcp)]).await,
            host.attach(&networks[1], "b", &[published(8080, 80, Tcp)]).await,
        );
        for container in [&a, &b] {
            let (own, listener) = (host.gateway(container), container.listen(80));
            assert_eq!(container.attachment.bindings[0].bind_ip, own.to_string());
            ask_tcp(&host.root, &listener, at(own, 8080)).unwrap();
            assert!(ask_tcp(&host.outside, &listener, container.at(80)).is_err(), "not published");
        }
        assert!(ask_tcp(&host.root, &a.listen(80), at(HOST, 8080)).is_err(), "not at the host's own address");
        assert_eq!(ask_tcp(&a.place, &b.listen(80), at(host.gateway(&b), 8080)).unwrap(), a.ip(), "by the neighbour's address");
        assert_eq!(ask_tcp(&a.place, &b.listen(81), b.at(81)).unwrap(), a.ip(), "directly");
        ask_tcp(&a.place, &a.listen(80), at(host.gateway(&a), 8080)).unwrap();
        for network in networks.into_iter().rev() {
            network.teardown_all().await.unwrap();
        }
        host.is_clean();
        assert!(host.root.run(|| TcpListener::bind((host.gateway(&a), 0))).is_err(), "the address is given up");
    });
}

#[test]
fn a_range_is_kept() {
    on_a_host(async |host| {
        let path = host.dir().join("range.json");
        let (first, other) = (Range::claim(&path, None).unwrap(), Range::claim(&host.dir().join("other.json"), None).unwrap());
        assert_ne!(first.subnet, other.subnet);
        let before = first.subnet;
        drop((first, other));
        let _taken = Range::claim(&host.dir().join("third.json"), Some("172.28.0.0/16".parse().unwrap())).unwrap();
        assert_eq!(Range::claim(&path, None).unwrap().subnet, before);
        assert_eq!(Range::claim(&path, None).unwrap().part(7).unwrap().to_string(), "172.29.7.0/24");
    });
}

#[test]
fn an_abandoned_subnet_is_taken_again() {
    on_a_host(async |host| {
        let network = host.network();
        let before = host.attach(&network, "a", &[]).await.ip();
        network.detach("a").await.unwrap();
        drop(network);
        std::fs::remove_file(host.dir().join("host.json")).unwrap();
        let network = host.network();
        assert_eq!(host.attach(&network, "a", &[]).await.ip().octets()[..2], before.octets()[..2]);
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_link_prefix_that_leaves_no_room_is_refused() {
    on_a_host(async |host| {
        for prefix in ["", "slipways", "sl-"] {
            let config = Config { link_prefix: prefix.into(), ..host.config() };
            assert!(LinuxNetwork::new(config).is_err(), "{prefix:?}");
        }
    });
}

#[test]
fn an_id_that_leads_elsewhere_is_refused() {
    on_a_host(async |host| {
        let network = host.network();
        for id in ["", "..", "a/b", ".x"] {
            assert!(network.attach(host.wish(id, &[])).await.is_err(), "{id:?}");
        }
        network.teardown_all().await.unwrap();
    });
}

#[test]
fn a_small_subnet_runs_out_and_recovers() {
    on_a_host(async |host| {
        let network = LinuxNetwork::new(Config { subnet: Some("10.9.0.0/30".parse().unwrap()), ..host.config() }).unwrap();
        host.attach(&network, "a", &[]).await;
        let error = network.attach(host.wish("b", &[])).await.unwrap_err();
        assert_eq!(error.to_string(), "no free address left in 10.9.0.0/30");
        network.detach("a").await.unwrap();
        host.attach(&network, "b", &[]).await;
        network.teardown_all().await.unwrap();
    });
}

fn at(address: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddrV4::new(address, port).into()
}

/// `cargo test -p net --lib latency -- --ignored --nocapture`
#[test]
#[ignore = "measures, asserts nothing"]
fn attach_latency() {
    on_a_host(async |host| {
        let network = host.network();
        for (name, pause) in [("warm pool", true), ("back to back", false)] {
            let (mut attached, mut detached) = (Vec::new(), Vec::new());
            for i in 0..200 {
                if pause {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                let wish = host.wish(&format!("{name}{i}"), &[published(0, 80, Tcp)]);
                let start = std::time::Instant::now();
                let attachment = network.attach(wish).await.unwrap();
                attached.push(start.elapsed());
                let start = std::time::Instant::now();
                network.detach(&attachment.id).await.unwrap();
                detached.push(start.elapsed());
            }
            for (what, mut times) in [("attach", attached), ("detach", detached)] {
                times.sort();
                println!("{name}: {what} p50 {:?} min {:?} p90 {:?} max {:?}", times[100], times[0], times[180], times[199]);
            }
        }
        network.teardown_all().await.unwrap();
    });
}
