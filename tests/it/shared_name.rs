//! The shared name: which nodes are answered, in which order, and how answers follow health.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RData;

use crate::support::nodes::{Nodes, silent_node};
use crate::support::packet::{UdpClient, ipv4_addresses, query};
use crate::support::server::{Server, ZONE};
use crate::support::statistics::chi_square;
use crate::support::{free_address, wait_until};

/// A configuration with these nodes, each probed five times per second, behind `core.lb.example`.
///
/// `keys` are further keys of the pool.
fn config(nodes: &Nodes, keys: &str) -> String {
    config_with_pool(nodes.port, &format!("{keys}\nnodes = [\n{}]", nodes.as_config()))
}

/// A configuration with these keys of the pool, among them `nodes`.
fn config_with_pool(port: u16, keys: &str) -> String {
    format!(
        r#"
[server]
listen = ["127.0.0.1:0"]
[zones."lb.example"]
file = "lb.zone"
[monitors.ready]
kind = "http"
port = {port}
path = "/readyz"
interval = "200ms"
timeout = "200ms"
rise = 2
fall = 3
[pools.core]
monitors = ["ready"]
{keys}
[names."core.lb.example"]
pool = "core"
ttl = "5s"
"#
    )
}

/// The addresses in one answer.
fn answered(client: &UdpClient) -> BTreeSet<Ipv4Addr> {
    ipv4_addresses(&client.ask("core.lb.example", 1)).into_iter().collect()
}

fn set(addresses: impl IntoIterator<Item = Ipv4Addr>) -> BTreeSet<Ipv4Addr> {
    addresses.into_iter().collect()
}

#[test]
fn all_healthy_nodes_are_answered_in_random_order() {
    let nodes = Nodes::start(3);
    let server = Server::start(&config(&nodes, ""));
    let client = server.client();
    let mut orders = BTreeMap::new();
    const ROUNDS: u32 = 1200;
    for _ in 0..ROUNDS {
        let answer = client.ask("core.lb.example", 1);
        assert!(answer.metadata.authoritative && answer.answers.iter().all(|record| record.ttl == 5));
        *orders.entry(ipv4_addresses(&answer)).or_insert(0_u32) += 1;
    }
    assert_eq!(orders.len(), 6);
    let expected = f64::from(ROUNDS) / 6.0;
    let chi_square = chi_square(orders.values().map(|&count| (u64::from(count), expected)));
    // With five degrees of freedom, chance exceeds 40 in less than one of 10^6 runs.
    assert!(chi_square < 40.0, "{orders:?}");
}

#[test]
fn a_node_that_is_not_ready_leaves_and_returns() {
    let mut nodes = Nodes::start(3);
    let server = Server::start(&config(&nodes, ""));
    let client = server.client();
    let all = set(nodes.addresses());
    assert_eq!(answered(&client), all);

    nodes.set_faults(1, r#"{"readyz": 503}"#);
    wait_until("core-2 is not answered", || answered(&client) == set([nodes.address(0), nodes.address(2)]));
    server.wait_for_log("core/core-2");
    server.wait_for_log("is down: 3 of 3 probes of ready failed, status 503");

    nodes.stop(2);
    wait_until("core-3 is not answered", || answered(&client) == set([nodes.address(0)]));
    server.wait_for_log("connection refused");

    nodes.set_faults(0, r#"{"readyz": 500}"#);
    wait_until("the pool fails open", || answered(&client) == all);
    server.wait_for_log("pool core: no node is up, all 3 active nodes are eligible (fail open)");

    nodes.set_faults(1, r#"{"readyz": 200}"#);
    wait_until("only core-2 is answered", || answered(&client) == set([nodes.address(1)]));
    server.wait_for_log("pool core: active nodes are up again");
    nodes.restart(2);
    nodes.set_faults(0, r#"{"readyz": 200}"#);
    wait_until("all nodes are answered", || answered(&client) == all);
    let warnings = server.log().matches(" WARN ").count();
    assert_eq!(warnings, 2, "one warning when failing open begins, one when it ends:\n{}", server.log());
}

#[test]
fn an_address_family_without_nodes_is_nodata_with_the_ttl_of_the_name() {
    let nodes = Nodes::start(1);
    let server = Server::start(&config(&nodes, ""));
    let answer = server.client().ask("core.lb.example", 28);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert!(answer.answers.is_empty());
    assert_eq!(answer.authorities.len(), 1);
    assert_eq!(answer.authorities[0].ttl, 5);
}

#[test]
fn ipv4_and_ipv6_addresses_of_the_same_nodes_are_answered() {
    let server = Server::start(&config_with_pool(1, "").replace(
        "monitors = [\"ready\"]",
        r#"nodes = [
        { name = "a", addresses = ["192.0.2.1", "2001:db8::1"] },
        { name = "b", address = "2001:db8::2" },
    ]"#,
    ));
    let client = server.client();
    assert_eq!(ipv4_addresses(&client.ask("core.lb.example", 1)), [Ipv4Addr::new(192, 0, 2, 1)]);
    let answer = client.ask("core.lb.example", 28);
    let v6 = answer.answers.iter().filter_map(|r| if let RData::AAAA(a) = &r.data { Some(a.0) } else { None });
    let expected: BTreeSet<Ipv6Addr> = ["2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap()].into();
    assert_eq!(v6.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn answers_nodes_are_drawn_by_weight() {
    let nodes: String = (1..=6)
        .map(|i| format!("{{ name = \"n{i}\", address = \"192.0.2.{i}\", weight = {} }},", if i == 1 { 3 } else { 1 }))
        .collect();
    let config = config_with_pool(1, &format!("nodes = [{nodes}]")).replace("monitors = [\"ready\"]", "");
    let server = Server::start(&config.replace("ttl = \"5s\"", "answers = 2"));
    let client = server.client();
    let mut seen = [0_u32; 7];
    const ROUNDS: u32 = 2000;
    for _ in 0..ROUNDS {
        let addresses = ipv4_addresses(&client.ask("core.lb.example", 1));
        assert_eq!(set(addresses.clone()).len(), 2);
        addresses.iter().for_each(|a| seen[usize::from(a.octets()[3])] += 1);
    }
    // The probability to be drawn is k·w/Σw: 6/8 for the heavy node, 2/8 for each other node.
    for (i, &count) in seen.iter().enumerate().skip(1) {
        let expected = f64::from(ROUNDS) * if i == 1 { 0.75 } else { 0.25 };
        assert!((f64::from(count) - expected).abs() < 6.0 * expected.sqrt(), "{seen:?}");
    }
}

#[test]
fn a_busy_node_keeps_a_small_share() {
    let nodes = Nodes::start(2);
    let busy =
        "busy_json = [{ path = \"scan_queue.status\", equals = false }, { path = \"database.status\", equals = true }]";
    let config = config(&nodes, "")
        .replace("path = \"/readyz\"", &format!("path = \"/readyz\"\n{busy}"))
        .replace("ttl", "answers = 1\nttl");
    let server = Server::start(&config);
    let client = server.client();
    // The response of the fake Core node says only that its scan queue is full.
    nodes.set_faults(0, r#"{"readyz": 503}"#);
    let share = || {
        let rounds = 400;
        let first =
            (0..rounds).filter(|_| ipv4_addresses(&client.ask("core.lb.example", 1)) == [nodes.address(0)]).count();
        first * 100 / rounds
    };
    wait_until("the busy node has a tenth of the share of the other", || (3..18).contains(&share()));
    assert!(!server.log_has("is down"), "{}", server.log());
    nodes.set_faults(0, r#"{"readyz": 200}"#);
    wait_until("the node has its full share again", || (40..60).contains(&share()));
}

#[test]
fn bad_responses_eject_half_of_the_nodes_and_refused_connections_any_number() {
    let mut nodes = Nodes::start(4);
    let server = Server::start(&config(&nodes, "when_empty = \"servfail\""));
    let client = server.client();
    for (node, left) in [(0, &[1, 2, 3][..]), (1, &[2, 3])] {
        nodes.set_faults(node, r#"{"readyz": 503}"#);
        wait_until("the node is ejected", || answered(&client) == set(left.iter().map(|&node| nodes.address(node))));
    }
    nodes.set_faults(2, r#"{"readyz": 503}"#);
    server.wait_for_log("gives bad responses but stays in the answers: max_ejected (2) is reached");
    assert_eq!(answered(&client), set([nodes.address(2), nodes.address(3)]));
    // The node refuses connections, and then has bad responses again.
    nodes.stop(2);
    wait_until("the node is down", || answered(&client) == set([nodes.address(3)]));
    nodes.restart(2);
    nodes.set_faults(2, r#"{"readyz": 503}"#);
    wait_until("the node is answered again, in spite of bad responses", || {
        answered(&client) == set([nodes.address(2), nodes.address(3)])
    });
    // Another node is up again, so this one can be ejected.
    nodes.set_faults(0, r#"{"readyz": 200}"#);
    wait_until("the node with bad responses is ejected", || {
        answered(&client) == set([nodes.address(0), nodes.address(3)])
    });
    server.wait_for_log("is ejected: at most 2 active nodes are out for bad responses");
    for node in [0, 3] {
        nodes.set_faults(node, r#"{"readyz": 503}"#);
    }
    let servfail = || client.ask("core.lb.example", 1).metadata.response_code == ResponseCode::ServFail;
    wait_until("no node is up, so `when_empty` applies", servfail);
}

#[test]
fn backups_are_answered_only_while_no_active_node_is_up() {
    let nodes = Nodes::start(2);
    let pool = format!(
        "nodes = [{}]",
        nodes.as_config().replace("name = \"core-2\",", "name = \"spare\", role = \"backup\",")
    );
    let server = Server::start(&config_with_pool(nodes.port, &pool));
    let client = server.client();
    assert_eq!(answered(&client), set([nodes.address(0)]));
    nodes.set_faults(0, r#"{"readyz": 503}"#);
    wait_until("the backup is answered", || answered(&client) == set([nodes.address(1)]));
    nodes.set_faults(0, r#"{"readyz": 200}"#);
    wait_until("the active node is answered again", || answered(&client) == set([nodes.address(0)]));
}

#[test]
fn when_empty_sets_the_answer_if_no_node_is_up() {
    let mut nodes = Nodes::start(1);
    nodes.stop(0);
    let answer = |pool: &str| {
        let server = Server::start(&config(&nodes, pool));
        let answer = server.client().ask("core.lb.example", 1);
        (
            answer.metadata.response_code,
            ipv4_addresses(&answer),
            answer.authorities.len(),
            server.client().ask("core.lb.example", 16),
        )
    };
    let (rcode, addresses, _, _) = answer("when_empty = \"all\"");
    assert_eq!((rcode, addresses), (ResponseCode::NoError, nodes.addresses()));
    let (rcode, addresses, _, txt) = answer("when_empty = \"servfail\"");
    assert_eq!((rcode, addresses), (ResponseCode::ServFail, vec![]));
    assert_eq!(txt.answers.len(), 1, "other types of the name are answered");
    let (rcode, addresses, soa, _) = answer("when_empty = \"nodata\"");
    assert_eq!((rcode, addresses, soa), (ResponseCode::NoError, vec![], 1));
    let (rcode, addresses, _, _) = answer("when_empty = \"fallback\"\nfallback = [\"192.0.2.9\"]");
    assert_eq!((rcode, addresses), (ResponseCode::NoError, vec![Ipv4Addr::new(192, 0, 2, 9)]));
}

#[test]
fn shared_names_can_be_wildcards_alias_targets_and_the_apex() {
    let config = config_with_pool(1, "nodes = [{ name = \"a\", address = \"192.0.2.1\" }]")
        .replace("monitors = [\"ready\"]", "host = \"core.lb.example\"");
    let names = "[names.\"*.pods.lb.example\"]\npool = \"core\"\n[names.\"lb.example\"]\npool = \"core\"\n";
    let server = Server::start(&format!("{config}{names}"));
    let client = server.client();
    for name in ["core.lb.example", "CORE.LB.EXAMPLE", "x.pods.lb.example", "a.b.pods.lb.example", "lb.example"] {
        assert_eq!(ipv4_addresses(&client.ask(name, 1)), [Ipv4Addr::new(192, 0, 2, 1)], "{name}");
    }
    let alias = client.ask("scan.lb.example", 1);
    assert_eq!((alias.answers.len(), ipv4_addresses(&alias).len()), (2, 1));
    let ent = client.ask("pods.lb.example", 1);
    assert_eq!((ent.metadata.response_code, ent.answers.len()), (ResponseCode::NoError, 0));
    assert_eq!(client.ask("core.lb.example", 15).answers.len(), 1, "the shared name has its MX record");
    assert_eq!(client.ask("lb.example", 2).answers.len(), 1, "the apex has its NS record");
}

#[test]
fn the_first_answer_has_only_healthy_nodes() {
    // One node is up. The other accepts connections and never responds, so its health is unknown.
    // The server must not answer before `startup_grace` is over.
    let nodes = Nodes::start(1);
    let (_listener, silent) = silent_node(nodes.port);
    let hang = format!("{{ name = \"hang\", address = \"{}\" }}", silent.ip());
    let config = config_with_pool(nodes.port, &format!("nodes = [{}{hang}]", nodes.as_config()))
        .replace("interval = \"200ms\"\ntimeout = \"200ms\"", "interval = \"60s\"\ntimeout = \"60s\"");
    let address = free_address();
    let config = config.replace("[\"127.0.0.1:0\"]", &format!("[\"{address}\"]\nstartup_grace = \"700ms\""));
    let began = std::time::Instant::now();
    let server = Server::launch(&[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    let client = UdpClient::new(address);
    let mut response = None;
    wait_until("the server responds", || {
        response = client.exchange(&query(7, 0, "core.lb.example", 1));
        response.is_some()
    });
    assert!(began.elapsed().as_millis() >= 700, "the server answered before `startup_grace` was over");
    let answer =
        Message::from_vec(&response.expect("the condition above has set it")).expect("hickory decodes the response");
    assert_eq!(ipv4_addresses(&answer), [nodes.address(0)]);
    server.wait_for_log(&format!("hang ({}) is unknown: not probed within startup_grace", silent.ip()));
}
