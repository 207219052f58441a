//! Devices of the host inside a container: those the definition names, or all of them when it is privileged.

use super::Error;
use crate::oci::cgroup::devices::{EVERYTHING, Kind, Rule};
use oci_spec::runtime as oci;
use std::collections::BTreeMap;
use workload::{ContainerSpec, DeviceSpec};

/// A device node as the host has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    pub major: u32,
    pub minor: u32,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub path: String,
    pub node: Node,
    pub read: bool,
    pub write: bool,
    pub mknod: bool,
}

pub fn wanted(container: &ContainerSpec, nodes: &BTreeMap<String, Node>) -> Result<Vec<Wanted>, Error> {
    if container.privileged {
        let all = |(path, node): (&String, &Node)| Wanted {
            path: path.clone(),
            node: node.clone(),
            read: true,
            write: true,
            mknod: true,
        };
        return Ok(nodes.iter().map(all).collect());
    }
    container.devices.iter().map(|device| one(device, nodes)).collect()
}

fn one(device: &DeviceSpec, nodes: &BTreeMap<String, Node>) -> Result<Wanted, Error> {
    let missing = || {
        let path = &device.host_path;
        Error::Start(format!(
            "error gathering device information while adding custom device \"{path}\": no such file or directory"
        ))
    };
    let path = if device.container_path.is_empty() { &device.host_path } else { &device.container_path };
    // "By default, the container has read, write and mknod permissions for the device" (API reference, Device).
    let all = !(device.read || device.write || device.mknod);
    Ok(Wanted {
        path: path.clone(),
        node: nodes.get(&device.host_path).ok_or_else(missing)?.clone(),
        read: device.read || all,
        write: device.write || all,
        mknod: device.mknod || all,
    })
}

pub fn rules(container: &ContainerSpec, wanted: &[Wanted]) -> Vec<Rule> {
    if container.privileged {
        return vec![EVERYTHING];
    }
    let rule = |w: &Wanted| Rule {
        kind: w.node.kind,
        major: Some(w.node.major),
        minor: Some(w.node.minor),
        read: w.read,
        write: w.write,
        mknod: w.mknod,
    };
    wanted.iter().map(rule).collect()
}

pub fn oci(wanted: &Wanted) -> oci::LinuxDevice {
    let typ = if wanted.node.kind == Kind::Block { oci::LinuxDeviceType::B } else { oci::LinuxDeviceType::C };
    let mut device = oci::LinuxDevice::default();
    device
        .set_path(wanted.path.clone().into())
        .set_typ(typ)
        .set_major(wanted.node.major.into())
        .set_minor(wanted.node.minor.into())
        .set_file_mode(Some(wanted.node.mode))
        .set_uid(Some(wanted.node.uid))
        .set_gid(Some(wanted.node.gid));
    device
}
