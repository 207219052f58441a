//! What one process at a time may have: a state directory, and in one network namespace a table and a subnet. The kernel
//! lets go of all of it when the process ends, however it ends.

use super::context::Context;
use crate::{Error, Result};
use ipnet::Ipv4Net;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// A name in the abstract socket namespace, of which every network namespace has its own.
pub struct Named(#[allow(dead_code)] UnixDatagram);

pub struct Directory(#[allow(dead_code)] Flock<File>);

pub fn directory(state_dir: &Path) -> Result<Directory> {
    let path = state_dir.join("lock");
    let file = File::create(&path).context(|| path.display().to_string())?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map(Directory)
        .map_err(|(_, errno)| Error::Io { context: format!("{} is in use", state_dir.display()), source: errno.into() })
}

/// Two processes with one table would remove each other's links.
pub fn table(table: &str) -> Result<Named> {
    named(&format!("slipway table {table}")).context(|| format!("another process has the network {table}"))
}

pub fn subnet(subnet: Ipv4Net) -> Result<Named> {
    named(&format!("slipway subnet {subnet}")).context(|| format!("another process has the subnet {subnet}"))
}

fn named(name: &str) -> std::io::Result<Named> {
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?).map(Named)
}
