//! Links, addresses and routes, each as one request on a route socket. Typed messages come from the library; what
//! stands here is which ones, and with which flags.

use super::netlink::{Fault, Frame, Socket};
use ipnet::Ipv4Net;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NetlinkSerializable, Parseable};
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteScope, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::Ipv4Addr;
use std::os::fd::RawFd;

/// Containers call their end what Docker calls it.
pub const CONTAINER_LINK: &str = "eth0";
/// Behind every more specific route; free addresses of the subnet answer at once that nobody is there.
const UNREACHABLE_METRIC: u32 = u32::MAX;
const MAIN_TABLE: u8 = RouteHeader::RT_TABLE_MAIN;

pub struct Link {
    pub index: u32,
    pub name: String,
    pub mtu: u32,
}

pub struct Pair<'a> {
    pub host_name: &'a str,
    pub namespace: RawFd,
    pub mac: [u8; 6],
    pub mtu: u32,
}

/// Both ends in one request, the container's already in its namespace; it must be down, as it opens without a peer.
pub fn create_pair(socket: &mut Socket, pair: &Pair) -> Result<(), Fault> {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(CONTAINER_LINK.into()),
        LinkAttribute::NetNsFd(pair.namespace),
        LinkAttribute::Address(pair.mac.to_vec()),
        LinkAttribute::Mtu(pair.mtu),
    ];
    let mut link = up_link(0);
    link.attributes = vec![
        LinkAttribute::IfName(pair.host_name.into()),
        LinkAttribute::Mtu(pair.mtu),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)))]),
    ];
    act(socket, RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
}

pub fn set_up(socket: &mut Socket, index: u32, up: bool) -> Result<(), Fault> {
    let mut link = up_link(index);
    link.header.flags.set(LinkFlags::Up, up);
    act(socket, RouteNetlinkMessage::SetLink(link), 0)
}

pub fn delete(socket: &mut Socket, index: u32) -> Result<(), Fault> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    act(socket, RouteNetlinkMessage::DelLink(link), 0)
}

pub fn index_of(socket: &mut Socket, name: &str) -> Result<u32, Fault> {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.into()));
    let answers = socket.ask(frame(RouteNetlinkMessage::GetLink(link), 0))?;
    answers.iter().find_map(|body| parse_link(body)).map(|link| link.index).ok_or(Fault::Garbled)
}

pub fn links(socket: &mut Socket) -> Result<Vec<Link>, Fault> {
    let answers = socket.ask(frame(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP))?;
    Ok(answers.iter().filter_map(|body| parse_link(body)).collect())
}

/// As a single host: whatever the subnet, there is no neighbour but the other end.
pub fn add_address(socket: &mut Socket, index: u32, address: Ipv4Addr) -> Result<(), Fault> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address.into()), AddressAttribute::Address(address.into())];
    act(socket, RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
}

/// `onlink`: the gateway is no neighbour by address, but it is what answers at the other end.
pub fn add_default_route(socket: &mut Socket, index: u32, gateway: Ipv4Addr) -> Result<(), Fault> {
    let mut route = route(Ipv4Net::default());
    route.header.flags = RouteFlags::Onlink;
    route.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
    route.attributes.push(RouteAttribute::Oif(index));
    act(socket, RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_EXCL)
}

pub fn add_container_route(socket: &mut Socket, index: u32, address: Ipv4Addr) -> Result<(), Fault> {
    let mut route = route(address.into());
    route.header.scope = RouteScope::Link;
    route.attributes.push(RouteAttribute::Oif(index));
    act(socket, RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_REPLACE)
}

/// Idempotent: the route may have gone with its link.
pub fn delete_container_route(socket: &mut Socket, address: Ipv4Addr) -> Result<(), Fault> {
    let mut route = route(address.into());
    route.header.scope = RouteScope::NoWhere;
    unless_gone(act(socket, RouteNetlinkMessage::DelRoute(route), 0))
}

pub fn add_unreachable(socket: &mut Socket, subnet: Ipv4Net) -> Result<(), Fault> {
    act(socket, RouteNetlinkMessage::NewRoute(unreachable(subnet)), NLM_F_CREATE | NLM_F_REPLACE)
}

pub fn delete_unreachable(socket: &mut Socket, subnet: Ipv4Net) -> Result<(), Fault> {
    unless_gone(act(socket, RouteNetlinkMessage::DelRoute(unreachable(subnet)), 0))
}

/// What the main table covers, and the link that leads to the default route's gateway.
pub fn routes(socket: &mut Socket) -> Result<(Vec<Ipv4Net>, Option<u32>), Fault> {
    let mut question = RouteMessage::default();
    question.header.address_family = AddressFamily::Inet;
    let answers = socket.ask(frame(RouteNetlinkMessage::GetRoute(question), NLM_F_DUMP))?;
    let routes: Vec<RouteMessage> = answers.iter().filter_map(|body| RouteMessage::parse(body).ok()).collect();
    let main = || routes.iter().filter(|route| route.header.table == MAIN_TABLE);
    let covered = main().filter_map(destination).collect();
    let default = main().filter(|route| route.header.destination_prefix_length == 0).find_map(leaves_through);
    Ok((covered, default))
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
    message.header.protocol = netlink_packet_route::route::RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.header.destination_prefix_length = destination.prefix_len();
    if destination.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(destination.addr())));
    }
    message
}

fn up_link(index: u32) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link
}

fn parse_link(body: &[u8]) -> Option<Link> {
    let message = LinkMessage::parse(body).ok()?;
    let mut link = Link { index: message.header.index, name: String::new(), mtu: 0 };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            _ => {}
        }
    }
    Some(link)
}

fn unless_gone(result: Result<(), Fault>) -> Result<(), Fault> {
    match result {
        Err(fault) if fault.is(libc::ESRCH) || fault.is(libc::ENODEV) => Ok(()),
        other => other,
    }
}

fn act(socket: &mut Socket, message: RouteNetlinkMessage, flags: u16) -> Result<(), Fault> {
    socket.request(&[frame(message, flags | NLM_F_ACK)])
}

fn frame(message: RouteNetlinkMessage, flags: u16) -> Frame {
    let mut body = vec![0; message.buffer_len()];
    message.serialize(&mut body);
    Frame { kind: message.message_type(), flags, body }
}
