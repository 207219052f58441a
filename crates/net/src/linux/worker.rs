//! The thread that owns the state: attachments, addresses, ports, sockets to the kernel. One message at a time, so
//! there is nothing to lock. `plan` decides; this performs, and remembers on disk before it touches the kernel.

use super::conntrack::{Forgetter, Stale};
use super::context::Context;
use super::hold::Holds;
use super::netlink::Socket;
use super::nft::ruleset::Ruleset;
use super::pool::{self, Pool, Ready};
use super::record::{self, HostRecord, Record, Records};
use super::{lock, netns, sysctl};
use crate::plan::{Addresses, Ports};
use crate::{Attach, Attachment, Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::net::Ipv4Addr;
use std::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use workload::{Binding, Protocol};

mod open;
mod undo;

pub use open::choose_subnet;

pub type Reply<T> = oneshot::Sender<Result<T>>;

pub enum Message {
    List(Reply<Vec<Attachment>>),
    Attach(Attach, Reply<Attachment>),
    Detach(String, Reply<()>),
    /// From the pool's thread.
    Built(Ipv4Addr, Result<Ready>),
    TearDown(Reply<()>),
    Stop,
}

pub struct Worker {
    records: Records,
    host: HostRecord,
    ruleset: Ruleset,
    routes: Socket,
    netfilter: Socket,
    addresses: Addresses,
    ports: Ports,
    holds: Holds,
    attachments: BTreeMap<String, Record>,
    forgetter: Forgetter,
    pool: Pool,
    pool_size: usize,
    ready: VecDeque<Ready>,
    /// Orders the pool has not answered yet; never fewer than there are waiting.
    ordered: usize,
    waiting: VecDeque<Waiting>,
    _locks: (lock::Directory, lock::Named, lock::Named),
}

/// An attachment that has its ports and lacks a network.
struct Waiting {
    attach: Attach,
    bindings: Vec<Binding>,
    replies: Vec<Reply<Attachment>>,
}

/// What an attachment is given to live in.
struct Home {
    namespace: File,
    connection: Option<(Ipv4Addr, String)>,
}

impl Worker {
    pub fn run(mut self, inbox: Receiver<Message>) {
        self.refill();
        for message in inbox {
            match message {
                Message::List(reply) => answer(reply, Ok(self.list())),
                Message::Attach(attach, reply) => self.attach(attach, reply),
                Message::Detach(id, reply) => answer(reply, self.detach(&id)),
                Message::Built(address, outcome) => self.built(address, outcome),
                Message::TearDown(reply) => return answer(reply, self.tear_down()),
                Message::Stop => return,
            }
        }
    }

    fn list(&self) -> Vec<Attachment> {
        self.attachments.values().map(|record| record.attachment.clone()).collect()
    }

    fn attach(&mut self, attach: Attach, reply: Reply<Attachment>) {
        if let Some(record) = self.attachments.get(&attach.id) {
            answer(reply, Ok(record.attachment.clone()));
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.attach.id == attach.id) {
            waiting.replies.push(reply);
        } else {
            match self.reserve_ports(&attach) {
                Err(error) => answer(reply, Err(error)),
                Ok(bindings) => self.settle(Waiting { attach, bindings, replies: vec![reply] }),
            }
        }
    }

    fn reserve_ports(&mut self, attach: &Attach) -> Result<Vec<Binding>> {
        if !record::is_valid_id(&attach.id) {
            let source = std::io::Error::from(std::io::ErrorKind::InvalidFilename);
            return Err(Error::Io { context: format!("attachment id {:?}", attach.id), source });
        }
        if !attach.connected {
            return Ok(vec![]);
        }
        let mut holds = self.holds.more();
        let bindings = self.ports.take(&attach.ports, &mut |protocol, port| holds.take(protocol, port))?;
        holds.keep_only(&bindings);
        self.holds.absorb(holds);
        Ok(bindings)
    }

    fn settle(&mut self, waiting: Waiting) {
        if waiting.attach.connected {
            self.waiting.push_back(waiting);
            self.serve();
        } else {
            let home = pool::bare().map(|namespace| Home { namespace: namespace.file, connection: None });
            self.move_in(waiting, home);
        }
    }

    fn built(&mut self, address: Ipv4Addr, outcome: Result<Ready>) {
        self.ordered -= 1;
        match outcome {
            Ok(ready) => self.ready.push_back(ready),
            Err(error) => {
                self.addresses.free(address);
                tracing::warn!(%error, %address, "could not make a network");
                if let Some(waiting) = self.waiting.pop_front() {
                    self.move_in(waiting, Err(error));
                }
            }
        }
        self.serve();
    }

    fn serve(&mut self) {
        while !self.ready.is_empty() && !self.waiting.is_empty() {
            let (Some(ready), Some(waiting)) = (self.ready.pop_front(), self.waiting.pop_front()) else { return };
            let home = Home { namespace: ready.namespace, connection: Some((ready.address, ready.link)) };
            self.move_in(waiting, Ok(home));
        }
        if !self.waiting.is_empty() || self.ready.len() < self.pool_size {
            self.refill();
        }
    }

    fn refill(&mut self) {
        while self.ready.len() + self.ordered < self.pool_size + self.waiting.len() {
            match self.addresses.take() {
                Ok(address) => {
                    self.pool.order(address);
                    self.ordered += 1;
                }
                Err(error) => {
                    let hopeless = if self.ordered < self.waiting.len() { self.waiting.pop_back() } else { None };
                    match hopeless {
                        Some(waiting) => self.move_in(waiting, Err(error)),
                        None => return,
                    }
                }
            }
        }
    }

    fn move_in(&mut self, waiting: Waiting, home: Result<Home>) {
        let Waiting { attach, bindings, replies } = waiting;
        let outcome = match home {
            Ok(home) => self.complete(&attach, &bindings, home),
            Err(error) => {
                self.free_ports(&bindings);
                Err(error)
            }
        };
        let udp_ports = udp_ports(&bindings);
        let answer_all = move || {
            for reply in replies {
                answer(reply, outcome.as_ref().map(Attachment::clone).map_err(copy));
            }
        };
        if udp_ports.is_empty() { answer_all() } else { self.forgetter.forget(Stale::Unpublished(udp_ports), answer_all) }
    }

    fn complete(&mut self, attach: &Attach, bindings: &[Binding], home: Home) -> Result<Attachment> {
        let record = self.record(attach, bindings, &home);
        let outcome = self.perform(attach, &record, &home);
        match outcome {
            Ok(()) => {
                self.attachments.insert(attach.id.clone(), record.clone());
                Ok(record.attachment)
            }
            Err(error) => {
                if let Err(error) = self.undo(&record) {
                    tracing::warn!(%error, id = attach.id, "could not clean up a failed attachment");
                }
                Err(error)
            }
        }
    }

    fn record(&self, attach: &Attach, bindings: &[Binding], home: &Home) -> Record {
        let attachment = Attachment {
            id: attach.id.clone(),
            netns: self.records.netns(&attach.id),
            address: home.connection.as_ref().map(|(address, _)| self.addresses.describe(*address)),
            bindings: bindings.to_vec(),
        };
        Record { attachment, link: home.connection.as_ref().map(|(_, link)| link.clone()) }
    }

    /// The name comes last: an attachment that has one is whole.
    fn perform(&mut self, attach: &Attach, record: &Record, home: &Home) -> Result<()> {
        self.records.write(record)?;
        if !attach.sysctls.is_empty() {
            netns::inside(&home.namespace, || attach.sysctls.iter().try_for_each(|(name, value)| set_sysctl(name, value)))
                .context(|| format!("setting sysctls of {}", attach.id))?;
        }
        if let Some((address, _)) = home.connection.as_ref() {
            let bindings = &record.attachment.bindings;
            self.ruleset
                .publish(&mut self.netfilter, *address, bindings)
                .context(|| format!("publishing the ports of {}", attach.id))?;
        }
        netns::name(&home.namespace, &record.attachment.netns).context(|| record.attachment.netns.display().to_string())
    }

    fn detach(&mut self, id: &str) -> Result<()> {
        let position = self.waiting.iter().position(|waiting| waiting.attach.id == id);
        if let Some(waiting) = position.and_then(|position| self.waiting.remove(position)) {
            let message = "detached before it was made".into();
            self.move_in(waiting, Err(Error::Kernel { context: id.to_owned(), message }));
        }
        let Some(record) = self.attachments.get(id).cloned() else { return Ok(()) };
        self.undo(&record)?;
        self.attachments.remove(id);
        Ok(())
    }

    fn free_ports(&mut self, bindings: &[Binding]) {
        self.ports.free(bindings);
        self.holds.free(bindings);
    }
}

/// Only what belongs to the namespace; everything else under /proc/sys would be the host's.
fn set_sysctl(name: &str, value: &str) -> std::io::Result<()> {
    if !name.starts_with("net.") {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, format!("{name} is no network sysctl")));
    }
    sysctl::write(name, value)
}

fn udp_ports(bindings: &[Binding]) -> Vec<u16> {
    bindings.iter().filter(|binding| binding.protocol == Protocol::Udp).map(|binding| binding.host_port).collect()
}

/// Several callers may wait for one outcome.
fn copy(error: &Error) -> Error {
    match error {
        Error::PortTaken(port) => Error::PortTaken(*port),
        Error::NoPortLeft => Error::NoPortLeft,
        Error::NoAddressLeft(subnet) => Error::NoAddressLeft(subnet.clone()),
        Error::Kernel { context, message } => Error::Kernel { context: context.clone(), message: message.clone() },
        Error::Io { context, source } => {
            let copy = std::io::Error::new(source.kind(), source.to_string());
            Error::Io { context: context.clone(), source: copy }
        }
    }
}

/// The caller may have stopped listening; what was done stands, and is listed.
fn answer<T>(reply: Reply<T>, outcome: Result<T>) {
    let _ = reply.send(outcome);
}
