//! A network in memory, with the real plan behind it: addresses and ports come and run out as they would. For tests and
//! for the simulator of shells.

use crate::plan::{self, Addresses, Ports};
use crate::{Attach, Attachment, Error, Network, Result, address_of};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use workload::Protocol;

pub struct FakeNetwork(Mutex<State>);

struct State {
    addresses: Addresses,
    ports: Ports,
    attachments: BTreeMap<String, Attachment>,
    /// Listened on by other processes of the host.
    foreign: BTreeSet<(Protocol, u16)>,
    /// For the next calls of `attach`.
    failures: VecDeque<Error>,
}

impl Default for FakeNetwork {
    fn default() -> FakeNetwork {
        FakeNetwork::new()
    }
}

impl FakeNetwork {
    pub fn new() -> FakeNetwork {
        let subnet = plan::free_subnets(&[]).next().expect("without routes every candidate is free");
        FakeNetwork(Mutex::new(State {
            addresses: Addresses::new(subnet, 0),
            ports: Ports::new(std::net::Ipv4Addr::UNSPECIFIED, 32768..=60999, BTreeSet::from(plan::RESERVED_PORTS), 0),
            attachments: BTreeMap::new(),
            foreign: BTreeSet::new(),
            failures: VecDeque::new(),
        }))
    }

    /// Another process of the host listens there.
    pub fn occupy(&self, protocol: Protocol, port: u16) {
        self.state().foreign.insert((protocol, port));
    }

    pub fn fail_next_attach(&self, error: Error) {
        self.state().failures.push_back(error);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[async_trait]
impl Network for FakeNetwork {
    async fn list(&self) -> Result<Vec<Attachment>> {
        Ok(self.state().attachments.values().cloned().collect())
    }

    async fn attach(&self, attach: Attach) -> Result<Attachment> {
        self.state().attach(attach)
    }

    async fn detach(&self, id: &str) -> Result<()> {
        self.state().detach(id);
        Ok(())
    }
}

impl State {
    fn attach(&mut self, attach: Attach) -> Result<Attachment> {
        if let Some(attachment) = self.attachments.get(&attach.id) {
            return Ok(attachment.clone());
        }
        if let Some(error) = self.failures.pop_front() {
            return Err(error);
        }
        let netns = PathBuf::from("/run/netns").join(&attach.id);
        let mut attachment = Attachment { id: attach.id, netns, address: None, bindings: vec![] };
        if attach.connected {
            let foreign = &self.foreign;
            let address = self.addresses.take()?;
            let bindings = self.ports.take(&attach.ports, &mut |protocol, port| !foreign.contains(&(protocol, port)));
            attachment.bindings = bindings.inspect_err(|_| self.addresses.free(address))?;
            attachment.address = Some(self.addresses.describe(address));
        }
        self.attachments.insert(attachment.id.clone(), attachment.clone());
        Ok(attachment)
    }

    fn detach(&mut self, id: &str) {
        let Some(attachment) = self.attachments.remove(id) else { return };
        self.ports.free(&attachment.bindings);
        if let Some(address) = address_of(&attachment) {
            self.addresses.free(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use workload::PortSpec;

    fn wish(id: &str, host_port: u16) -> Attach {
        let port = PortSpec { container_port: 80, container_port_end: 80, host_port, protocol: Protocol::Tcp };
        Attach { id: id.into(), connected: true, ports: vec![port], sysctls: BTreeMap::new() }
    }

    #[tokio::test]
    async fn it_attaches_lists_refuses_and_frees() {
        let network = FakeNetwork::new();
        let a = network.attach(wish("a", 8080)).await.unwrap();
        assert_eq!(network.attach(wish("a", 8080)).await.unwrap(), a);
        assert!(matches!(network.attach(wish("b", 8080)).await, Err(Error::PortTaken(8080))));
        network.occupy(Protocol::Tcp, 81);
        assert!(matches!(network.attach(wish("b", 81)).await, Err(Error::PortTaken(81))));
        network.fail_next_attach(Error::NoPortLeft);
        assert!(matches!(network.attach(wish("b", 0)).await, Err(Error::NoPortLeft)));
        assert_eq!(network.list().await.unwrap(), [a]);
        network.detach("a").await.unwrap();
        network.detach("a").await.unwrap();
        assert_eq!(network.attach(wish("b", 8080)).await.unwrap().bindings[0].host_port, 8080);
    }

    #[tokio::test]
    async fn without_a_network_there_is_no_address_and_no_port() {
        let attach = Attach { connected: false, ..wish("a", 8080) };
        let attachment = FakeNetwork::new().attach(attach).await.unwrap();
        assert_eq!((attachment.address, attachment.bindings), (None, vec![]));
    }
}
