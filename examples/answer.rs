//! What a configuration would answer, without a socket: the library's loader, decision and response on one packet.
//!
//! ```sh
//! cargo run --example answer -- config/small.toml core.lb.example
//! ```
//! Nobody has probed the nodes here, so all of them are unknown, and all are eligible.

use std::process::ExitCode;
use std::sync::Arc;

use evenkeel::config::{self, Origin};
use evenkeel::dns::{Protocol, Responder, Tallies, Transport};
use evenkeel::health::{Health, Standing};
use evenkeel::name::parse_wire;
use evenkeel::pool::decide;
use evenkeel::serving::{Serving, Static};
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
        eprintln!("{name} is no domain name");
        return ExitCode::from(64);
    };
    let mut rng = fastrand::Rng::new();
    let pools = loaded.pools.iter().map(|pool| {
        let standings = vec![Standing::from(Health::Unknown); pool.slots().count()];
        Arc::new(decide(pool, &standings, &pool.as_configured(), &mut rng).view)
    });
    let pools = pools.collect();
    let tallies = Tallies::default();
    let fixed = Arc::new(Static::new(loaded.zones, None, tallies.number(&loaded.pools)));
    let serving = Serving { generation: 1, fixed, pools };

    // Header with one question; the name; type A, class IN.
    let query = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], wire.as_slice(), &[0, 1, 0, 1]].concat();
    let mut response = Vec::new();
    let mut responder = Responder::new(tallies.begin(Protocol::Udp));
    if responder.respond(&query, Transport::Udp, &serving, &mut response)
        && let Ok(message) = Message::from_vec(&response)
    {
        println!("{message}");
    }
    ExitCode::SUCCESS
}
