//! Fake Core nodes on loopback addresses that share one port, as the nodes of a cluster do.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};

use evenkeel_fake_core::{Counters, FakeCore};
use tokio::runtime::Runtime;

use super::{PATIENCE, wait_until};

/// Tests run beside each other; each takes nodes in a network of its own.
static NETWORK: AtomicU8 = AtomicU8::new(1);

/// Nodes at 127.N.0.1, 127.N.0.2, … with one port.
pub(crate) struct Nodes {
    pub(crate) port: u16,
    network: u8,
    /// One a node; dropping it ends the node.
    runtimes: Vec<Option<Runtime>>,
    cores: Vec<FakeCore>,
    /// Those that were there before.
    former: Vec<FakeCore>,
}

/// A network of the caller's own, and a port that is free at 127.N.0.1, 127.N.0.2, ….
pub(crate) fn free_network(nodes: u8) -> (u8, u16) {
    let network = NETWORK.fetch_add(1, Ordering::Relaxed);
    // Below the ports that the system and `free_address` give away: one that a node leaves stays free for its return.
    let is_free =
        |port: &u16| (1..=nodes).all(|node| TcpListener::bind((Ipv4Addr::new(127, network, 0, node), *port)).is_ok());
    let port = std::iter::repeat_with(|| fastrand::u16(10_000..20_000)).find(is_free).expect("no end of ports");
    (network, port)
}

impl Nodes {
    pub(crate) fn start(count: u8) -> Self {
        let (network, port) = free_network(count);
        let mut nodes = Self { port, network, runtimes: Vec::new(), cores: Vec::new(), former: Vec::new() };
        for i in 0..count {
            nodes.runtimes.push(None);
            nodes.cores.push(FakeCore::new("new"));
            nodes.revive(i);
        }
        nodes
    }

    /// Address of a node, from 0.
    pub(crate) fn address(&self, node: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.network, 0, node + 1)
    }

    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        (0..self.runtimes.len() as u8).map(|node| self.address(node)).collect()
    }

    /// Ends a node: connections are refused from now on.
    pub(crate) fn kill(&mut self, node: u8) {
        if let Some(runtime) = self.runtimes[usize::from(node)].take() {
            runtime.shutdown_timeout(PATIENCE);
        }
    }

    /// Starts a node that is not running.
    pub(crate) fn revive(&mut self, node: u8) {
        self.revive_as(node, FakeCore::new(&format!("core-{}", node + 1)));
    }

    /// Starts a node that is not running, as a hot backup.
    pub(crate) fn revive_as_backup(&mut self, node: u8) {
        self.revive_as(node, FakeCore::new(&format!("core-{}", node + 1)).as_backup());
    }

    fn revive_as(&mut self, node: u8, core: FakeCore) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime for a node");
        let address = SocketAddr::from((self.address(node), self.port));
        self.former.push(std::mem::replace(&mut self.cores[usize::from(node)], core.clone()));
        wait_until("the node's address is free", || runtime.block_on(core.clone().listen(address)).is_ok());
        self.runtimes[usize::from(node)] = Some(runtime);
    }

    /// What each node has counted since it was started last.
    pub(crate) fn counters(&self) -> Vec<Counters> {
        self.cores.iter().map(FakeCore::counters).collect()
    }

    /// Requests that reached another node than the one of their session, also those that were killed.
    pub(crate) fn wrong(&self) -> u64 {
        self.cores.iter().chain(&self.former).map(|core| core.counters().wrong_node).sum()
    }

    /// Sets faults with `PUT /_fake`.
    pub(crate) fn fake(&self, node: u8, faults: &str) {
        put_fake((self.address(node), self.port).into(), faults);
    }

    /// The `nodes` of a pool: `{ name = "core-1", address = "…" }` for each.
    pub(crate) fn as_config(&self) -> String {
        let node = |(i, address)| format!("{{ name = \"core-{}\", address = \"{address}\" }},\n", i + 1);
        self.addresses().into_iter().enumerate().map(node).collect()
    }
}

/// Sets the faults of the fake node at an address.
pub(crate) fn put_fake(node: SocketAddr, faults: &str) {
    let mut stream = TcpStream::connect(node).expect("a running node");
    let len = faults.len();
    write!(stream, "PUT /_fake HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{faults}")
        .expect("the node reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the node answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
