//! Another firewall's last word. When the host's iptables drop what they forward, as Docker and ufw have them do, or what
//! is for the host itself, an accept in our own table does not help: the packet must be accepted in theirs as well. Docker
//! keeps a chain for what is forwarded.

use super::expression::{Expression, Match::Is, accept, arrives_through, count, leaves_through, redirected};
use super::{CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, RULE_CHAIN, RULE_HANDLE, RULE_TABLE, RULE_USERDATA, Transaction, text};
use crate::linux::netlink::{Fault, Frame, Socket, attributes};
use netlink_packet_core::NLM_F_DUMP;

/// Of iptables over nf_tables, which every current distribution has.
const TABLE: &str = "filter";
const FORWARD: &str = "FORWARD";
const INPUT: &str = "INPUT";
const DOCKER_USER: &str = "DOCKER-USER";
/// A rule's user data is of this kind when it is a comment; `iptables -S` shows it.
const COMMENT: u8 = 0;
const DROPS: Option<u32> = Some(libc::NF_DROP as u32);

/// What lets the links of this prefix through, found again by its comment.
pub struct Admission<'a> {
    pub link_prefix: &'a str,
    pub comment: &'a str,
}

impl Admission<'_> {
    /// Nothing, while nobody drops.
    pub fn grant(&self, socket: &mut Socket) -> Result<(), Fault> {
        self.let_through(socket)?;
        self.let_in(socket)
    }

    fn let_through(&self, socket: &mut Socket) -> Result<(), Fault> {
        let Some(policy) = policy_of(socket, FORWARD)? else { return Ok(()) };
        let docker_user = policy_of(socket, DOCKER_USER)?.is_some();
        if !docker_user && policy != DROPS {
            return Ok(());
        }
        let chain = if docker_user { DOCKER_USER } else { FORWARD };
        self.accept(socket, chain, [arrives_through(Is, self.link_prefix), leaves_through(Is, self.link_prefix)].to_vec())
    }

    /// What we redirect to the host itself is what containers ask about themselves.
    fn let_in(&self, socket: &mut Socket) -> Result<(), Fault> {
        if policy_of(socket, INPUT)? != Some(DROPS) {
            return Ok(());
        }
        self.accept(socket, INPUT, vec![[arrives_through(Is, self.link_prefix), redirected(Is)].concat()])
    }

    fn accept(&self, socket: &mut Socket, chain: &str, packets: Vec<Vec<Expression>>) -> Result<(), Fault> {
        if !self.rules(socket, chain)?.is_empty() {
            return Ok(());
        }
        tracing::info!(chain, "the host's iptables drop what they have no rule for: accepting containers there");
        let mut transaction = Transaction::new(TABLE);
        for which in packets {
            transaction.insert_rule(chain, &[which, count(), accept()].concat(), &self.userdata());
        }
        transaction.commit(socket)
    }

    pub fn withdraw(&self, socket: &mut Socket) -> Result<(), Fault> {
        for chain in [FORWARD, DOCKER_USER, INPUT] {
            let mut transaction = Transaction::new(TABLE);
            for handle in self.rules(socket, chain)? {
                transaction.delete_rule(chain, &handle);
            }
            transaction.commit(socket)?;
        }
        Ok(())
    }

    /// The handles of our rules in `chain`; none when there is no such chain.
    fn rules(&self, socket: &mut Socket, chain: &str) -> Result<Vec<Vec<u8>>, Fault> {
        let which = vec![text(RULE_TABLE, TABLE), text(RULE_CHAIN, chain)];
        let answers = match socket.ask(question(libc::NFT_MSG_GETRULE, NLM_F_DUMP, which)) {
            Err(fault) if fault.is(libc::ENOENT) => return Ok(vec![]),
            other => other?,
        };
        let userdata = self.userdata();
        let ours = |body: &&Vec<u8>| {
            value(body, RULE_USERDATA) == Some(&userdata) && value(body, RULE_CHAIN) == Some(&zero_ended(chain))
        };
        Ok(answers.iter().filter(ours).filter_map(|body| value(body, RULE_HANDLE).map(<[u8]>::to_vec)).collect())
    }

    fn userdata(&self) -> Vec<u8> {
        let comment = zero_ended(self.comment);
        [vec![COMMENT, comment.len() as u8], comment].concat()
    }
}

/// `None` without the chain, `Some(None)` for a chain that is no hook.
fn policy_of(socket: &mut Socket, chain: &str) -> Result<Option<Option<u32>>, Fault> {
    let which = vec![text(CHAIN_TABLE, TABLE), text(CHAIN_NAME, chain)];
    match socket.ask(question(libc::NFT_MSG_GETCHAIN, 0, which)) {
        Err(fault) if fault.is(libc::ENOENT) => Ok(None),
        Err(fault) => Err(fault),
        Ok(answers) => {
            let policy = answers.first().and_then(|body| value(body, CHAIN_POLICY)?.first_chunk().copied());
            Ok(Some(policy.map(u32::from_be_bytes)))
        }
    }
}

fn question(message: i32, flags: u16, which: Vec<Vec<u8>>) -> Frame {
    let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | message) as u16;
    Frame { kind, flags, body: [super::header(libc::NFPROTO_IPV4, 0), which.concat()].concat() }
}

fn value(body: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(body.get(4..)?).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn zero_ended(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}
