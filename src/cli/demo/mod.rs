//! `evenkeel demo`: a server and the nodes that it probes, in one process on loopback.
//!
//! Its addresses are fixed, so that the commands of the guide always work. If one of them is in
//! use, the demo names the process that uses it and exits.

mod conflicts;
mod owner;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::Args;
use evenkeel_fake_core::FakeCore;

use super::run_daemon::run_daemon;
use crate::config::Origin;
use conflicts::Address;

/// The files of the demo. They are part of the program.
const FILES: &[(&str, &str)] = &[
    ("config/demo.toml", include_str!("../../../config/demo.toml")),
    ("../zones/lb.example.zone", include_str!("../../../zones/lb.example.zone")),
];

/// Nodes by name, with the last octet of their address. The last one is a hot backup.
const NODES: [(&str, u8); 4] = [("core-1", 11), ("core-2", 12), ("core-3", 13), ("spare", 14)];

/// Port of the REST API of a Core node.
const CORE_PORT: u16 = 8008;

/// DNS over UDP and TCP, as `config/demo.toml` has it.
const DNS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5300);

/// `[admin] listen` of `config/demo.toml`.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5380);

/// `[admin] socket` of `config/demo.toml`.
const SOCKET: &str = "/tmp/evenkeel-demo.sock";

/// Printed when the demo is ready.
const GUIDE: &str = "\
evenkeel demo: three fake MetaDefender Core nodes at 127.0.0.11, .12 and .13, port 8008, a hot backup at .14,
and a DNS server at 127.0.0.1:5300. Try these commands in another terminal:

  dig @127.0.0.1 -p 5300 core.lb.example +short       the shared name: all nodes that are up, in random order
  dig @127.0.0.1 -p 5300 scan.lb.example              an alias of the shared name
  curl http://127.0.0.12:8008/readyz                  the response to a health check of core-2

  curl -X PUT http://127.0.0.12:8008/_fake -d '{\"readyz\": 503}'     make core-2 fail its health checks
  curl -X PUT http://127.0.0.12:8008/_fake -d '{\"readyz\": 200}'     make core-2 pass them again

  evenkeel status --socket /tmp/evenkeel-demo.sock                     which nodes are eligible, and why
  evenkeel drain core/core-1 --socket /tmp/evenkeel-demo.sock          leave core-1 out of the answers
  evenkeel nominate core/spare --replace core-3 --socket /tmp/evenkeel-demo.sock      replace core-3 with the backup

The log below shows every change. Ctrl-C stops the demo.
";

/// Start a demo on loopback: three nodes, a hot backup, and a server on 127.0.0.1:5300
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  evenkeel demo
  dig @127.0.0.1 -p 5300 core.lb.example         in another terminal")]
pub(super) struct DemoArgs;

impl DemoArgs {
    /// Runs the demo until SIGTERM or SIGINT.
    pub(super) fn run(&self) -> ExitCode {
        // The demo serves even if standard output is closed.
        run_daemon(Origin::Embedded(FILES), start_nodes, || drop(io::stdout().write_all(GUIDE.as_bytes())))
    }
}

/// Starts the nodes, if all addresses of the demo are free.
async fn start_nodes() -> Result<(), String> {
    if let Some(conflicts) = conflicts::of(&addresses()).await {
        return Err(conflicts);
    }
    for (name, octet) in NODES {
        let node = FakeCore::new(name);
        let node = if name == "spare" { node.as_backup() } else { node };
        let address = node_address(octet);
        let listening = node.listen(address).await;
        listening.map_err(|error| format!("node {name} of the demo cannot listen on {address}: {error}"))?;
    }
    Ok(())
}

/// Address of a node by its last octet.
fn node_address(octet: u8) -> SocketAddr {
    (Ipv4Addr::new(127, 0, 0, octet), CORE_PORT).into()
}

/// All addresses that the demo listens on.
fn addresses() -> Vec<Address> {
    let nodes = NODES.iter().map(|&(_, octet)| Address::Tcp(node_address(octet)));
    nodes.chain([Address::Udp(DNS), Address::Tcp(DNS), Address::Tcp(ADMIN), Address::Unix(SOCKET.into())]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config;

    #[test]
    fn addresses_are_those_of_the_configuration() {
        let loaded = config::load(&Origin::Embedded(FILES)).unwrap();
        let listens: Vec<_> = loaded.server.listen.iter().map(|listen| listen.address).collect();
        assert_eq!(listens, [DNS]);
        let admin = loaded.admin.unwrap();
        assert_eq!((admin.socket.as_path(), admin.listen), (Path::new(SOCKET), Some(ADMIN)));
        let nodes: BTreeSet<_> = loaded.pools[0].pool.nodes.iter().map(|node| node.name.to_string()).collect();
        assert_eq!(nodes, NODES.map(|(name, _)| name.to_owned()).into());
    }
}
