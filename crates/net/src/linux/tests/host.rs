//! A host for a test, and what can be seen and done on it.

use super::super::link::{self, Pair};
use super::super::netlink::{Frame, LinkChanges, Socket};
use super::super::netns;
use super::*;
use nix::sys::time::{TimeVal, TimeValLike};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;
use workload::{PortSpec, Protocol};

pub const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub const LAN: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const UPLINK: &str = "uplink";
const PATIENCE: Duration = Duration::from_secs(10);
/// For what is dropped silently.
const UNTIL_DROPPED: Duration = Duration::from_secs(1);

pub struct Host {
    pub root: Place,
    pub outside: Place,
    state: tempfile::TempDir,
}

/// A network namespace to act in.
pub struct Place(File);

pub struct Container {
    pub place: Place,
    pub attachment: Attachment,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    elements: usize,
    links: usize,
    files: Vec<String>,
}

/// The thread leaves the machine's network for good; all threads it starts inherit the new one.
pub fn on_a_host(test: impl AsyncFnOnce(&Host) + Send) {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("skipped: needs root");
    }
    std::thread::scope(|scope| {
        let run = || {
            let host = Host::new().unwrap();
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test(&host));
        };
        scope.spawn(run).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

pub fn published(host_port: u16, container_port: u16, protocol: Protocol) -> PortSpec {
    PortSpec { host_port, container_port, container_port_end: container_port, protocol }
}

/// A question and its answer over a new connection; the address the listener saw it come from.
pub fn ask_tcp(from: &Place, listener: &TcpListener, to: SocketAddr) -> io::Result<Ipv4Addr> {
    let mut client = from.run(|| TcpStream::connect_timeout(&to, UNTIL_DROPPED))?;
    nix::sys::socket::setsockopt(listener, nix::sys::socket::sockopt::ReceiveTimeout, &TimeVal::seconds(10))?;
    let (mut server, peer) = listener.accept()?;
    let mut received = [0; 4];
    client.write_all(b"ping")?;
    server.read_exact(&mut received)?;
    server.write_all(b"pong")?;
    client.read_exact(&mut received)?;
    assert_eq!(&received, b"pong");
    match peer.ip() {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => unreachable!("the listener is IPv4"),
    }
}

/// The sender of the next datagram, which must arrive.
pub fn hear(socket: &UdpSocket) -> io::Result<IpAddr> {
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket.recv_from(&mut [0; 4])?.1.ip())
}

pub fn ask_udp(from: &Place, server: &UdpSocket, to: SocketAddr) -> io::Result<()> {
    let client = from.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
    client.set_read_timeout(Some(PATIENCE))?;
    server.set_read_timeout(Some(PATIENCE))?;
    client.connect(to)?;
    client.send(b"ping")?;
    let mut received = [0; 4];
    let (_, peer) = server.recv_from(&mut received)?;
    server.send_to(b"pong", peer)?;
    client.recv(&mut received)?;
    assert_eq!(&received, b"pong");
    Ok(())
}

/// A veth pair between this namespace and a peer that sends everything through it. The index of our end.
fn connect(
    routes: &mut Socket,
    (name, own): (&str, Ipv4Addr),
    (peer, mut peer_routes, other): (&File, Socket, Ipv4Addr),
) -> std::result::Result<u32, netlink::Fault> {
    let pair = Pair {
        host_name: name,
        host_mac: crate::plan::mac(own),
        namespace: peer.as_raw_fd(),
        mac: crate::plan::mac(other),
        mtu: 1500,
    };
    link::create_pair(routes, &pair)?;
    let configure = |routes: &mut Socket, name, own, other| {
        let index = link::named(routes, name)?.index;
        route::add_address(routes, index, own)?;
        link::set_up(routes, index)?;
        route::add_container(routes, index, other)?;
        Ok::<u32, netlink::Fault>(index)
    };
    let changes = LinkChanges::subscribe()?;
    let index = configure(routes, name, own, other)?;
    let peer_index = configure(&mut peer_routes, "eth0", other, own)?;
    route::add_default(&mut peer_routes, peer_index, own)?;
    while !link::named(routes, name)?.operates {
        changes.next()?;
    }
    Ok(index)
}

impl Host {
    fn new() -> io::Result<Host> {
        // New namespaces inherit the machine's forwarding.
        let outside = netns::create(|| sysctl::write("net.ipv4.ip_forward", "0"))?;
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
        let root = Place(File::open("/proc/thread-self/ns/net")?);
        let host = Host { root, outside: Place(outside.file), state: tempfile::tempdir()? };
        sysctl::write("net.ipv4.ip_forward", "0")?;
        let mut routes = Socket::open(libc::NETLINK_ROUTE)?;
        let connect = || {
            link::set_up(&mut routes, 1)?;
            let index = connect(&mut routes, (UPLINK, HOST), (&host.outside.0, outside.routes, OUTSIDE))?;
            route::add_default(&mut routes, index, OUTSIDE)
        };
        connect().map_err(io::Error::other)?;
        Ok(host)
    }

    pub fn dir(&self) -> PathBuf {
        self.state.path().to_owned()
    }

    pub fn netns(&self, id: &str) -> PathBuf {
        self.dir().join("netns").join(id)
    }

    pub fn config(&self) -> Config {
        Config::new(self.dir())
    }

    pub fn network(&self) -> LinuxNetwork {
        LinuxNetwork::new(self.config()).unwrap()
    }

    pub fn wish(&self, id: &str, ports: &[PortSpec]) -> Attach {
        Attach { id: id.into(), connected: true, ports: ports.to_vec(), sysctls: Default::default() }
    }

    pub async fn attach(&self, network: &LinuxNetwork, id: &str, ports: &[PortSpec]) -> Container {
        let attachment = network.attach(self.wish(id, ports)).await.unwrap();
        Container { place: self.place(&attachment), attachment }
    }

    pub fn place(&self, attachment: &Attachment) -> Place {
        Place(File::open(&attachment.netns).unwrap())
    }

    pub fn gateway(&self, container: &Container) -> Ipv4Addr {
        container.attachment.address.as_ref().unwrap().gateway.parse().unwrap()
    }

    pub fn listen(&self, port: u16) -> TcpListener {
        self.root.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))).unwrap()
    }

    /// A network the host routes for, with somebody in it.
    pub fn lan(&self) -> Place {
        let lan = netns::create(|| Ok(())).unwrap();
        let mut routes = Socket::open(libc::NETLINK_ROUTE).unwrap();
        connect(&mut routes, ("lan0", HOST), (&lan.file, lan.routes, LAN)).unwrap();
        Place(lan.file)
    }

    /// As iptables do it after `iptables -P FORWARD DROP`.
    pub fn drop_forwarded(&self) {
        self.drop_by_default("FORWARD", libc::NF_INET_FORWARD);
    }

    /// As iptables do it after `iptables -P INPUT DROP`.
    pub fn drop_incoming(&self) {
        self.drop_by_default("INPUT", libc::NF_INET_LOCAL_IN);
    }

    fn drop_by_default(&self, name: &'static str, hook: i32) {
        let (kind, priority, policy) = ("filter", libc::NF_IP_PRI_FILTER, libc::NF_DROP);
        let mut transaction = nft::Transaction::new("filter");
        transaction.create_table();
        transaction.create_chain(&nft::Chain { name, kind, hook, priority, policy });
        transaction.commit(&mut Socket::open(libc::NETLINK_NETFILTER).unwrap()).unwrap();
    }

    pub fn rules(&self, chain: &str) -> usize {
        dump(libc::NFT_MSG_GETRULE, "filter", chain).len()
    }

    pub fn listen_outside(&self, port: u16) -> TcpListener {
        self.outside.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))).unwrap()
    }

    pub fn delete_link_of(&self, id: &str) {
        let text = std::fs::read_to_string(self.dir().join(format!("attachments/{id}.json"))).unwrap();
        let record: record::Record = serde_json::from_str(&text).unwrap();
        let mut routes = Socket::open(libc::NETLINK_ROUTE).unwrap();
        let index = link::named(&mut routes, &record.link.unwrap()).unwrap().index;
        link::delete(&mut routes, index).unwrap();
    }

    /// Relative names of attachment records and namespaces.
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for sub in ["attachments", "netns"] {
            let Ok(entries) = std::fs::read_dir(self.dir().join(sub)) else { continue };
            files.extend(entries.map(|entry| format!("{sub}/{}", entry.unwrap().file_name().to_string_lossy())));
        }
        files.sort();
        files
    }

    pub fn published_ports(&self) -> usize {
        elements()
    }

    /// Behind the network's back.
    pub fn withdraw(&self, bindings: &[workload::Binding]) {
        let config = self.config();
        let subnet = Default::default();
        let (range, friends, address) = (subnet, String::new(), Ipv4Addr::UNSPECIFIED);
        let (table, link_prefix) = (config.table, config.link_prefix);
        let ruleset = nft::ruleset::Ruleset { table, subnet, link_prefix, address, range, friends, metadata: None };
        ruleset.withdraw(&mut Socket::open(libc::NETLINK_NETFILTER).unwrap(), bindings).unwrap();
    }

    pub fn traces(&self) -> Traces {
        let links = self.root.links().iter().filter(|name| name.starts_with("slw")).count();
        Traces { elements: elements(), links, files: self.files() }
    }

    /// Waits until the pool is full and the kernel has removed what was let go of.
    pub async fn settle(&self, network: &LinuxNetwork) {
        let changes = LinkChanges::subscribe().unwrap();
        loop {
            let attached = network.list().await.unwrap().len();
            if self.traces().links == self.config().pool_size + attached {
                return;
            }
            changes.next().unwrap();
        }
    }

    /// As before the first `new`.
    pub fn is_clean(&self) {
        assert_eq!(self.root.links(), ["lo", UPLINK]);
        assert_eq!(self.files(), Vec::<String>::new());
        assert_eq!(elements(), 0);
        assert_eq!(self.root.run(|| sysctl::read("net.ipv4.ip_forward")).unwrap(), "0");
        let mut routes = Socket::open(libc::NETLINK_ROUTE).unwrap();
        assert_eq!(route::all(&mut routes).unwrap().covered.len(), 2);
    }
}

/// Names a failed test left would keep the temporary directory busy.
impl Drop for Host {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(self.dir().join("netns")).into_iter().flatten().flatten() {
            let _ = netns::forget(&entry.path());
        }
    }
}

impl Place {
    pub fn run<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        netns::inside(&self.0, work)
    }

    pub fn links(&self) -> Vec<String> {
        let list = || link::all(&mut Socket::open(libc::NETLINK_ROUTE)?).map_err(io::Error::other);
        self.run(list).unwrap().into_iter().map(|link| link.name).collect()
    }
}

impl Container {
    pub fn ip(&self) -> Ipv4Addr {
        self.attachment.address.as_ref().unwrap().ipv4.parse().unwrap()
    }

    pub fn at(&self, port: u16) -> SocketAddr {
        super::at(self.ip(), port)
    }

    pub fn listen(&self, port: u16) -> TcpListener {
        self.place.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))).unwrap()
    }

    pub fn bind_udp(&self, port: u16) -> UdpSocket {
        self.place.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).unwrap()
    }

    pub fn pretend_to_be(&self, other: Ipv4Addr) {
        let take = || {
            let mut routes = Socket::open(libc::NETLINK_ROUTE)?;
            let index = link::named(&mut routes, link::CONTAINER_LINK)?.index;
            route::add_address(&mut routes, index, other)
        };
        self.place.run(|| take().map_err(io::Error::other)).unwrap();
    }

    /// Without loopback's address, 127.0.0.0/8 follows the default route.
    pub fn route_loopback_out(&self) {
        let header = [libc::AF_INET as u8, 8, 0, libc::RT_SCOPE_HOST, 1, 0, 0, 0];
        let body = [&header[..], &netlink::attribute(libc::IFA_LOCAL, &LOOPBACK.octets())].concat();
        let delete = Frame { kind: libc::RTM_DELADDR, flags: libc::NLM_F_ACK as u16, body };
        let request = || Socket::open(libc::NETLINK_ROUTE)?.request(&[delete]).map_err(io::Error::other);
        self.place.run(request).unwrap();
    }
}

/// How many ports the table publishes; none without a table.
fn elements() -> usize {
    let list = |body: &Vec<u8>| {
        let elements = netlink::attributes(&body[4..]).find(|(kind, _)| *kind == 3);
        elements.map_or(0, |(_, elements)| netlink::attributes(elements).count())
    };
    dump(libc::NFT_MSG_GETSETELEM, "slipway", "published").iter().map(list).sum()
}

fn dump(message: i32, table: &str, name: &str) -> Vec<Vec<u8>> {
    let text = |kind, value: &str| netlink::attribute(kind, format!("{value}\0").as_bytes());
    let header = vec![libc::NFPROTO_IPV4 as u8, 0, 0, 0];
    let body = [header, text(1, table), text(2, name)].concat();
    let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | message) as u16;
    match Socket::open(libc::NETLINK_NETFILTER).unwrap().ask(Frame { kind, flags: libc::NLM_F_DUMP as u16, body }) {
        Err(fault) if fault.is(libc::ENOENT) => vec![],
        other => other.unwrap(),
    }
}
