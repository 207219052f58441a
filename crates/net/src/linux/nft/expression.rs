//! The expressions a rule is made of: load something into a register, compare, look up, act. A rule goes on to its next
//! expression only while all before it matched.

use super::{DATA_VALUE, number, text};
use crate::linux::netlink::{attribute, nest};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
/// `NFT_FIB_RESULT_ADDRTYPE` and `NFTA_FIB_F_DADDR`.
const FIB_ADDRESS_TYPE: u32 = 3;
const FIB_DESTINATION: u32 = 2;
/// `IPS_DST_NAT` of nf_conntrack_common.h.
const STATUS_DNAT: u32 = 1 << 5;
/// Four-byte registers, used side by side for concatenations.
const FIRST: u32 = libc::NFT_REG32_00 as u32;
const SECOND: u32 = libc::NFT_REG32_01 as u32;

const SOURCE_OFFSET: u32 = 12;
const DESTINATION_OFFSET: u32 = 16;
/// Of TCP and of UDP.
const DESTINATION_PORT_OFFSET: u32 = 2;
const TRANSPORT: u32 = libc::NFT_PAYLOAD_TRANSPORT_HEADER as u32;

#[derive(Clone, Debug)]
pub struct Expression {
    name: &'static str,
    data: Vec<Vec<u8>>,
}

impl Expression {
    pub fn attributes(&self) -> Vec<Vec<u8>> {
        vec![text(EXPRESSION_NAME, self.name), nest(EXPRESSION_DATA, &self.data)]
    }
}

#[derive(Clone, Copy)]
pub enum Match {
    Is,
    IsNot,
}

/// `fib daddr type local`: any address the host has.
pub fn to_the_host() -> Vec<Expression> {
    let load = expression("fib", vec![number(1, FIRST), number(2, FIB_ADDRESS_TYPE), number(3, FIB_DESTINATION)]);
    vec![load, compare(Match::Is, &u32::from(libc::RTN_LOCAL).to_ne_bytes())]
}

/// `tcp dport port`.
pub fn to_tcp_port(port: u16) -> Vec<Expression> {
    vec![
        meta(libc::NFT_META_L4PROTO, FIRST),
        compare(Match::Is, &[libc::IPPROTO_TCP as u8]),
        payload(FIRST, TRANSPORT, DESTINATION_PORT_OFFSET, 2),
        compare(Match::Is, &port.to_be_bytes()),
    ]
}

/// `dnat ip to address:port`.
pub fn dnat_to(address: Ipv4Addr, port: u16) -> Vec<Expression> {
    vec![constant(FIRST, &address.octets()), constant(SECOND, &port.to_be_bytes()), dnat()]
}

/// `dnat ip to meta l4proto . th dport map @map`.
pub fn dnat_by_map(map: &str) -> Vec<Expression> {
    vec![
        meta(libc::NFT_META_L4PROTO, FIRST),
        payload(SECOND, TRANSPORT, DESTINATION_PORT_OFFSET, 2),
        expression("lookup", vec![text(1, map), number(2, FIRST), number(3, FIRST)]),
        dnat(),
    ]
}

pub fn source(how: Match, subnet: Ipv4Net) -> Vec<Expression> {
    address(SOURCE_OFFSET, how, subnet)
}

pub fn destination(how: Match, subnet: Ipv4Net) -> Vec<Expression> {
    address(DESTINATION_OFFSET, how, subnet)
}

pub fn arrives_through(how: Match, prefix: &str) -> Vec<Expression> {
    vec![meta(libc::NFT_META_IIFNAME, FIRST), compare(how, prefix.as_bytes())]
}

pub fn leaves_through(how: Match, prefix: &str) -> Vec<Expression> {
    vec![meta(libc::NFT_META_OIFNAME, FIRST), compare(how, prefix.as_bytes())]
}

/// The way its first packet went.
pub fn original_direction() -> Vec<Expression> {
    vec![conntrack(libc::NFT_CT_DIRECTION), compare(Match::Is, &[0])]
}

/// Whether the connection was redirected by a `dnat`.
pub fn redirected(how: Match) -> Vec<Expression> {
    let how = match how {
        Match::Is => Match::IsNot,
        Match::IsNot => Match::Is,
    };
    vec![conntrack(libc::NFT_CT_STATUS), mask(&STATUS_DNAT.to_ne_bytes()), compare(how, &0u32.to_ne_bytes())]
}

pub fn masquerade() -> Vec<Expression> {
    vec![expression("masq", vec![])]
}

/// Packets and bytes, as every rule of iptables has it.
pub fn count() -> Vec<Expression> {
    vec![expression("counter", vec![])]
}

pub fn accept() -> Vec<Expression> {
    verdict(libc::NF_ACCEPT)
}

pub fn drop() -> Vec<Expression> {
    verdict(libc::NF_DROP)
}

fn address(offset: u32, how: Match, subnet: Ipv4Net) -> Vec<Expression> {
    const NETWORK: u32 = libc::NFT_PAYLOAD_NETWORK_HEADER as u32;
    vec![payload(FIRST, NETWORK, offset, 4), mask(&subnet.netmask().octets()), compare(how, &subnet.network().octets())]
}

fn verdict(code: i32) -> Vec<Expression> {
    let verdict = nest(DATA_VERDICT, &[number(VERDICT_CODE, code as u32)]);
    vec![expression("immediate", vec![number(1, libc::NFT_REG_VERDICT as u32), nest(2, &[verdict])])]
}

/// To the address in the first register and the port in the second.
fn dnat() -> Expression {
    let what = [number(1, libc::NFT_NAT_DNAT as u32), number(2, libc::NFPROTO_IPV4 as u32)];
    expression("nat", [what, [number(3, FIRST), number(5, SECOND)]].concat())
}

fn constant(register: u32, bytes: &[u8]) -> Expression {
    expression("immediate", vec![number(1, register), value(2, bytes)])
}

fn meta(key: i32, register: u32) -> Expression {
    expression("meta", vec![number(1, register), number(2, key as u32)])
}

fn conntrack(key: i32) -> Expression {
    expression("ct", vec![number(1, FIRST), number(2, key as u32)])
}

fn payload(register: u32, base: u32, offset: u32, length: u32) -> Expression {
    expression("payload", vec![number(1, register), number(2, base), number(3, offset), number(4, length)])
}

fn mask(mask: &[u8]) -> Expression {
    let zero = vec![0; mask.len()];
    let length = mask.len() as u32;
    expression("bitwise", vec![number(1, FIRST), number(2, FIRST), number(3, length), value(4, mask), value(5, &zero)])
}

/// Compares as many bytes as are given: the beginning of a link's name matches like `name*`.
fn compare(how: Match, bytes: &[u8]) -> Expression {
    let operator = match how {
        Match::Is => libc::NFT_CMP_EQ,
        Match::IsNot => libc::NFT_CMP_NEQ,
    };
    expression("cmp", vec![number(1, FIRST), number(2, operator as u32), value(3, bytes)])
}

fn value(kind: u16, bytes: &[u8]) -> Vec<u8> {
    nest(kind, &[attribute(DATA_VALUE, bytes)])
}

fn expression(name: &'static str, data: Vec<Vec<u8>>) -> Expression {
    Expression { name, data }
}
