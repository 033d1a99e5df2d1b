//! The shares of nodes in answers follow weights, agents and overrides.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use crate::support::commands::run;
use crate::support::nodes::free_network;
use crate::support::packet::ipv4_addresses;
use crate::support::server::{Server, ZONE};
use crate::support::statistics::chi_square;
use crate::support::wait_until;

/// Weight of each node, and the line that its agent sends.
const NODES: [(u32, &str); 6] =
    [(1, "up 100%\n"), (2, "50%\n"), (3, "up\n"), (4, "ready 25%\n"), (5, "drain\n"), (6, "down\n")];

/// Limit for chi-square with at most five degrees of freedom. A correct server exceeds it in about
/// one of 10^8 runs.
const CHI_SQUARE_LIMIT: f64 = 47.0;

/// Starts the agents at 127.N.0.1 and so on; returns N and their port.
fn start_agents() -> (u8, u16) {
    let (network, port) = free_network(NODES.len() as u8);
    for (node, (_, line)) in (1..).zip(NODES) {
        let listener = TcpListener::bind((Ipv4Addr::new(127, network, 0, node), port)).expect("the address is free");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                // The server can close the connection first.
                let _ = stream.write_all(line.as_bytes());
            }
        });
    }
    (network, port)
}

/// Asserts that the nodes have these shares, within chance. Only these nodes may be answered.
#[track_caller]
fn assert_shares(server: &Server, expected: &[(u8, f64)]) {
    const ROUNDS: u32 = 8000;
    let client = server.client();
    let mut seen: BTreeMap<u8, u32> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for address in ipv4_addresses(&client.ask("core.lb.example", 1)) {
            *seen.entry(address.octets()[3]).or_default() += 1;
        }
    }
    let sum: f64 = expected.iter().map(|(_, weight)| weight).sum();
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), expected.iter().map(|(node, _)| *node).collect::<Vec<_>>());
    let share = |weight: f64| f64::from(ROUNDS) * weight / sum;
    let chi_square = chi_square(expected.iter().map(|&(node, weight)| (u64::from(seen[&node]), share(weight))));
    assert!(chi_square < CHI_SQUARE_LIMIT, "{chi_square}: {seen:?} instead of {expected:?}");
}

#[test]
fn shares_follow_weights_agents_and_overrides() {
    let (network, port) = start_agents();
    let node = |(i, (weight, _)): (usize, (u32, &str))| {
        format!("{{ name = \"n{}\", address = \"127.{network}.0.{}\", weight = {weight} }},\n", i + 1, i + 1)
    };
    let nodes: String = NODES.into_iter().enumerate().map(node).collect();
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nsocket = \"admin.sock\"\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n\
         [monitors.agent]\nkind = \"agent\"\nport = {port}\ninterval = \"100ms\"\ntimeout = \"100ms\"\n\
         [pools.core]\nmonitors = [\"agent\"]\nnodes = [\n{nodes}]\n\
         [names.\"core.lb.example\"]\npool = \"core\"\nanswers = 1\n"
    );
    let server = Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    // The effective weight is the weight times the percentage of the agent.
    wait_until("the status shows the percentage of an agent", || {
        run(&server, "status").contains("carries 25 % of its weight")
    });
    assert_shares(&server, &[(1, 1.0), (2, 1.0), (3, 3.0), (4, 1.0)]);
    run(&server, "drain core/n3");
    run(&server, "force up core/n6");
    run(&server, "force down core/n1");
    // An agent that takes its node out gives no percentage, so a forced node has its full weight.
    assert_shares(&server, &[(2, 1.0), (4, 1.0), (6, 6.0)]);
    run(&server, "resume core/n3");
    assert_shares(&server, &[(2, 1.0), (3, 3.0), (4, 1.0), (6, 6.0)]);
}
