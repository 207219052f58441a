//! What a host is: its capacity and its attributes. Said by the node when it connects.

use crate::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeFacts {
    pub id: NodeId,
    /// Where it registers a container instance: this account and region, and this cluster (`default` if none is said).
    pub account: String,
    pub region: String,
    pub cluster: Option<String>,
    /// The Auto Scaling group it is a machine of, by name; none if nobody says one.
    pub auto_scaling_group: Option<String>,
    /// 1024 per core.
    pub cpu_units: u32,
    pub memory_mib: u64,
    /// Host ports that tasks cannot have: the host's own listeners as the stock agent reserves them.
    pub reserved_ports: Vec<u16>,
    pub reserved_ports_udp: Vec<u16>,
    pub availability_zone: String,
    pub address: String,
    /// `ecs.os-type` = `linux`, … and capabilities, which have no value.
    pub attributes: BTreeMap<String, Option<String>>,
    pub agent_version: String,
    pub runtime_version: String,
}
