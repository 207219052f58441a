//! Several networks on one host that are to each other what machines of one VPC are: each has a part of one range, publishes
//! at an address of its own (its gateway's, which is the host's too), and lets the others' containers in without hiding who
//! they are.

use super::context::Context;
use super::lock::{self, Named};
use super::netlink::Socket;
use super::{record, worker};
use crate::Result;
use ipnet::Ipv4Net;
use std::path::Path;

/// What a network has to know of those beside it.
#[derive(Clone, Debug)]
pub struct Neighbours {
    /// All their subnets lie in it.
    pub range: Ipv4Net,
    /// How all their links begin, and nobody else's.
    pub link_prefix: String,
}

/// Of this process, as long as the value lives.
pub struct Range {
    pub subnet: Ipv4Net,
    _lock: Named,
}

/// Room for some 250 attachments.
const PART_PREFIX: u8 = 24;

impl Range {
    /// The one that was written to `path` before, if it is still to be had; otherwise another, which is written there.
    pub fn claim(path: &Path, wanted: Option<Ipv4Net>) -> Result<Range> {
        let range = match wanted {
            Some(subnet) => Range { subnet, _lock: lock::subnet(subnet)? },
            None => {
                let mut routes = Socket::open(libc::NETLINK_ROUTE).context(|| "opening a route socket")?;
                let (subnet, lock) = worker::choose_subnet(&mut routes, record::read(path)?)?;
                Range { subnet, _lock: lock }
            }
        };
        record::write(path, &range.subnet)?;
        Ok(range)
    }

    /// `10.213.7.0/24` of `10.213.0.0/16` for 7.
    pub fn part(&self, number: usize) -> Option<Ipv4Net> {
        self.subnet.subnets(PART_PREFIX).ok()?.nth(number)
    }
}
