//! `evenkeel demo`: everything on loopback, with nothing installed.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use tracing::error;

use super::{FAILED, log};
use crate::config::{self, Origin};
use crate::daemon::Daemon;
use crate::fake_core::FakeCore;

/// The files of the demo, as they lie in the repository.
const FILES: &[(&str, &str)] = &[
    ("config/demo.toml", include_str!("../../config/demo.toml")),
    ("../zones/lb.example.zone", include_str!("../../zones/lb.example.zone")),
];

/// Port of the REST API of a Core node.
const CORE_PORT: u16 = 8008;

const GUIDE: &str = "\
evenkeel demo: three Core nodes at 127.0.0.11, .12 and .13, port 8008, and DNS at 127.0.0.1:5300.
In another terminal:

  dig @127.0.0.1 -p 5300 core.lb.example +short       the shared name, in another order each time
  dig @127.0.0.1 -p 5300 scan.lb.example              an alias of it
  curl http://127.0.0.12:8008/readyz                  what the probes see

  curl -X PUT http://127.0.0.12:8008/_fake -d '{\"readyz\": 503}'     take core-2 down
  curl -X PUT http://127.0.0.12:8008/_fake -d '{\"readyz\": 200}'     and bring it back

The log below tells what happens. Ctrl-C ends the demo.
";

pub(super) fn run() -> ExitCode {
    log::init();
    let origin = Origin::Embedded(FILES);
    let loaded = match config::load(&origin) {
        Ok(loaded) => loaded,
        Err(problems) => {
            error!("the demo's own configuration is wrong:\n{problems}");
            return ExitCode::from(FAILED);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("no runtime: {error}");
            return ExitCode::from(FAILED);
        }
    };
    runtime.block_on(async {
        for (last, name) in [(11, "core-1"), (12, "core-2"), (13, "core-3")] {
            let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), CORE_PORT));
            if let Err(error) = FakeCore::new(name).listen(address).await {
                error!("the demo's node {name} cannot listen on {address}: {error}");
                return ExitCode::from(FAILED);
            }
        }
        match Daemon::start(origin, loaded).await {
            Ok(daemon) => {
                println!("{GUIDE}");
                daemon.run().await
            }
            Err(error) => {
                error!("the demo cannot start:\n{error:#}");
                ExitCode::from(FAILED)
            }
        }
    })
}
