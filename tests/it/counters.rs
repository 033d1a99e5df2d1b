//! Counters of responses and records, against the responses that clients received.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::Value;

use crate::support::WAIT_LIMIT;
use crate::support::commands::{config_with_nodes, run, status};
use crate::support::packet::{UdpClient, ipv4_addresses, over_tcp, query};
use crate::support::server::Server;
use crate::support::statistics::chi_square;

const NODES: u8 = 100;

/// Limit for chi-square with 99 degrees of freedom; chance exceeds it in one of 10^8 runs at most.
const CHI_SQUARE_LIMIT: f64 = 210.0;

/// The counter `records` of each node of the first pool.
fn records(status: &Value) -> BTreeMap<String, u64> {
    let nodes = status["pools"][0]["nodes"].as_array().expect("the pool has nodes");
    let count = |node: &Value| Some((node["name"].as_str()?.to_owned(), node["records"].as_u64()?));
    nodes.iter().map(|node| count(node).expect("a node has a name and a number")).collect()
}

/// Asserts that all nodes have the same share, within chance.
#[track_caller]
fn assert_even(counts: &BTreeMap<Ipv4Addr, u64>) {
    assert_eq!(counts.len(), usize::from(NODES));
    let expected = counts.values().sum::<u64>() as f64 / f64::from(NODES);
    let chi_square = chi_square(counts.values().map(|&count| (count, expected)));
    assert!(chi_square < CHI_SQUARE_LIMIT, "{chi_square}: {counts:?}");
}

#[test]
fn nodes_have_equal_shares_and_counters_cover_all_workers() {
    const CLIENTS: u64 = 40;
    const QUERIES: u64 = 500;
    let text = config_with_nodes(NODES).replace("[server]\n", "[server]\nworkers = 3\n");
    let server = Server::start(&text);
    let (mut seen, mut first) = (BTreeMap::new(), BTreeMap::new());
    // The system assigns each client to one of the workers.
    for _ in 0..CLIENTS {
        let client = server.client();
        for _ in 0..QUERIES {
            let addresses = ipv4_addresses(&client.ask("core.lb.example", 1));
            assert_eq!(addresses.len(), 8);
            *first.entry(addresses[0]).or_insert(0_u64) += 1;
            addresses.iter().for_each(|address| *seen.entry(*address).or_insert(0_u64) += 1);
        }
    }
    assert_even(&seen);
    assert_even(&first);
    let status = status(&server);
    let counted = records(&status);
    // A client repeats a query after a timeout.
    let repeated =
        status["responses"]["udp"]["rcodes"]["NOERROR"].as_u64().expect("the member is a number") - CLIENTS * QUERIES;
    assert_eq!(counted.values().sum::<u64>(), 8 * (CLIENTS * QUERIES + repeated));
    for (address, seen) in seen {
        let counted = counted[&format!("core-{}", address.octets()[3])];
        assert!((seen..=seen + repeated).contains(&counted), "{address}: {seen} seen, {counted} counted");
    }
    let timed = status["responses"]["udp"]["latency"].as_array().expect("the member is a list");
    let timed: u64 = timed.iter().map(|time| time["responses"].as_u64().expect("the member is a number")).sum();
    assert!(
        (CLIENTS * QUERIES / 100..CLIENTS * QUERIES / 10).contains(&timed),
        "about one in 64 responses is timed, not {timed}"
    );
}

#[test]
fn responses_are_counted_by_protocol_and_rcode_across_reloads() {
    let text = config_with_nodes(3).replace("pool = \"core\"", "pool = \"core\"\nanswers = 1");
    let mut server = Server::start(&text);
    // Each query is sent once, because every response counts. One socket means one worker, which
    // reads packets in their order.
    let ask = |client: &UdpClient, name: &str, rtype: u16| {
        let packet = query(fastrand::u16(..), 0, name, rtype);
        assert!(client.exchange_within(&packet, WAIT_LIMIT).is_some(), "no response to {name}");
    };
    let client = server.client();
    ask(&client, "core.lb.example", 1);
    ask(&client, "core.lb.example", 28);
    ask(&client, "nothing.lb.example", 1);
    ask(&client, "example.org", 1);
    let badvers = {
        let mut packet = query(7, 0, "core.lb.example", 1);
        let version = packet.len() - 5;
        packet[version] = 1;
        packet
    };
    assert!(client.exchange_within(&badvers, WAIT_LIMIT).is_some());
    // A packet that is a response gets no response, and neither does an empty one: the next packet
    // to arrive answers the query after them.
    client.send(&query(8, 0x8000, "core.lb.example", 1));
    client.send(&[]);
    client.send(&query(9, 0, "www.lb.example", 1));
    assert_eq!(client.receive()[..2], [0, 9]);
    over_tcp(server.address(), &[query(1, 0, "core.lb.example", 1), query(2, 0, "nothing.lb.example", 1)]);
    // The new address has new workers, and one node leaves.
    server.reload(&text.replace("\"127.0.0.1:0\"", "\"127.0.0.2:0\"").replace("core-3", "core-4"));
    assert_eq!(server.address().ip().to_string(), "127.0.0.2");
    let client = UdpClient::new(server.address());
    for _ in 0..3 {
        ask(&client, "core.lb.example", 1);
    }
    let status = status(&server);
    let (udp, tcp) = (&status["responses"]["udp"], &status["responses"]["tcp"]);
    let codes: BTreeMap<String, u64> = serde_json::from_value(udp["rcodes"].clone()).expect("the counters are numbers");
    let expected = [("BADVERS", 1), ("NOERROR", 6), ("NXDOMAIN", 1), ("REFUSED", 1)];
    assert_eq!(codes, expected.map(|(code, count)| (code.to_owned(), count)).into());
    assert_eq!((&udp["ignored"], &udp["truncated"]), (&2.into(), &0.into()));
    assert_eq!(udp["slow_path"], 4, "only queries for addresses of the shared name take the fast path");
    assert_eq!(tcp["rcodes"].to_string(), r#"{"NOERROR":1,"NXDOMAIN":1}"#);
    let records = records(&status);
    assert!(records.keys().eq(["core-1", "core-2", "core-4"]));
    assert!(records.values().sum::<u64>() >= 3 && records.values().sum::<u64>() <= 5, "{records:?}");
    let text = run(&server, "status");
    assert!(
        text.contains("UDP: responses 9 (BADVERS 1, NOERROR 6, NXDOMAIN 1, REFUSED 1), truncated 0, ignored packets 2"),
        "{text}"
    );
    assert!(text.contains("TCP: responses 2 (NOERROR 1, NXDOMAIN 1), truncated 0"), "{text}");
}
