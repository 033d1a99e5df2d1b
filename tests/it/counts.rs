//! What is answered: how evenly, and whether it is counted.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::Value;

use crate::support::PATIENCE;
use crate::support::operator::{config, done, start, status};
use crate::support::packet::{Client, over_tcp, query, v4};

const NODES: u8 = 100;

/// Sums of squares above this are seen less than once in a hundred million times with 99 degrees of freedom.
const CRITICAL: f64 = 210.0;

/// Records of each node of the first pool.
fn records(status: &Value) -> BTreeMap<String, u64> {
    let nodes = status["pools"][0]["nodes"].as_array().expect("nodes");
    let count = |node: &Value| Some((node["name"].as_str()?.to_owned(), node["records"].as_u64()?));
    nodes.iter().map(|node| count(node).expect("a name and a number")).collect()
}

#[track_caller]
fn assert_even(counts: &BTreeMap<Ipv4Addr, u64>) {
    assert_eq!(counts.len(), usize::from(NODES));
    let expected = counts.values().sum::<u64>() as f64 / f64::from(NODES);
    let chi_square: f64 = counts.values().map(|&count| (count as f64 - expected).powi(2) / expected).sum();
    assert!(chi_square < CRITICAL, "{chi_square}: {counts:?}");
}

#[test]
fn every_node_is_answered_as_often_and_as_often_first_and_counted_over_all_workers() {
    const CLIENTS: u64 = 40;
    const ASKED: u64 = 500;
    let text = config(NODES).replace("[server]\n", "[server]\nworkers = 3\n");
    let server = start(&text);
    let (mut seen, mut first) = (BTreeMap::new(), BTreeMap::new());
    // The system gives each client to one of the workers.
    for _ in 0..CLIENTS {
        let client = server.client();
        for _ in 0..ASKED {
            let addresses = v4(&client.ask("core.lb.example", 1));
            assert_eq!(addresses.len(), 8);
            *first.entry(addresses[0]).or_insert(0_u64) += 1;
            addresses.iter().for_each(|address| *seen.entry(*address).or_insert(0_u64) += 1);
        }
    }
    assert_even(&seen);
    assert_even(&first);
    let status = status(&server);
    let counted = records(&status);
    // A client that has waited too long asks again.
    let again = status["answers"]["udp"]["rcodes"]["NOERROR"].as_u64().expect("a number") - CLIENTS * ASKED;
    assert_eq!(counted.values().sum::<u64>(), 8 * (CLIENTS * ASKED + again));
    for (address, seen) in seen {
        let counted = counted[&format!("core-{}", address.octets()[3])];
        assert!((seen..=seen + again).contains(&counted), "{address}: {seen} seen, {counted} counted");
    }
    let timed = status["answers"]["udp"]["latency"].as_array().expect("a list");
    let timed: u64 = timed.iter().map(|time| time["responses"].as_u64().expect("a number")).sum();
    assert!((CLIENTS * ASKED / 100..CLIENTS * ASKED / 10).contains(&timed), "one in 64 or so, not {timed}");
}

#[test]
fn answers_are_counted_by_protocol_and_code_also_across_reloads() {
    let text = config(3).replace("pool = \"core\"", "pool = \"core\"\nanswers = 1");
    let mut server = start(&text);
    // Once, since all is counted, and over one socket, so that one worker sees it in this order.
    let ask = |client: &Client, name: &str, rtype: u16| {
        let packet = query(fastrand::u16(..), 0, name, rtype);
        assert!(client.exchange_within(&packet, PATIENCE).is_some(), "an answer to {name}");
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
    assert!(client.exchange_within(&badvers, PATIENCE).is_some());
    // A response is not answered; the question behind it is, so that both have been read.
    assert!(
        client.exchange_within(&query(8, 0x8000, "core.lb.example", 1), std::time::Duration::from_millis(1)).is_none()
    );
    client.send(&[]);
    ask(&client, "www.lb.example", 1);
    over_tcp(server.address(), &[query(1, 0, "core.lb.example", 1), query(2, 0, "nothing.lb.example", 1)]);
    // Other addresses, other workers; and a node that leaves.
    server.reload(&text.replace("\"127.0.0.1:0\"", "\"127.0.0.2:0\"").replace("core-3", "core-4"));
    assert_eq!(server.address().ip().to_string(), "127.0.0.2");
    let client = Client::new(server.address());
    for _ in 0..3 {
        ask(&client, "core.lb.example", 1);
    }
    let status = status(&server);
    let (udp, tcp) = (&status["answers"]["udp"], &status["answers"]["tcp"]);
    let codes: BTreeMap<String, u64> = serde_json::from_value(udp["rcodes"].clone()).expect("numbers");
    let expected = [("BADVERS", 1), ("NOERROR", 6), ("NXDOMAIN", 1), ("REFUSED", 1)];
    assert_eq!(codes, expected.map(|(code, count)| (code.to_owned(), count)).into());
    assert_eq!((&udp["ignored"], &udp["truncated"]), (&2.into(), &0.into()));
    assert_eq!(udp["slow_path"], 4, "all but the addresses of the shared name, and that it has none");
    assert_eq!(tcp["rcodes"].to_string(), r#"{"NOERROR":1,"NXDOMAIN":1}"#);
    let records = records(&status);
    assert!(records.keys().eq(["core-1", "core-2", "core-4"]));
    assert!(records.values().sum::<u64>() >= 3 && records.values().sum::<u64>() <= 5, "{records:?}");
    let shown = done(&server, "status");
    assert!(
        shown
            .contains("UDP: responses 9 (BADVERS 1, NOERROR 6, NXDOMAIN 1, REFUSED 1), truncated 0, ignored packets 2"),
        "{shown}"
    );
    assert!(shown.contains("TCP: responses 2 (NOERROR 1, NXDOMAIN 1), truncated 0"), "{shown}");
}
