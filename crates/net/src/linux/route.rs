//! Addresses, neighbours and routes. Nothing is on-link but the other end of a pair: every packet is routed by the host,
//! which is what lets its rules see them all.

use super::link::{act, frame};
use super::netlink::{Fault, Socket};
use ipnet::Ipv4Net;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, Parseable};
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::Ipv4Addr;

/// Who made a route, as `ip route` shows it; 83 is nobody's in iproute2's list.
const OURS: RouteProtocol = RouteProtocol::Other(83);
/// Behind every more specific route; free addresses of the subnet answer at once that nobody is there.
const UNREACHABLE_METRIC: u32 = u32::MAX;
const LOOPBACK: u32 = 1;
const MAIN_TABLE: u8 = RouteHeader::RT_TABLE_MAIN;

/// What the main table leads to.
pub struct Routes {
    /// By anything but a claim.
    pub covered: Vec<Ipv4Net>,
    /// Ours and those of other networks of our kind, see `claim`.
    pub claims: Vec<Ipv4Net>,
    /// The link of the default route.
    pub way_out: Option<u32>,
}

/// As a single host: whatever the subnet, there is no neighbour but the other end.
pub fn add_address(socket: &mut Socket, index: u32, address: Ipv4Addr) -> Result<(), Fault> {
    let message = RouteNetlinkMessage::NewAddress(single(index, address));
    act(socket, message, NLM_F_CREATE | NLM_F_REPLACE)
}

/// One more address of the host itself, whichever links come and go. Loopback always has the first index.
pub fn add_host(socket: &mut Socket, address: Ipv4Addr) -> Result<(), Fault> {
    add_address(socket, LOOPBACK, address)
}

pub fn delete_host(socket: &mut Socket, address: Ipv4Addr) -> Result<(), Fault> {
    match act(socket, RouteNetlinkMessage::DelAddress(single(LOOPBACK, address)), 0) {
        Err(fault) if fault.is(libc::EADDRNOTAVAIL) => Ok(()),
        other => other,
    }
}

fn single(index: u32, address: Ipv4Addr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address.into()), AddressAttribute::Address(address.into())];
    message
}

/// For good: no ARP before the first packet, and no share of the ARP cache, which is one (of 1024) for all namespaces.
pub fn add_neighbour(socket: &mut Socket, index: u32, address: Ipv4Addr, mac: [u8; 6]) -> Result<(), Fault> {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
    ];
    act(socket, RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
}

/// `onlink`: the gateway is no neighbour by address, but it is what answers at the other end.
pub fn add_default(socket: &mut Socket, index: u32, gateway: Ipv4Addr) -> Result<(), Fault> {
    let mut route = route(Ipv4Net::default());
    route.header.flags = RouteFlags::Onlink;
    route.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
    route.attributes.push(RouteAttribute::Oif(index));
    act(socket, RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_EXCL)
}

pub fn add_container(socket: &mut Socket, index: u32, address: Ipv4Addr) -> Result<(), Fault> {
    let mut route = route(address.into());
    route.header.scope = RouteScope::Link;
    route.attributes.push(RouteAttribute::Oif(index));
    act(socket, RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_REPLACE)
}

/// Idempotent: the route may have gone with its link.
pub fn delete_container(socket: &mut Socket, address: Ipv4Addr) -> Result<(), Fault> {
    let mut route = route(address.into());
    route.header.scope = RouteScope::NoWhere;
    unless_gone(act(socket, RouteNetlinkMessage::DelRoute(route), 0))
}

/// Makes the subnet ours in the eyes of others that look for a free one, and its unused addresses unreachable.
pub fn claim(socket: &mut Socket, subnet: Ipv4Net) -> Result<(), Fault> {
    act(socket, RouteNetlinkMessage::NewRoute(unreachable(subnet)), NLM_F_CREATE | NLM_F_REPLACE)
}

pub fn disclaim(socket: &mut Socket, subnet: Ipv4Net) -> Result<(), Fault> {
    unless_gone(act(socket, RouteNetlinkMessage::DelRoute(unreachable(subnet)), 0))
}

pub fn all(socket: &mut Socket) -> Result<Routes, Fault> {
    let mut question = RouteMessage::default();
    question.header.address_family = AddressFamily::Inet;
    let answers = socket.ask(frame(RouteNetlinkMessage::GetRoute(question), NLM_F_DUMP))?;
    let parsed = answers.iter().filter_map(|body| RouteMessage::parse(body).ok());
    let main: Vec<RouteMessage> = parsed.filter(|route| route.header.table == MAIN_TABLE).collect();
    let default = main.iter().filter(|route| route.header.destination_prefix_length == 0);
    let way_out = default.filter_map(leaves_through).next();
    let (claims, others): (Vec<&RouteMessage>, Vec<&RouteMessage>) = main.iter().partition(|route| is_claim(route));
    let destinations = |routes: Vec<&RouteMessage>| routes.into_iter().filter_map(destination).collect();
    Ok(Routes { covered: destinations(others), claims: destinations(claims), way_out })
}

fn is_claim(route: &RouteMessage) -> bool {
    route.header.kind == RouteType::Unreachable && route.header.protocol == OURS
}

fn destination(route: &RouteMessage) -> Option<Ipv4Net> {
    let address = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(*address),
        _ => None,
    });
    Ipv4Net::new(address.unwrap_or(Ipv4Addr::UNSPECIFIED), route.header.destination_prefix_length).ok()
}

fn leaves_through(route: &RouteMessage) -> Option<u32> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })
}

fn unreachable(subnet: Ipv4Net) -> RouteMessage {
    let mut message = route(subnet);
    message.header.kind = RouteType::Unreachable;
    message.attributes.push(RouteAttribute::Priority(UNREACHABLE_METRIC));
    message
}

fn route(destination: Ipv4Net) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.table = MAIN_TABLE;
    message.header.protocol = OURS;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.header.destination_prefix_length = destination.prefix_len();
    if destination.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(destination.addr())));
    }
    message
}

fn unless_gone(result: Result<(), Fault>) -> Result<(), Fault> {
    match result {
        Err(fault) if fault.is(libc::ESRCH) || fault.is(libc::ENODEV) => Ok(()),
        other => other,
    }
}
