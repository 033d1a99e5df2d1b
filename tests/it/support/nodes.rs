//! Fake Core nodes inside the test, on loopback addresses with one port, as in a cluster.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};

use evenkeel_fake_core::{Counters, FakeCore};
use tokio::runtime::Runtime;

use super::{WAIT_LIMIT, wait_until};

/// The next network. Tests run in parallel, so each set of nodes has a network 127.N.0.0/24.
static NETWORK: AtomicU8 = AtomicU8::new(1);

/// Nodes at 127.N.0.1, 127.N.0.2 and so on, with one port.
pub(crate) struct Nodes {
    pub(crate) port: u16,
    network: u8,
    /// One per node that runs. Dropping it stops the node.
    runtimes: Vec<Option<Runtime>>,
    cores: Vec<FakeCore>,
    /// Nodes that were stopped, for their counters.
    former: Vec<FakeCore>,
}

/// A network N that no other test has, and a port that is free at 127.N.0.1 to 127.N.0.`nodes`.
pub(crate) fn free_network(nodes: u8) -> (u8, u16) {
    let network = NETWORK.fetch_add(1, Ordering::Relaxed);
    // The port lies below those of the system and of `free_address`. So it stays free while a node
    // is stopped.
    let is_free =
        |port: &u16| (1..=nodes).all(|node| TcpListener::bind((Ipv4Addr::new(127, network, 0, node), *port)).is_ok());
    let port = std::iter::repeat_with(|| fastrand::u16(10_000..20_000)).find(is_free).expect("the iterator is endless");
    (network, port)
}

/// A node that accepts connections and never answers; it listens until the listener is dropped.
///
/// Port 0 stands for a free port.
pub(crate) fn silent_node(port: u16) -> (TcpListener, SocketAddr) {
    let network = NETWORK.fetch_add(1, Ordering::Relaxed);
    let listener = TcpListener::bind((Ipv4Addr::new(127, network, 0, 1), port)).expect("the address is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

impl Nodes {
    /// Starts this number of nodes, `core-1` and so on.
    pub(crate) fn start(count: u8) -> Self {
        let (network, port) = free_network(count);
        let mut nodes = Self { port, network, runtimes: Vec::new(), cores: Vec::new(), former: Vec::new() };
        for i in 0..count {
            nodes.runtimes.push(None);
            nodes.cores.push(FakeCore::new("new"));
            nodes.restart(i);
        }
        nodes
    }

    /// Address of a node; the first one is 0.
    pub(crate) fn address(&self, node: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.network, 0, node + 1)
    }

    /// Addresses of all nodes.
    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        (0..self.runtimes.len() as u8).map(|node| self.address(node)).collect()
    }

    /// Stops a node: it refuses connections from now on.
    pub(crate) fn stop(&mut self, node: u8) {
        if let Some(runtime) = self.runtimes[usize::from(node)].take() {
            runtime.shutdown_timeout(WAIT_LIMIT);
        }
    }

    /// Starts a node that was stopped. It has forgotten its sessions and faults.
    pub(crate) fn restart(&mut self, node: u8) {
        self.restart_as(node, FakeCore::new(&format!("core-{}", node + 1)));
    }

    /// Starts a node that was stopped, as a hot backup.
    pub(crate) fn restart_as_backup(&mut self, node: u8) {
        self.restart_as(node, FakeCore::new(&format!("core-{}", node + 1)).as_backup());
    }

    fn restart_as(&mut self, node: u8, core: FakeCore) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads can be started");
        let address = SocketAddr::from((self.address(node), self.port));
        self.former.push(std::mem::replace(&mut self.cores[usize::from(node)], core.clone()));
        wait_until("the address of the node is free", || runtime.block_on(core.clone().listen(address)).is_ok());
        self.runtimes[usize::from(node)] = Some(runtime);
    }

    /// The counters of each node since its latest start.
    pub(crate) fn counters(&self) -> Vec<Counters> {
        self.cores.iter().map(FakeCore::counters).collect()
    }

    /// Number of requests that reached another node than that of their session, over all starts.
    pub(crate) fn requests_at_wrong_node(&self) -> u64 {
        self.cores.iter().chain(&self.former).map(|core| core.counters().wrong_node).sum()
    }

    /// Sets faults of a node with `PUT /_fake`.
    pub(crate) fn set_faults(&self, node: u8, faults: &str) {
        let mut stream = TcpStream::connect((self.address(node), self.port)).expect("the node runs");
        let len = faults.len();
        write!(stream, "PUT /_fake HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{faults}")
            .expect("the node reads requests");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("the node responds");
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }

    /// The `nodes` of a pool: `{ name = "core-1", address = "…" }` for each node.
    pub(crate) fn as_config(&self) -> String {
        let node = |(i, address)| format!("{{ name = \"core-{}\", address = \"{address}\" }},\n", i + 1);
        self.addresses().into_iter().enumerate().map(node).collect()
    }
}
