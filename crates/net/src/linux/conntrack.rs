//! Forgets flows the kernel still sends by an older rule. A rule is looked at for the first packet of a flow only, and
//! a UDP flow lasts as long as its sender keeps talking: without this, a sender that began before a port was
//! published, or whose container was replaced, would never reach the new one. TCP flows end by themselves. Looking
//! through the kernel's table takes some 10 ms however empty it is, so a thread does it, once for all that ask.

use super::netlink::{Fault, Frame, Socket, attribute, attributes, nest};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP};
use std::io;
use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::thread::JoinHandle;

/// Of linux/netfilter/nfnetlink_conntrack.h.
const GET: i32 = 1;
const DELETE: i32 = 2;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const TUPLE_ADDRESSES: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const SOURCE: u16 = 1;
const DESTINATION: u16 = 2;
const PROTOCOL_NUMBER: u16 = 1;
const DESTINATION_PORT: u16 = 3;

pub enum Stale {
    /// Sent to one of these host ports, and to nobody in a container yet.
    Unpublished(Vec<u16>),
    /// Answered by a container that is gone.
    AnsweredBy(Ipv4Addr),
}

/// Runs behind the search, whether it succeeded or not.
type Then = Box<dyn FnOnce() + Send>;

/// Dropping it waits for what was asked.
pub struct Forgetter {
    jobs: Option<mpsc::Sender<(Stale, Then)>>,
    thread: Option<JoinHandle<()>>,
}

impl Forgetter {
    pub fn start(mut socket: Socket) -> io::Result<Forgetter> {
        let (jobs, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new().name("network-flows".into()).spawn(move || run(&mut socket, &inbox))?;
        Ok(Forgetter { jobs: Some(jobs), thread: Some(thread) })
    }

    pub fn forget(&self, stale: Stale, then: impl FnOnce() + Send + 'static) {
        let jobs = self.jobs.as_ref().expect("jobs are taken until the forgetter is dropped");
        jobs.send((stale, Box::new(then))).expect("the thread takes jobs until then, too");
    }
}

impl Drop for Forgetter {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(socket: &mut Socket, inbox: &mpsc::Receiver<(Stale, Then)>) {
    while let Ok(first) = inbox.recv() {
        let (stale, then): (Vec<Stale>, Vec<Then>) = std::iter::once(first).chain(inbox.try_iter()).unzip();
        // A kernel without this interface serves new flows all the same.
        if let Err(error) = forget_udp(socket, &stale) {
            tracing::warn!(%error, "could not forget stale UDP flows");
        }
        then.into_iter().for_each(|then| then());
    }
}

fn forget_udp(socket: &mut Socket, stale: &[Stale]) -> Result<(), Fault> {
    let flows = socket.ask(frame(GET, NLM_F_DUMP, vec![]))?;
    let udp = flows.iter().filter_map(|body| parse(body)).filter(|flow| i32::from(flow.protocol) == libc::IPPROTO_UDP);
    for flow in udp.filter(|flow| stale.iter().any(|stale| stale.is(flow))) {
        let attributes = vec![nest(TUPLE_ORIGINAL, &[flow.original]), attribute(ID, &flow.id)];
        match socket.request(&[frame(DELETE, NLM_F_ACK, attributes)]) {
            // It ended in the meantime.
            Err(fault) if fault.is(libc::ENOENT) => {}
            other => other?,
        }
    }
    Ok(())
}

/// One flow, as its first packet was addressed, and who answers it.
struct Flow {
    protocol: u8,
    to: Ipv4Addr,
    to_port: u16,
    answered_by: Ipv4Addr,
    original: Vec<u8>,
    id: Vec<u8>,
}

impl Stale {
    fn is(&self, flow: &Flow) -> bool {
        match self {
            Stale::Unpublished(ports) => flow.answered_by == flow.to && ports.contains(&flow.to_port),
            Stale::AnsweredBy(address) => flow.answered_by == *address,
        }
    }
}

fn frame(message: i32, flags: u16, attributes: Vec<Vec<u8>>) -> Frame {
    let header = vec![libc::AF_INET as u8, libc::NFNETLINK_V0 as u8, 0, 0];
    let kind = (libc::NFNL_SUBSYS_CTNETLINK << 8 | message) as u16;
    Frame { kind, flags, body: [header, attributes.concat()].concat() }
}

fn parse(body: &[u8]) -> Option<Flow> {
    let flow = body.get(4..)?;
    let (original, reply) = (find(flow, TUPLE_ORIGINAL)?, find(flow, TUPLE_REPLY)?);
    let protocol = find(original, TUPLE_PROTOCOL)?;
    Some(Flow {
        to: address(original, DESTINATION)?,
        to_port: u16::from_be_bytes(*find(protocol, DESTINATION_PORT)?.first_chunk()?),
        answered_by: address(reply, SOURCE)?,
        protocol: *find(protocol, PROTOCOL_NUMBER)?.first()?,
        original: original.to_vec(),
        id: find(flow, ID)?.to_vec(),
    })
}

fn address(tuple: &[u8], which: u16) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = *find(find(tuple, TUPLE_ADDRESSES)?, which)?.first_chunk()?;
    Some(Ipv4Addr::from(octets))
}

fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}
