//! Taking up the state: what an earlier process left whole is kept, what it left half-made is cleaned up, and after a
//! reboot, when nothing of it exists, all of it is. Then the host is prepared.

use super::undo::delete_links;
use super::{Message, Worker};
use crate::linux::Config;
use crate::linux::conntrack::Forgetter;
use crate::linux::context::Context;
use crate::linux::hold::Holds;
use crate::linux::lock::Named;
use crate::linux::netlink::Socket;
use crate::linux::nft::ruleset::Ruleset;
use crate::linux::pool::{Builder, Pool};
use crate::linux::record::{HostRecord, Record, Records};
use crate::linux::{link, lock, netns, route, sysctl};
use crate::plan::{self, Addresses, Ports};
use crate::{Error, Result, address_of};
use base::Rng;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::mpsc::Sender;
use workload::Binding;

/// What containers expect; less only where the way out takes less.
const ETHERNET_MTU: u32 = 1500;

impl Worker {
    pub fn open(config: Config, messages: Sender<Message>) -> Result<Worker> {
        check(&config)?;
        let state_dir = std::path::absolute(&config.state_dir).context(|| config.state_dir.display().to_string())?;
        let records = Records::open(&state_dir)?;
        let (directory_lock, table_lock) = (lock::directory(&state_dir)?, lock::table(&config.table)?);
        let mut routes = Socket::open(libc::NETLINK_ROUTE).context(|| "opening a route socket")?;
        let mut netfilter = Socket::open(libc::NETLINK_NETFILTER).context(|| "opening a netfilter socket")?;

        let attachments = take_up(&records, &mut routes, &config.link_prefix)?;
        let (host, subnet_lock) = host_record(&records, &mut routes, &config, &attachments)?;
        let ruleset = ruleset(&config, &host);
        prepare_host(&host, &ruleset, &attachments, &mut routes, &mut netfilter)?;

        let mut rng = Rng::from_os();
        let dynamic = dynamic_ports(config.dynamic_ports)?;
        let mut ports = Ports::new(ruleset.address, dynamic, config.reserved_ports, rng.next_u64());
        let mut addresses = Addresses::new(host.subnet, rng.next_u64());
        let holds = keep(ruleset.address, &attachments, &mut addresses, &mut ports);
        let flows = Socket::open(libc::NETLINK_NETFILTER).context(|| "opening a netfilter socket")?;
        let forgetter = Forgetter::start(flows).context(|| "starting the thread that forgets flows")?;
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
            forgetter,
            pool,
            pool_size: config.pool_size,
            ready: VecDeque::new(),
            ordered: 0,
            waiting: VecDeque::new(),
            _locks: (directory_lock, table_lock, subnet_lock),
        })
    }
}

/// A link's name has at most 15 characters, of which the pool adds eight.
fn check(config: &Config) -> Result<()> {
    let prefix = &config.link_prefix;
    if prefix.is_empty() || prefix.len() > 7 || !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let message = "one to seven letters and digits are needed".into();
        return Err(Error::Kernel { context: format!("link prefix {prefix:?}"), message });
    }
    Ok(())
}

/// The whole attachments; everything else that looks like ours is removed.
fn take_up(records: &Records, routes: &mut Socket, link_prefix: &str) -> Result<BTreeMap<String, Record>> {
    let links: BTreeSet<String> = link::all(routes).context(|| "listing links")?.into_iter().map(|l| l.name).collect();
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
        route::delete_container(routes, address).context(|| format!("deleting the route to {address}"))?;
    }
    netns::forget(&attachment.netns).context(|| attachment.netns.display().to_string())?;
    records.remove(&attachment.id)
}

/// The subnet stays what it was, unless the configuration says otherwise or, while nothing lived in it, another process
/// has taken it.
fn host_record(
    records: &Records,
    routes: &mut Socket,
    config: &Config,
    attachments: &BTreeMap<String, Record>,
) -> Result<(HostRecord, Named)> {
    let before = records.host()?;
    let subnet_before = before.as_ref().map(|host| host.subnet);
    let occupied = subnet_before.filter(|_| !attachments.is_empty());
    let (subnet, subnet_lock) = match (occupied, config.subnet) {
        (Some(occupied), Some(wanted)) if occupied != wanted => {
            let message = format!("{} attachments live in {occupied}", attachments.len());
            return Err(Error::Kernel { context: format!("changing the subnet to {wanted}"), message });
        }
        (Some(subnet), _) | (None, Some(subnet)) => (subnet, lock::subnet(subnet)?),
        (None, None) => choose_subnet(routes, subnet_before)?,
    };
    if let Some(left) = subnet_before.filter(|left| *left != subnet && lock::subnet(*left).is_ok()) {
        route::disclaim(routes, left).context(|| format!("giving {left} up"))?;
    }
    let ip_forward_before = match before {
        Some(host) => host.ip_forward_before,
        None => sysctl::read("net.ipv4.ip_forward").context(|| "reading ip_forward")?,
    };
    let host = HostRecord { subnet, ip_forward_before };
    records.write_host(&host)?;
    Ok((host, subnet_lock))
}

pub fn choose_subnet(routes: &mut Socket, before: Option<Ipv4Net>) -> Result<(Ipv4Net, Named)> {
    let covered = route::all(routes).context(|| "listing routes")?.covered;
    let mut candidates = before.into_iter().chain(plan::free_subnets(&covered));
    candidates.find_map(|subnet| Some((subnet, lock::subnet(subnet).ok()?))).ok_or_else(|| Error::Kernel {
        context: "choosing a subnet".into(),
        message: "every candidate collides with a route of this host; configure one".into(),
    })
}

/// A network with neighbours publishes at the address that its containers see the host at.
fn ruleset(config: &Config, host: &HostRecord) -> Ruleset {
    let (neighbours, link_prefix) = (config.neighbours.as_ref(), config.link_prefix.clone());
    Ruleset {
        friends: neighbours.map_or_else(|| link_prefix.clone(), |neighbours| neighbours.link_prefix.clone()),
        range: neighbours.map_or(host.subnet, |neighbours| neighbours.range),
        address: neighbours.map_or(Ipv4Addr::UNSPECIFIED, |_| Addresses::new(host.subnet, 0).gateway()),
        subnet: host.subnet,
        table: config.table.clone(),
        metadata: config.metadata,
        link_prefix,
    }
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
    ruleset.admission().grant(netfilter).context(|| "letting containers through the host's iptables")?;
    warn_of_legacy_iptables();
    if !ruleset.address.is_unspecified() {
        route::add_host(routes, ruleset.address).context(|| format!("taking the address {}", ruleset.address))?;
    }
    route::claim(routes, host.subnet).context(|| format!("claiming {}", host.subnet))?;
    if sysctl::read("net.ipv4.ip_forward").context(|| "reading ip_forward")? != "1" {
        sysctl::write("net.ipv4.ip_forward", "1").context(|| "switching forwarding on")?;
    }
    Ok(())
}

/// Their rules are out of netlink's reach. Reading the list does not load the module.
fn warn_of_legacy_iptables() {
    let tables = std::fs::read_to_string("/proc/thread-self/net/ip_tables_names").unwrap_or_default();
    if tables.lines().any(|table| table == "filter") {
        tracing::warn!("legacy iptables are in use; if their FORWARD policy is DROP, accept the containers' links there");
    }
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

fn keep(address: Ipv4Addr, attachments: &BTreeMap<String, Record>, addresses: &mut Addresses, ports: &mut Ports) -> Holds {
    let mut holds = Holds::at(address);
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
    let way_out = route::all(routes).context(|| "listing routes")?.way_out;
    let links = link::all(routes).context(|| "listing links")?;
    let out = links.iter().find(|link| Some(link.index) == way_out);
    Ok(out.map_or(ETHERNET_MTU, |link| link.mtu.min(ETHERNET_MTU)))
}
