//! Taking up the state: what an earlier process left whole is kept, what it left half-made is cleaned up, and after a
//! reboot, when nothing of it exists, all of it is. Then the host is prepared.

use super::{Message, Worker, address_of, delete_links};
use crate::linux::Config;
use crate::linux::context::Context;
use crate::linux::hold::Holds;
use crate::linux::netlink::Socket;
use crate::linux::nft::ruleset::Ruleset;
use crate::linux::pool::{Builder, Pool};
use crate::linux::record::{HostRecord, Record, Records};
use crate::linux::{link, netns, sysctl};
use crate::plan::{self, Addresses, Ports};
use crate::{Error, Result};
use base::Rng;
use ipnet::Ipv4Net;
use nix::fcntl::{Flock, FlockArg};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::mpsc::Sender;
use workload::Binding;

/// What containers expect; less only where the way out takes less.
const ETHERNET_MTU: u32 = 1500;

impl Worker {
    pub fn open(config: Config, messages: Sender<Message>) -> Result<Worker> {
        let state_dir = std::path::absolute(&config.state_dir).context(|| config.state_dir.display().to_string())?;
        let records = Records::open(&state_dir)?;
        let lock = lock(&state_dir)?;
        let mut routes = Socket::open(libc::NETLINK_ROUTE).context(|| "opening a route socket")?;
        let mut netfilter = Socket::open(libc::NETLINK_NETFILTER).context(|| "opening a netfilter socket")?;

        let attachments = take_up(&records, &mut routes, &config.link_prefix)?;
        let host = host_record(&records, &mut routes, &config, &attachments)?;
        let ruleset = Ruleset { table: config.table, subnet: host.subnet, link_prefix: config.link_prefix.clone() };
        prepare_host(&host, &ruleset, &attachments, &mut routes, &mut netfilter)?;

        let mut rng = Rng::from_os();
        let dynamic = dynamic_ports(config.dynamic_ports)?;
        let mut ports = Ports::new(dynamic, config.reserved_ports, rng.next_u64());
        let mut addresses = Addresses::new(host.subnet, rng.next_u64());
        let holds = keep(&attachments, &mut addresses, &mut ports);
        let builder = Builder {
            gateway: addresses.gateway(),
            mtu: mtu(&mut routes)?,
            link_prefix: config.link_prefix,
            routes: Socket::open(libc::NETLINK_ROUTE).context(|| "opening a route socket")?,
            rng,
        };
        let done = move |address, outcome| drop(messages.send(Message::Built(address, outcome)));
        let pool = Pool::start(builder, done).context(|| "starting the pool's thread")?;
        Ok(Worker {
            records,
            host,
            ruleset,
            routes,
            netfilter,
            addresses,
            ports,
            holds,
            attachments,
            pool,
            pool_size: config.pool_size,
            ready: VecDeque::new(),
            ordered: 0,
            waiting: VecDeque::new(),
            _lock: lock,
        })
    }
}

fn lock(state_dir: &Path) -> Result<Flock<File>> {
    let path = state_dir.join("lock");
    let file = File::create(&path).context(|| path.display().to_string())?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, errno)| Error::Io { context: format!("{} is in use", state_dir.display()), source: errno.into() })
}

/// The whole attachments; everything else that looks like ours is removed.
fn take_up(records: &Records, routes: &mut Socket, link_prefix: &str) -> Result<BTreeMap<String, Record>> {
    let links: BTreeSet<String> = link::links(routes).context(|| "listing links")?.into_iter().map(|l| l.name).collect();
    let mut whole = BTreeMap::new();
    for record in records.all()? {
        if is_whole(&record, &links) {
            whole.insert(record.attachment.id.clone(), record);
        } else {
            clean_up(records, routes, &record)?;
        }
    }
    for id in records.netns_ids()?.into_iter().filter(|id| !whole.contains_key(id)) {
        netns::forget(&records.netns(&id)).context(|| format!("removing the namespace of {id}"))?;
    }
    let wanted: BTreeSet<&str> = whole.values().filter_map(|record| record.link.as_deref()).collect();
    delete_links(routes, link_prefix, |name| !wanted.contains(name))?;
    Ok(whole)
}

fn is_whole(record: &Record, links: &BTreeSet<String>) -> bool {
    netns::is_named(&record.attachment.netns) && record.link.as_ref().is_none_or(|link| links.contains(link))
}

/// Its ports are in no ruleset any more: that is installed anew, from the whole ones.
fn clean_up(records: &Records, routes: &mut Socket, record: &Record) -> Result<()> {
    let attachment = &record.attachment;
    tracing::info!(id = attachment.id, "removing an attachment that is not whole");
    if let Some(address) = address_of(attachment) {
        link::delete_container_route(routes, address).context(|| format!("deleting the route to {address}"))?;
    }
    netns::forget(&attachment.netns).context(|| attachment.netns.display().to_string())?;
    records.remove(&attachment.id)
}

fn host_record(
    records: &Records,
    routes: &mut Socket,
    config: &Config,
    attachments: &BTreeMap<String, Record>,
) -> Result<HostRecord> {
    match records.host()? {
        Some(host) if config.subnet.is_none_or(|subnet| subnet == host.subnet) => Ok(host),
        Some(host) if attachments.is_empty() => {
            link::delete_unreachable(routes, host.subnet).context(|| "deleting the old subnet's route")?;
            remember(records, HostRecord { subnet: config.subnet.unwrap_or(host.subnet), ..host })
        }
        Some(host) => {
            let message = format!("{} attachments live in {}", attachments.len(), host.subnet);
            Err(Error::Kernel { context: "changing the subnet".into(), message })
        }
        None => {
            let subnet = config.subnet.map_or_else(|| choose_subnet(routes), Ok)?;
            let ip_forward_before = sysctl::read("net.ipv4.ip_forward").context(|| "reading ip_forward")?;
            remember(records, HostRecord { subnet, ip_forward_before })
        }
    }
}

fn remember(records: &Records, host: HostRecord) -> Result<HostRecord> {
    records.write_host(&host)?;
    Ok(host)
}

fn choose_subnet(routes: &mut Socket) -> Result<Ipv4Net> {
    let (covered, _) = link::routes(routes).context(|| "listing routes")?;
    plan::choose_subnet(&covered).ok_or_else(|| Error::Kernel {
        context: "choosing a subnet".into(),
        message: "every candidate collides with a route of this host; configure one".into(),
    })
}

fn prepare_host(
    host: &HostRecord,
    ruleset: &Ruleset,
    attachments: &BTreeMap<String, Record>,
    routes: &mut Socket,
    netfilter: &mut Socket,
) -> Result<()> {
    let published: Vec<(Ipv4Addr, Binding)> = attachments
        .values()
        .filter_map(|record| Some((address_of(&record.attachment)?, &record.attachment.bindings)))
        .flat_map(|(address, bindings)| bindings.iter().map(move |binding| (address, binding.clone())))
        .collect();
    ruleset.install(netfilter, &published).context(|| format!("installing the nf_tables table {}", ruleset.table))?;
    link::add_unreachable(routes, host.subnet).context(|| format!("claiming {}", host.subnet))?;
    if sysctl::read("net.ipv4.ip_forward").context(|| "reading ip_forward")? != "1" {
        sysctl::write("net.ipv4.ip_forward", "1").context(|| "switching forwarding on")?;
    }
    Ok(())
}

fn dynamic_ports(configured: Option<RangeInclusive<u16>>) -> Result<RangeInclusive<u16>> {
    if let Some(range) = configured {
        return Ok(range);
    }
    let name = "net.ipv4.ip_local_port_range";
    let text = sysctl::read(name).context(|| name)?;
    let mut bounds = text.split_whitespace().map(str::parse::<u16>);
    match (bounds.next(), bounds.next()) {
        (Some(Ok(first)), Some(Ok(last))) if first <= last => Ok(first..=last),
        _ => Err(Error::Kernel { context: name.into(), message: format!("{text:?} is no range") }),
    }
}

fn keep(attachments: &BTreeMap<String, Record>, addresses: &mut Addresses, ports: &mut Ports) -> Holds {
    let mut holds = Holds::default();
    for attachment in attachments.values().map(|record| &record.attachment) {
        address_of(attachment).into_iter().for_each(|address| addresses.keep(address));
        for binding in &attachment.bindings {
            ports.keep(binding);
            if !holds.take(binding.protocol, binding.host_port) {
                tracing::warn!(id = attachment.id, port = binding.host_port, "another process listens on a published port");
            }
        }
    }
    holds
}

fn mtu(routes: &mut Socket) -> Result<u32> {
    let (_, default) = link::routes(routes).context(|| "listing routes")?;
    let links = link::links(routes).context(|| "listing links")?;
    let out = links.iter().find(|link| Some(link.index) == default);
    Ok(out.map_or(ETHERNET_MTU, |link| link.mtu.min(ETHERNET_MTU)))
}
