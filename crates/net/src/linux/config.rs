//! What an operator may choose. Two networks on one host need different state directories, tables and link prefixes.

use super::Neighbours;
use crate::plan::RESERVED_PORTS;
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Config {
    /// Best on a tmpfs such as /run: nothing in it means anything after a reboot, and files there are made faster.
    pub state_dir: PathBuf,
    /// `None`: the first private range that collides with no route of the host; then kept in the state directory.
    pub subnet: Option<Ipv4Net>,
    /// The nf_tables table, of family ip.
    pub table: String,
    /// Host ends are named by this and eight hexadecimal digits; links of that name are ours to delete.
    pub link_prefix: String,
    /// `None`: the kernel's `ip_local_port_range`, as the ECS agent has it.
    pub dynamic_ports: Option<RangeInclusive<u16>>,
    /// Never given out as dynamic ports.
    pub reserved_ports: BTreeSet<u16>,
    /// How many networks are kept ready for the next attachments.
    pub pool_size: usize,
    /// `None`: ports are published at every address of the host.
    pub neighbours: Option<Neighbours>,
    /// `None`: nobody answers at 169.254.170.2.
    pub metadata: Option<Metadata>,
}

/// Where containers ask about themselves: ECS's address for it, which is nobody's, redirected to a listener on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Of the listener on 127.0.0.1. It must be there already: what is redirected is refused otherwise.
    pub listener_port: u16,
    /// The port at which containers in the host's own network ask. They cannot be told apart by their link, so servers side
    /// by side on one host need different ones.
    pub host_port: u16,
}

impl Config {
    pub fn new(state_dir: impl Into<PathBuf>) -> Config {
        Config {
            state_dir: state_dir.into(),
            subnet: None,
            table: "slipway".into(),
            link_prefix: "slw".into(),
            dynamic_ports: None,
            reserved_ports: BTreeSet::from(RESERVED_PORTS),
            pool_size: 4,
            neighbours: None,
            metadata: None,
        }
    }
}
