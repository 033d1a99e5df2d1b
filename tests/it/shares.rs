//! Shares follow weights, agents and operators: counted through the wire, and judged by chi-square.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use crate::support::nodes::free_network;
use crate::support::operator::done;
use crate::support::packet::v4;
use crate::support::server::{Server, ZONE};
use crate::support::wait_until;

/// For each node its weight and what its agent says.
const NODES: [(u32, &str); 6] =
    [(1, "up 100%\n"), (2, "50%\n"), (3, "up\n"), (4, "ready 25%\n"), (5, "drain\n"), (6, "down\n")];

/// Sums of squares above this are seen once in a hundred million times with up to five degrees of freedom.
const CRITICAL: f64 = 47.0;

/// Agents at 127.N.0.1, …; gives N and their port.
fn agents() -> (u8, u16) {
    let (network, port) = free_network(NODES.len() as u8);
    for (node, (_, line)) in (1..).zip(NODES) {
        let listener = TcpListener::bind((Ipv4Addr::new(127, network, 0, node), port)).expect("a free port");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                // Whoever asks may hang up before.
                let _ = stream.write_all(line.as_bytes());
            }
        });
    }
    (network, port)
}

/// Asks until every node could be seen a hundred times and more, and compares with what should be.
#[track_caller]
fn assert_shares(server: &Server, expected: &[(u8, f64)]) {
    const ROUNDS: u32 = 8000;
    let client = server.client();
    let mut seen: BTreeMap<u8, u32> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for address in v4(&client.ask("core.lb.example", 1)) {
            *seen.entry(address.octets()[3]).or_default() += 1;
        }
    }
    let sum: f64 = expected.iter().map(|(_, weight)| weight).sum();
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), expected.iter().map(|(node, _)| *node).collect::<Vec<_>>());
    let square = |(node, weight): &(u8, f64)| {
        let should = f64::from(ROUNDS) * weight / sum;
        (f64::from(seen[node]) - should).powi(2) / should
    };
    let chi_square: f64 = expected.iter().map(square).sum();
    assert!(chi_square < CRITICAL, "{chi_square}: {seen:?}, should be as {expected:?}");
}

#[test]
fn shares_are_what_configuration_agents_and_operators_make_them() {
    let (network, port) = agents();
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
    // Weight times what the agent leaves of it.
    wait_until("agents are heard", || done(&server, "status").contains("carries 25 % of its weight"));
    assert_shares(&server, &[(1, 1.0), (2, 1.0), (3, 3.0), (4, 1.0)]);
    done(&server, "drain core/n3");
    done(&server, "force up core/n6");
    done(&server, "force down core/n1");
    // What an agent that takes its node out leaves of the weight is not known: all of it.
    assert_shares(&server, &[(2, 1.0), (4, 1.0), (6, 6.0)]);
    done(&server, "resume core/n3");
    assert_shares(&server, &[(2, 1.0), (3, 3.0), (4, 1.0), (6, 6.0)]);
}
