//! Links: made in pairs, looked up, deleted. Each is one request on a route socket; the typed messages come from the
//! library, what stands here is which ones, and with which flags.

use super::netlink::{Fault, Frame, Socket};
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NetlinkSerializable, Parseable};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State};
use std::os::fd::RawFd;

/// Containers call their end what Docker calls it.
pub const CONTAINER_LINK: &str = "eth0";

pub struct Link {
    pub index: u32,
    pub name: String,
    pub mtu: u32,
    /// Packets pass. The kernel gets there in the background once both ends are up, and drops them before.
    pub operates: bool,
}

pub struct Pair<'a> {
    pub host_name: &'a str,
    pub host_mac: [u8; 6],
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
    let mut link = up(0);
    link.attributes = vec![
        LinkAttribute::IfName(pair.host_name.into()),
        LinkAttribute::Address(pair.host_mac.to_vec()),
        LinkAttribute::Mtu(pair.mtu),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)))]),
    ];
    act(socket, RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
}

pub fn set_up(socket: &mut Socket, index: u32) -> Result<(), Fault> {
    act(socket, RouteNetlinkMessage::SetLink(up(index)), 0)
}

pub fn delete(socket: &mut Socket, index: u32) -> Result<(), Fault> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    act(socket, RouteNetlinkMessage::DelLink(link), 0)
}

pub fn named(socket: &mut Socket, name: &str) -> Result<Link, Fault> {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.into()));
    let answers = socket.ask(frame(RouteNetlinkMessage::GetLink(link), 0))?;
    answers.iter().find_map(|body| parse(body)).ok_or(Fault::Garbled)
}

pub fn all(socket: &mut Socket) -> Result<Vec<Link>, Fault> {
    let answers = socket.ask(frame(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP))?;
    Ok(answers.iter().filter_map(|body| parse(body)).collect())
}

fn up(index: u32) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link
}

fn parse(body: &[u8]) -> Option<Link> {
    let message = LinkMessage::parse(body).ok()?;
    let mut link = Link { index: message.header.index, name: String::new(), mtu: 0, operates: false };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::OperState(state) => link.operates = state == State::Up,
            _ => {}
        }
    }
    Some(link)
}

pub fn act(socket: &mut Socket, message: RouteNetlinkMessage, flags: u16) -> Result<(), Fault> {
    socket.request(&[frame(message, flags | NLM_F_ACK)])
}

pub fn frame(message: RouteNetlinkMessage, flags: u16) -> Frame {
    let mut body = vec![0; message.buffer_len()];
    message.serialize(&mut body);
    Frame { kind: message.message_type(), flags, body }
}
