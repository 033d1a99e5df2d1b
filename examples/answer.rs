//! Prints the response of a configuration to one query, without a socket: loads the configuration,
//! builds a snapshot, and answers a query for the A records of a name.
//!
//! ```sh
//! cargo run --example answer -- config/small.toml core.lb.example
//! ```
//!
//! Nodes are not probed, so all of them are unknown, and all are eligible.

use std::process::ExitCode;

use evenkeel::config::{self, Origin};
use evenkeel_core::counters::{Counters, Protocol};
use evenkeel_core::health::Health;
use evenkeel_core::name::parse_wire;
use evenkeel_core::respond::{Responder, Transport};
use hickory_proto::op::Message;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(name)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: answer CONFIG NAME");
        return ExitCode::from(64);
    };
    let loaded = match config::load(&Origin::File(file.into())) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(78);
        }
    };
    let Ok(wire) = parse_wire(name.as_bytes(), None) else {
        eprintln!("{name} is not a domain name");
        return ExitCode::from(64);
    };
    let counters = Counters::default();
    let snapshot = loaded.into_snapshot(&counters, |_, _| Health::Unknown.into(), &mut fastrand::Rng::new());

    // A header with one question, the name, type A and class IN.
    let query = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], wire.as_slice(), &[0, 1, 0, 1]].concat();
    let mut response = Vec::new();
    let mut responder = Responder::new(counters.worker(Protocol::Udp));
    if responder.respond(&query, Transport::Udp, &snapshot, &mut response)
        && let Ok(message) = Message::from_vec(&response)
    {
        println!("{message}");
    }
    ExitCode::SUCCESS
}
