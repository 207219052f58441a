//! A published port is also held by a socket, so that no other process of the host comes to listen where nobody would
//! reach it, and so that asking whether a port is free and taking it are one act. Nothing ever arrives at the socket:
//! packets are redirected before they get there.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use workload::{Binding, Protocol};

pub struct Holds {
    /// Unspecified: every address of the host.
    address: Ipv4Addr,
    held: BTreeMap<(Protocol, u16), Hold>,
}

/// The sockets are kept for their existence alone.
#[allow(dead_code)]
enum Hold {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Holds {
    pub fn at(address: Ipv4Addr) -> Holds {
        Holds { address, held: BTreeMap::new() }
    }

    /// None yet, at the same address.
    pub fn more(&self) -> Holds {
        Holds::at(self.address)
    }

    /// False when another process has the port. A listener, because a bound socket alone does not keep others out.
    pub fn take(&mut self, protocol: Protocol, port: u16) -> bool {
        if self.held.contains_key(&(protocol, port)) {
            return true;
        }
        let address = (self.address, port);
        let hold = match protocol {
            Protocol::Tcp => TcpListener::bind(address).map(Hold::Tcp),
            Protocol::Udp => UdpSocket::bind(address).map(Hold::Udp),
        };
        hold.map(|hold| self.held.insert((protocol, port), hold)).is_ok()
    }

    /// What a search took on its way and did not choose.
    pub fn keep_only(&mut self, bindings: &[Binding]) {
        self.held.retain(|(protocol, port), _| bindings.iter().any(|b| b.protocol == *protocol && b.host_port == *port));
    }

    pub fn absorb(&mut self, mut other: Holds) {
        self.held.append(&mut other.held);
    }

    pub fn free(&mut self, bindings: &[Binding]) {
        for binding in bindings {
            self.held.remove(&(binding.protocol, binding.host_port));
        }
    }
}
