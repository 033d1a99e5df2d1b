//! Answers from a configuration of evenkeel with the listeners of hickory-server, for programs that
//! run such a server already. Serves over UDP until it is interrupted.
//!
//! ```sh
//! cargo run --features hickory --example hickory -- config/small.toml 127.0.0.1:5353
//! ```
//!
//! Nodes are not probed, so all of them are unknown, and all are eligible. A program that probes
//! stores a new snapshot for each change.

use std::process::ExitCode;
use std::sync::Arc;

use arc_swap::ArcSwap;
use evenkeel::config::{self, Origin};
use evenkeel::hickory::Handler;
use evenkeel_core::counters::{Counters, Protocol};
use evenkeel_core::health::Health;
use hickory_server::Server;
use tokio::net::UdpSocket;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(address)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: hickory CONFIG ADDRESS");
        return ExitCode::from(64);
    };
    let loaded = match config::load(&Origin::File(file.into())) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(78);
        }
    };
    let counters = Counters::default();
    let snapshot = loaded.into_snapshot(&counters, |_, _| Health::Unknown.into(), &mut fastrand::Rng::new());
    let current = Arc::new(ArcSwap::from_pointee(snapshot));

    let mut server = Server::new(Handler::new(current, counters.worker(Protocol::Udp)));
    match UdpSocket::bind(&address).await {
        Ok(socket) => server.register_socket(socket),
        Err(error) => {
            eprintln!("{address} cannot be bound: {error}");
            return ExitCode::FAILURE;
        }
    }
    match server.block_until_done().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
