//! Which subnet, address and host ports an attachment gets. Pure: what the host holds already is told or asked through
//! a closure. Nothing here touches the kernel, and nothing is picked at random beyond the start it is given.

use crate::{Error, Result};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use workload::{Address, Binding, PortSpec, Protocol};

/// Where containers may live, in order of preference. 172.17.0.0/16 upwards is Docker's, 172.31.0.0/16 AWS's default VPC.
/// The long tail is for hosts on which several servers live side by side, each with a subnet of its own.
fn candidates() -> impl Iterator<Item = Ipv4Net> {
    let first = [[172, 29], [172, 28], [172, 30]].into_iter();
    let tail = (213..=253).map(|second| [10, second]);
    let wide = first.chain(tail).map(|[a, b]| Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), 16));
    wide.chain([Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 224, 0), 20)])
}

/// The ports no task gets by chance: SSH, Docker, and the ECS agent's introspection (ECS reserves the same by default).
pub const RESERVED_PORTS: [u16; 6] = [22, 2375, 2376, 51678, 51679, 51680];

/// The candidates that no route of the host covers or lies in; a default route is no reason against any.
pub fn free_subnets(routes: &[Ipv4Net]) -> impl Iterator<Item = Ipv4Net> {
    let free = |candidate: &Ipv4Net| routes.iter().all(|route| route.prefix_len() == 0 || !overlap(route, candidate));
    candidates().filter(free)
}

fn overlap(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(b) || b.contains(a)
}

/// Docker's form, so that a container's MAC address is known from its address.
pub fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

/// Handed out in turn, so that a freed address rests for a whole cycle before somebody else answers on it.
#[derive(Debug)]
pub struct Addresses {
    subnet: Ipv4Net,
    next: u32,
    taken: BTreeSet<Ipv4Addr>,
}

impl Addresses {
    pub fn new(subnet: Ipv4Net, start: u64) -> Addresses {
        let mut addresses = Addresses { subnet, next: 0, taken: BTreeSet::new() };
        addresses.next = (start % u64::from(addresses.count().max(1))) as u32;
        addresses
    }

    /// The host, as containers see it.
    pub fn gateway(&self) -> Ipv4Addr {
        self.nth(0)
    }

    /// For what an earlier process handed out.
    pub fn keep(&mut self, address: Ipv4Addr) {
        self.taken.insert(address);
    }

    pub fn take(&mut self) -> Result<Ipv4Addr> {
        for _ in 0..self.count() {
            let candidate = self.nth(1 + self.next);
            self.next = (self.next + 1) % self.count();
            if self.taken.insert(candidate) {
                return Ok(candidate);
            }
        }
        Err(Error::NoAddressLeft(self.subnet.to_string()))
    }

    /// As the host's containers and ECS's metadata have it.
    pub fn describe(&self, address: Ipv4Addr) -> Address {
        Address {
            ipv4: address.to_string(),
            mac: mac(address).map(|byte| format!("{byte:02x}")).join(":"),
            gateway: self.gateway().to_string(),
            prefix: self.subnet.prefix_len(),
        }
    }

    pub fn free(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address);
    }

    /// All but the network's own, the gateway's and the broadcast address.
    fn count(&self) -> u32 {
        (1u32 << (32 - self.subnet.prefix_len())).saturating_sub(3)
    }

    fn nth(&self, host: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.subnet.network().to_bits() + 1 + host)
    }
}

/// One ledger of host ports for all attachments.
#[derive(Debug)]
pub struct Ports {
    /// Unspecified: every address of the host.
    address: Ipv4Addr,
    dynamic: RangeInclusive<u16>,
    reserved: BTreeSet<u16>,
    next: u16,
    taken: BTreeSet<(Protocol, u16)>,
}

impl Ports {
    pub fn new(address: Ipv4Addr, dynamic: RangeInclusive<u16>, reserved: BTreeSet<u16>, start: u64) -> Ports {
        let span = u64::from(dynamic.end().saturating_sub(*dynamic.start())) + 1;
        let next = dynamic.start() + (start % span) as u16;
        Ports { address, dynamic, reserved, next, taken: BTreeSet::new() }
    }

    pub fn keep(&mut self, binding: &Binding) {
        self.taken.insert((binding.protocol, binding.host_port));
    }

    pub fn free(&mut self, bindings: &[Binding]) {
        for binding in bindings {
            self.taken.remove(&(binding.protocol, binding.host_port));
        }
    }

    /// All of `specs` or nothing. `claim` asks the host whether a port nobody here has is free there too.
    pub fn take(&mut self, specs: &[PortSpec], claim: &mut dyn FnMut(Protocol, u16) -> bool) -> Result<Vec<Binding>> {
        let mut bindings = Vec::new();
        for spec in specs {
            match self.first_host_port(spec, claim) {
                Ok(first) => bindings.extend(self.bind(spec, first)),
                Err(error) => {
                    self.free(&bindings);
                    return Err(error);
                }
            }
        }
        Ok(bindings)
    }

    fn bind(&mut self, spec: &PortSpec, first: u16) -> Vec<Binding> {
        let bindings: Vec<Binding> = (0..width(spec))
            .map(|i| Binding {
                bind_ip: self.address.to_string(),
                container_port: spec.container_port + i,
                host_port: first + i,
                protocol: spec.protocol,
            })
            .collect();
        bindings.iter().for_each(|binding| self.keep(binding));
        bindings
    }

    fn first_host_port(&mut self, spec: &PortSpec, claim: &mut dyn FnMut(Protocol, u16) -> bool) -> Result<u16> {
        match spec.host_port {
            0 => self.dynamic_run(spec, claim),
            first => self.exactly(spec, first, claim),
        }
    }

    fn exactly(&self, spec: &PortSpec, first: u16, claim: &mut dyn FnMut(Protocol, u16) -> bool) -> Result<u16> {
        for i in 0..width(spec) {
            let port = first.checked_add(i).ok_or(Error::NoPortLeft)?;
            if self.taken.contains(&(spec.protocol, port)) || !claim(spec.protocol, port) {
                return Err(Error::PortTaken(port));
            }
        }
        Ok(first)
    }

    /// A containerPortRange gets contiguous host ports, as the ECS agent gives it.
    fn dynamic_run(&mut self, spec: &PortSpec, claim: &mut dyn FnMut(Protocol, u16) -> bool) -> Result<u16> {
        let start = self.run_from(self.next, spec, claim).or_else(|| self.run_from(*self.dynamic.start(), spec, claim));
        let start = start.ok_or(Error::NoPortLeft)?;
        self.next = self.after(start + (width(spec) - 1));
        Ok(start)
    }

    /// The first port from `start` on with which a run of free ones begins.
    fn run_from(&self, start: u16, spec: &PortSpec, claim: &mut dyn FnMut(Protocol, u16) -> bool) -> Option<u16> {
        let mut start = start;
        loop {
            let last = start.checked_add(width(spec) - 1).filter(|last| self.dynamic.contains(last))?;
            match (start..=last).find(|port| !self.is_free(spec.protocol, *port, claim)) {
                None => return Some(start),
                Some(blocked) => start = blocked.checked_add(1)?,
            }
        }
    }

    fn is_free(&self, protocol: Protocol, port: u16, claim: &mut dyn FnMut(Protocol, u16) -> bool) -> bool {
        !self.reserved.contains(&port) && !self.taken.contains(&(protocol, port)) && claim(protocol, port)
    }

    fn after(&self, port: u16) -> u16 {
        if port >= *self.dynamic.end() { *self.dynamic.start() } else { port + 1 }
    }
}

/// How many ports a spec stands for; a backward range counts as its first port.
fn width(spec: &PortSpec) -> u16 {
    spec.container_port_end.saturating_sub(spec.container_port).saturating_add(1)
}

#[cfg(test)]
mod tests;
