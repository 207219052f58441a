//! Our one table. Its rules never change while the process runs; what changes is the map of published ports, by one
//! element each. Rebuilding it is one transaction, so a restart interrupts no connection.

use super::admission::Admission;
use super::expression::{
    self, Match::Is, Match::IsNot, arrives_through, destination, dnat_by_map, dnat_to, drop, leaves_through, masquerade,
    original_direction, redirected, source, to_tcp_port, to_the_host,
};
use super::{Chain, Element, Map, Transaction, Type};
use crate::linux::Metadata;
use crate::linux::netlink::{Fault, Socket};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use workload::{Binding, Protocol};

/// ECS's, also for the credentials of tasks.
const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
const METADATA_PORT: u16 = 80;
const PUBLISHED: &str = "published";
/// `inet_proto . inet_service` and `ipv4_addr . inet_service`: six bits per type, four bytes per part.
const MAP: Map =
    Map { name: PUBLISHED, key: Type { number: 12 << 6 | 13, bytes: 8 }, data: Type { number: 7 << 6 | 13, bytes: 8 } };

const RAW: Chain = chain("raw", "filter", libc::NF_INET_PRE_ROUTING, libc::NF_IP_PRI_RAW);
const PREROUTING: Chain = chain("prerouting", "nat", libc::NF_INET_PRE_ROUTING, libc::NF_IP_PRI_NAT_DST);
const OUTPUT: Chain = chain("output", "nat", libc::NF_INET_LOCAL_OUT, libc::NF_IP_PRI_NAT_DST);
const POSTROUTING: Chain = chain("postrouting", "nat", libc::NF_INET_POST_ROUTING, libc::NF_IP_PRI_NAT_SRC);
const FORWARD: Chain = chain("forward", "filter", libc::NF_INET_FORWARD, libc::NF_IP_PRI_FILTER);

pub struct Ruleset {
    pub table: String,
    pub subnet: Ipv4Net,
    pub link_prefix: String,
    /// Where ports are published; unspecified: at every address of the host.
    pub address: Ipv4Addr,
    /// Where nobody is a stranger to our containers: our subnet, or also the neighbours'.
    pub range: Ipv4Net,
    /// How the links of those begin.
    pub friends: String,
    pub metadata: Option<Metadata>,
}

type Rule = (&'static Chain, Vec<Vec<expression::Expression>>);

impl Ruleset {
    /// Replaces whatever an earlier process left, with these ports published.
    pub fn install(&self, socket: &mut Socket, published: &[(Ipv4Addr, Binding)]) -> Result<(), Fault> {
        let mut transaction = Transaction::new(&self.table);
        transaction.delete_table();
        transaction.create_table();
        transaction.create_map(&MAP);
        for chain in [&RAW, &PREROUTING, &OUTPUT, &POSTROUTING, &FORWARD] {
            transaction.create_chain(chain);
        }
        for (chain, rule) in self.rules() {
            transaction.append_rule(chain.name, &rule.concat());
        }
        transaction.add_elements(PUBLISHED, &elements(published));
        transaction.commit(socket)
    }

    pub fn remove(&self, socket: &mut Socket) -> Result<(), Fault> {
        let mut transaction = Transaction::new(&self.table);
        transaction.delete_table();
        transaction.commit(socket)
    }

    pub fn publish(&self, socket: &mut Socket, address: Ipv4Addr, bindings: &[Binding]) -> Result<(), Fault> {
        let mut transaction = Transaction::new(&self.table);
        transaction.add_elements(PUBLISHED, &elements_of(address, bindings));
        transaction.commit(socket)
    }

    /// Idempotent: what is gone already, because somebody flushed the map, must not keep the rest.
    pub fn withdraw(&self, socket: &mut Socket, bindings: &[Binding]) -> Result<(), Fault> {
        let mut transaction = Transaction::new(&self.table);
        let keys: Vec<Element> = bindings.iter().map(|binding| Element { key: key(binding), data: vec![] }).collect();
        transaction.delete_elements(PUBLISHED, &keys);
        match transaction.commit(socket) {
            Err(fault) if fault.is(libc::ENOENT) && bindings.len() > 1 => {
                bindings.chunks(1).try_for_each(|binding| self.withdraw(socket, binding))
            }
            Err(fault) if fault.is(libc::ENOENT) => Ok(()),
            other => other,
        }
    }

    pub fn admission(&self) -> Admission<'_> {
        Admission { link_prefix: &self.link_prefix, comment: &self.table }
    }

    fn to_us(&self) -> Vec<expression::Expression> {
        if self.address.is_unspecified() { to_the_host() } else { destination(Is, self.address.into()) }
    }

    fn rules(&self) -> Vec<Rule> {
        let (subnet, links, loopback) = (self.subnet, self.link_prefix.as_str(), loopback());
        let (range, friends) = (self.range, self.friends.as_str());
        let publish = || vec![self.to_us(), dnat_by_map(PUBLISHED)];
        let mut rules = self.metadata.map(|metadata| ask(metadata, links)).unwrap_or_default();
        rules.extend([
            // `route_localnet` lets published ports be reached through 127.0.0.1; it must not let containers reach
            // what listens there (CVE-2020-8558).
            (&RAW, vec![arrives_through(Is, links), destination(Is, loopback), drop()]),
            (&PREROUTING, publish()),
            (&OUTPUT, publish()),
            (&POSTROUTING, vec![source(Is, subnet), destination(IsNot, range), masquerade()]),
            // A container that reaches itself through the host's address must not see itself as the sender.
            (&POSTROUTING, vec![source(Is, subnet), destination(Is, subnet), redirected(Is), masquerade()]),
            (&POSTROUTING, vec![source(Is, loopback), destination(Is, subnet), masquerade()]),
            // From outside, published ports only: the host would otherwise route into the subnet for anybody.
            (
                &FORWARD,
                vec![arrives_through(IsNot, friends), leaves_through(Is, links), original_direction(), redirected(IsNot), drop()],
            ),
        ]);
        rules
    }
}

/// From our links always at port 80; from the host itself at the port that is this server's alone. The answers find their
/// way because the links route loopback addresses (`route_localnet`).
fn ask(metadata: Metadata, links: &str) -> Vec<Rule> {
    let at = |port| [destination(Is, METADATA_ADDRESS.into()), to_tcp_port(port)];
    let answer = || dnat_to(Ipv4Addr::LOCALHOST, metadata.listener_port);
    let [asked, port] = at(METADATA_PORT);
    let from_links = vec![arrives_through(Is, links), asked, port, answer()];
    let [asked, port] = at(metadata.host_port);
    vec![(&PREROUTING, from_links), (&OUTPUT, vec![asked, port, answer()])]
}

const fn chain(name: &'static str, kind: &'static str, hook: i32, priority: i32) -> Chain {
    Chain { name, kind, hook, priority, policy: libc::NF_ACCEPT }
}

fn loopback() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)
}

fn elements(published: &[(Ipv4Addr, Binding)]) -> Vec<Element> {
    published.iter().flat_map(|(address, binding)| elements_of(*address, std::slice::from_ref(binding))).collect()
}

fn elements_of(address: Ipv4Addr, bindings: &[Binding]) -> Vec<Element> {
    bindings.iter().map(|binding| Element { key: key(binding), data: target(address, binding.container_port) }).collect()
}

/// Each part of a concatenation fills a four-byte register.
fn key(binding: &Binding) -> Vec<u8> {
    let protocol = match binding.protocol {
        Protocol::Tcp => libc::IPPROTO_TCP,
        Protocol::Udp => libc::IPPROTO_UDP,
    };
    [[protocol as u8, 0, 0, 0], service(binding.host_port)].concat()
}

fn target(address: Ipv4Addr, port: u16) -> Vec<u8> {
    [address.octets(), service(port)].concat()
}

fn service(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}
