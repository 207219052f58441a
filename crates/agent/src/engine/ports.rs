//! Host ports are given back before they are taken again. What the plane counts as over may still hold some here: its host
//! died and a set of before began it once more, or its record was lost. Who is given them next waits until it has let go, as
//! on the stock agent, instead of failing for it. Among tasks that are wanted nobody waits: a port that one of them holds is
//! taken.

use super::effect::Effect;
use super::network::{self, Plug};
use super::state::{Life, Network, Step, Task};
use std::collections::{BTreeMap, BTreeSet};
use workload::{Binding, NetworkMode, PortSpec, Protocol, TaskId};

type Port = (Protocol, u16);

/// By tasks that end.
pub fn are_held(tasks: &BTreeMap<TaskId, Task>, id: &TaskId) -> bool {
    let asked: BTreeSet<Port> = tasks.get(id).filter(|task| task.any(Life::Waiting)).map(asked).unwrap_or_default();
    let mut ending = tasks.values().filter(|task| !asked.is_empty() && task.spec.id != *id && !task.wanted());
    ending.any(|task| held(task).any(|port| asked.contains(&port)))
}

/// The effect would need them.
pub fn are_for(effect: &Effect) -> bool {
    matches!(effect, Effect::Attach { .. } | Effect::Start { .. })
}

/// By number.
fn asked(task: &Task) -> BTreeSet<Port> {
    match task.spec.network_mode {
        NetworkMode::Host => of_the_host(task).collect(),
        _ => network::plugs(&task.spec).iter().flat_map(fixed).collect(),
    }
}

fn held(task: &Task) -> impl Iterator<Item = Port> {
    let plugs = network::plugs(&task.spec);
    let attached = task.networks.iter().filter(|(_, network)| network.attach != Step::Todo && network.detach != Step::Done);
    let published = attached.flat_map(move |(id, network)| published(plugs.iter().find(|plug| plug.id == *id), network));
    let is_alive = task.spec.network_mode == NetworkMode::Host && !task.all(Life::Ended);
    published.chain(is_alive.then(|| of_the_host(task)).into_iter().flatten())
}

fn published(plug: Option<&Plug>, network: &Network) -> BTreeSet<Port> {
    match &network.attachment {
        Some(attachment) => attachment.bindings.iter().map(bound).collect(),
        None => plug.into_iter().flat_map(fixed).collect(),
    }
}

fn of_the_host(task: &Task) -> impl Iterator<Item = Port> {
    task.spec.containers.iter().flat_map(network::host_bindings).map(|binding| bound(&binding))
}

fn fixed(plug: &Plug) -> impl Iterator<Item = Port> {
    let is_fixed = |port: &&PortSpec| port.host_port != 0;
    plug.ports.iter().filter(is_fixed).map(|port| (port.protocol, port.host_port))
}

fn bound(binding: &Binding) -> Port {
    (binding.protocol, binding.host_port)
}
