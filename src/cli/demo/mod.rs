//! `evenkeel demo`: everything on loopback, with nothing installed.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use super::serve::run_daemon;
use crate::config::Origin;
use evenkeel_fake_core::FakeCore;

/// The files of the demo, as they lie in the repository.
const FILES: &[(&str, &str)] = &[
    ("config/demo.toml", include_str!("../../config/demo.toml")),
    ("../zones/lb.example.zone", include_str!("../../zones/lb.example.zone")),
];

/// Port of the REST API of a Core node.
const CORE_PORT: u16 = 8008;

const GUIDE: &str = "\
evenkeel demo: three Core nodes at 127.0.0.11, .12 and .13, port 8008, a hot backup at .14, and DNS at 127.0.0.1:5300.
In another terminal:

  dig @127.0.0.1 -p 5300 core.lb.example +short       the shared name, in another order each time
  dig @127.0.0.1 -p 5300 scan.lb.example              an alias of it
  curl http://127.0.0.12:8008/readyz                  what the probes see

  curl -X PUT http://127.0.0.12:8008/_fake -d '{\"readyz\": 503}'     take core-2 down
  curl -X PUT http://127.0.0.12:8008/_fake -d '{\"readyz\": 200}'     and bring it back

  evenkeel status --socket /tmp/evenkeel-demo.sock                     who is answered, and why
  evenkeel drain core/core-1 --socket /tmp/evenkeel-demo.sock          take a node out by hand
  evenkeel nominate core/spare --replace core-3 --socket /tmp/evenkeel-demo.sock      let the spare step in

The log below tells what happens. Ctrl-C ends the demo.
";

pub(super) fn run() -> ExitCode {
    // Whether anybody reads the guide is their matter.
    run_daemon(Origin::Embedded(FILES), start_nodes, || drop(io::stdout().write_all(GUIDE.as_bytes())))
}

async fn start_nodes() -> Result<(), String> {
    let nodes = ["core-1", "core-2", "core-3"].map(|name| (name, FakeCore::new(name)));
    let spare = ("spare", FakeCore::new("spare").as_backup());
    for (last, (name, core)) in (11..).zip(nodes.into_iter().chain([spare])) {
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), CORE_PORT));
        let listening = core.listen(address).await;
        listening.map_err(|error| format!("the demo's node {name} cannot listen on {address}: {error}"))?;
    }
    Ok(())
}
