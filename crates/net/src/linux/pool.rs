//! Networks made ahead of the attachments that will want them. A ready one has its address and routes and lacks only a
//! name, so taking it costs next to nothing. A thread builds one per order; the order's fate comes back as a message.
//! What nobody took dies with the process: without a name, the kernel removes namespace and links by itself.

use super::context::Context;
use super::link::{self, CONTAINER_LINK, Pair};
use super::netlink::{Fault, LinkChanges, Socket};
use super::netns::{self, Namespace};
use super::{route, sysctl};
use crate::{Result, plan};
use base::Rng;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread::JoinHandle;

pub struct Ready {
    pub address: Ipv4Addr,
    pub link: String,
    pub namespace: File,
}

pub struct Builder {
    /// The host, on each of its ends.
    pub gateway: Ipv4Addr,
    pub mtu: u32,
    pub link_prefix: String,
    /// In the host's namespace.
    pub routes: Socket,
    pub rng: Rng,
}

/// Orders go to the thread; dropping it lets the last order finish.
pub struct Pool {
    orders: Option<mpsc::Sender<Ipv4Addr>>,
    thread: Option<JoinHandle<()>>,
}

impl Pool {
    pub fn start(mut builder: Builder, done: impl Fn(Ipv4Addr, Result<Ready>) + Send + 'static) -> io::Result<Pool> {
        let (orders, inbox) = mpsc::channel();
        let run = move || {
            for address in inbox {
                done(address, builder.build(address));
            }
        };
        let thread = std::thread::Builder::new().name("network-pool".into()).spawn(run)?;
        Ok(Pool { orders: Some(orders), thread: Some(thread) })
    }

    pub fn order(&self, address: Ipv4Addr) {
        let orders = self.orders.as_ref().expect("orders are taken until the pool is dropped");
        orders.send(address).expect("the thread takes orders until then, too");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Builder {
    fn build(&mut self, address: Ipv4Addr) -> Result<Ready> {
        let mut namespace = bare()?;
        let link = self.connect(&namespace, address).context(|| format!("creating a veth pair for {address}"))?;
        self.set_up_host_end(&link, address)?;
        let changes = LinkChanges::subscribe().context(|| "subscribing to link changes")?;
        self.set_up_container_end(&mut namespace, address).context(|| format!("configuring {address} in its namespace"))?;
        self.await_operation(&link, &changes).context(|| format!("waiting for {link} to operate"))?;
        Ok(Ready { address, link, namespace: namespace.file })
    }

    fn connect(&mut self, namespace: &Namespace, address: Ipv4Addr) -> std::result::Result<String, Fault> {
        loop {
            let name = format!("{}{:08x}", self.link_prefix, self.rng.below(1 << 32));
            let pair = Pair {
                host_name: &name,
                host_mac: plan::mac(self.gateway),
                namespace: namespace.file.as_raw_fd(),
                mac: plan::mac(address),
                mtu: self.mtu,
            };
            match link::create_pair(&mut self.routes, &pair) {
                Err(fault) if fault.is(libc::EEXIST) => continue,
                Err(fault) => return Err(fault),
                Ok(()) => return Ok(name),
            }
        }
    }

    /// Every host end has the gateway's addresses, both of them: they are what containers see the host as.
    fn set_up_host_end(&mut self, link: &str, address: Ipv4Addr) -> Result<()> {
        restrict(link).context(|| format!("configuring {link}"))?;
        let mut lead = || {
            let index = link::named(&mut self.routes, link)?.index;
            route::add_address(&mut self.routes, index, self.gateway)?;
            route::add_neighbour(&mut self.routes, index, address, plan::mac(address))?;
            route::add_container(&mut self.routes, index, address)
        };
        lead().context(|| format!("routing {address} through {link}"))
    }

    /// The end that came up last operates at once, the other in the background; a packet sent before would be lost.
    fn await_operation(&mut self, link: &str, changes: &LinkChanges) -> std::result::Result<(), Fault> {
        while !link::named(&mut self.routes, link)?.operates {
            changes.next()?;
        }
        Ok(())
    }

    fn set_up_container_end(&self, namespace: &mut Namespace, address: Ipv4Addr) -> std::result::Result<(), Fault> {
        let routes = &mut namespace.routes;
        let index = link::named(routes, CONTAINER_LINK)?.index;
        route::add_address(routes, index, address)?;
        link::set_up(routes, index)?;
        route::add_neighbour(routes, index, self.gateway, plan::mac(self.gateway))?;
        route::add_default(routes, index, self.gateway)
    }
}

/// A namespace with loopback only.
pub fn bare() -> Result<Namespace> {
    let mut namespace = netns::create(container_defaults).context(|| "creating a network namespace")?;
    let loopback = link::named(&mut namespace.routes, "lo").and_then(|lo| link::set_up(&mut namespace.routes, lo.index));
    loopback.context(|| "bringing loopback up")?;
    Ok(namespace)
}

/// As Docker sets them: no IPv6 but on loopback, no privilege needed for low ports and for ping.
fn container_defaults() -> io::Result<()> {
    sysctl::write_if_there("net.ipv6.conf.default.disable_ipv6", "1")?;
    sysctl::write("net.ipv4.ip_unprivileged_port_start", "0")?;
    sysctl::write("net.ipv4.ping_group_range", "0 2147483647")
}

/// Strict reverse-path filtering keeps a container to its own address; router advertisements get no hearing.
/// `route_localnet` is for published ports reached through 127.0.0.1; the ruleset closes what else it would open.
fn restrict(link: &str) -> io::Result<()> {
    sysctl::write(&format!("net.ipv4.conf.{link}.rp_filter"), "1")?;
    sysctl::write(&format!("net.ipv4.conf.{link}.route_localnet"), "1")?;
    sysctl::write_if_there(&format!("net.ipv6.conf.{link}.disable_ipv6"), "1")
}
