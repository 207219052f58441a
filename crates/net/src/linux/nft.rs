//! nf_tables spoken over netlink, so that no tool need be installed: transactions of tables, chains, maps and rules.
//! Knows how things are said, not what is said; that is `ruleset`. Attribute numbers are linux/netfilter/nf_tables.h's.

pub mod admission;
pub mod expression;
pub mod ruleset;

use super::netlink::{Fault, Frame, Socket, attribute, nest};
use expression::Expression;
use netlink_packet_core::{NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE};

const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const RULE_EXPRESSIONS: u16 = 4;
const RULE_USERDATA: u16 = 7;
const SET_TABLE: u16 = 1;
const SET_NAME: u16 = 2;
const SET_FLAGS: u16 = 3;
const SET_KEY_TYPE: u16 = 4;
const SET_KEY_LENGTH: u16 = 5;
const SET_DATA_TYPE: u16 = 6;
const SET_DATA_LENGTH: u16 = 7;
const SET_ID: u16 = 10;
const ELEMENTS_TABLE: u16 = 1;
const ELEMENTS_SET: u16 = 2;
const ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const LIST_ELEMENT: u16 = 1;
const DATA_VALUE: u16 = 1;
/// An attribute's length has 16 bits; this many elements stay well below.
const ELEMENTS_PER_MESSAGE: usize = 512;

pub struct Chain {
    pub name: &'static str,
    pub kind: &'static str,
    pub hook: i32,
    pub priority: i32,
    pub policy: i32,
}

pub struct Map {
    pub name: &'static str,
    pub key: Type,
    pub data: Type,
}

/// A concatenation of the nft tool's types, so that it prints the map as it would its own.
pub struct Type {
    pub number: u32,
    pub bytes: u32,
}

pub struct Element {
    pub key: Vec<u8>,
    /// Not needed to delete.
    pub data: Vec<u8>,
}

/// What is in it happens at once or not at all.
pub struct Transaction<'a> {
    table: &'a str,
    family: i32,
    frames: Vec<Frame>,
}

impl<'a> Transaction<'a> {
    pub fn new(table: &'a str) -> Transaction<'a> {
        Transaction { table, family: libc::NFPROTO_IPV4, frames: vec![batch(libc::NFNL_MSG_BATCH_BEGIN)] }
    }

    pub fn create_table(&mut self) {
        self.push(libc::NFT_MSG_NEWTABLE, NLM_F_CREATE, vec![text(TABLE_NAME, self.table)]);
    }

    /// Making it first, if need be, is how a transaction deletes what may not be there.
    pub fn delete_table(&mut self) {
        self.create_table();
        self.push(libc::NFT_MSG_DELTABLE, 0, vec![text(TABLE_NAME, self.table)]);
    }

    pub fn create_chain(&mut self, chain: &Chain) {
        let hook = [number(HOOK_NUMBER, chain.hook as u32), number(HOOK_PRIORITY, chain.priority as u32)];
        let attributes = vec![
            text(CHAIN_TABLE, self.table),
            text(CHAIN_NAME, chain.name),
            nest(CHAIN_HOOK, &hook),
            number(CHAIN_POLICY, chain.policy as u32),
            text(CHAIN_TYPE, chain.kind),
        ];
        self.push(libc::NFT_MSG_NEWCHAIN, NLM_F_CREATE, attributes);
    }

    pub fn create_map(&mut self, map: &Map) {
        let attributes = vec![
            text(SET_TABLE, self.table),
            text(SET_NAME, map.name),
            number(SET_FLAGS, libc::NFT_SET_MAP as u32),
            number(SET_KEY_TYPE, map.key.number),
            number(SET_KEY_LENGTH, map.key.bytes),
            number(SET_DATA_TYPE, map.data.number),
            number(SET_DATA_LENGTH, map.data.bytes),
            number(SET_ID, self.frames.len() as u32),
        ];
        self.push(libc::NFT_MSG_NEWSET, NLM_F_CREATE, attributes);
    }

    pub fn append_rule(&mut self, chain: &str, expressions: &[Expression]) {
        self.push(libc::NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, self.rule(chain, expressions));
    }

    /// At the chain's head.
    pub fn insert_rule(&mut self, chain: &str, expressions: &[Expression], userdata: &[u8]) {
        let mut attributes = self.rule(chain, expressions);
        attributes.push(attribute(RULE_USERDATA, userdata));
        self.push(libc::NFT_MSG_NEWRULE, NLM_F_CREATE, attributes);
    }

    pub fn delete_rule(&mut self, chain: &str, handle: &[u8]) {
        let attributes = vec![text(RULE_TABLE, self.table), text(RULE_CHAIN, chain), attribute(RULE_HANDLE, handle)];
        self.push(libc::NFT_MSG_DELRULE, 0, attributes);
    }

    pub fn add_elements(&mut self, map: &str, elements: &[Element]) {
        self.push_elements(libc::NFT_MSG_NEWSETELEM, NLM_F_CREATE, map, elements);
    }

    pub fn delete_elements(&mut self, map: &str, elements: &[Element]) {
        self.push_elements(libc::NFT_MSG_DELSETELEM, 0, map, elements);
    }

    /// The last message's acknowledgement stands for all: any refusal refuses the whole.
    pub fn commit(mut self, socket: &mut Socket) -> Result<(), Fault> {
        if let Some(last) = self.frames.last_mut().filter(|frame| frame.kind != libc::NFNL_MSG_BATCH_BEGIN as u16) {
            last.flags |= NLM_F_ACK;
            self.frames.push(batch(libc::NFNL_MSG_BATCH_END));
            socket.request(&self.frames)?;
        }
        Ok(())
    }

    fn rule(&self, chain: &str, expressions: &[Expression]) -> Vec<Vec<u8>> {
        let list: Vec<Vec<u8>> = expressions.iter().map(|expression| nest(LIST_ELEMENT, &expression.attributes())).collect();
        vec![text(RULE_TABLE, self.table), text(RULE_CHAIN, chain), nest(RULE_EXPRESSIONS, &list)]
    }

    fn push_elements(&mut self, message: i32, flags: u16, map: &str, elements: &[Element]) {
        for some in elements.chunks(ELEMENTS_PER_MESSAGE) {
            let list: Vec<Vec<u8>> = some.iter().map(|element| nest(LIST_ELEMENT, &element.attributes())).collect();
            let attributes = vec![text(ELEMENTS_TABLE, self.table), text(ELEMENTS_SET, map), nest(ELEMENTS, &list)];
            self.push(message, flags, attributes);
        }
    }

    fn push(&mut self, message: i32, flags: u16, attributes: Vec<Vec<u8>>) {
        let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | message) as u16;
        self.frames.push(Frame { kind, flags, body: [header(self.family, 0), attributes.concat()].concat() });
    }
}

impl Element {
    fn attributes(&self) -> Vec<Vec<u8>> {
        let mut attributes = vec![nest(ELEMENT_KEY, &[attribute(DATA_VALUE, &self.key)])];
        if !self.data.is_empty() {
            attributes.push(nest(ELEMENT_DATA, &[attribute(DATA_VALUE, &self.data)]));
        }
        attributes
    }
}

fn batch(kind: i32) -> Frame {
    Frame { kind: kind as u16, flags: 0, body: header(libc::AF_UNSPEC, libc::NFNL_SUBSYS_NFTABLES as u16) }
}

/// `struct nfgenmsg`: family, version 0, resource in network order.
fn header(family: i32, resource: u16) -> Vec<u8> {
    let [high, low] = resource.to_be_bytes();
    vec![family as u8, libc::NFNETLINK_V0 as u8, high, low]
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

/// nf_tables' numbers travel in network order.
fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}
