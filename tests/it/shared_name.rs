//! The shared name: who is answered, in which order, and how that follows health.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RData;

use crate::support::nodes::Nodes;
use crate::support::packet::{Client, query, v4};
use crate::support::server::{Server, ZONE};
use crate::support::{free_address, wait_until};

/// A pool of the nodes, probed ten times a second, behind `core.lb.example`.
fn config(nodes: &Nodes, pool: &str) -> String {
    config_with(nodes.port, &format!("{pool}\nnodes = [\n{}]", nodes.as_config()))
}

fn config_with(port: u16, pool: &str) -> String {
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
interval = "100ms"
timeout = "100ms"
rise = 2
fall = 3
[pools.core]
monitors = ["ready"]
{pool}
[names."core.lb.example"]
pool = "core"
ttl = "5s"
"#
    )
}

fn v4_set(client: &Client) -> BTreeSet<Ipv4Addr> {
    v4(&client.ask("core.lb.example", 1)).into_iter().collect()
}

fn set(addresses: impl IntoIterator<Item = Ipv4Addr>) -> BTreeSet<Ipv4Addr> {
    addresses.into_iter().collect()
}

#[test]
fn all_healthy_nodes_are_answered_in_every_order() {
    let nodes = Nodes::start(3);
    let server = Server::start(&config(&nodes, ""));
    let client = server.client();
    let mut orders = BTreeMap::new();
    const ROUNDS: u32 = 1200;
    for _ in 0..ROUNDS {
        let answer = client.ask("core.lb.example", 1);
        assert!(answer.metadata.authoritative && answer.answers.iter().all(|record| record.ttl == 5));
        *orders.entry(v4(&answer)).or_insert(0_u32) += 1;
    }
    assert_eq!(orders.len(), 6);
    let expected = f64::from(ROUNDS) / 6.0;
    let chi_square: f64 = orders.values().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    assert!(chi_square < 40.0, "{orders:?}"); // five degrees of freedom: beyond 1 - 1e-6
}

#[test]
fn a_node_that_is_not_ready_leaves_and_returns() {
    let mut nodes = Nodes::start(3);
    let server = Server::start(&config(&nodes, ""));
    let client = server.client();
    let all = set(nodes.addresses());
    assert_eq!(v4_set(&client), all);

    nodes.fake(1, r#"{"readyz": 503}"#);
    wait_until("core-2 has left", || v4_set(&client) == set([nodes.address(0), nodes.address(2)]));
    server.wait_for_log("core/core-2");
    server.wait_for_log("is down: 3 of 3 probes of ready failed, status 503");

    nodes.kill(2);
    wait_until("core-3 has left", || v4_set(&client) == set([nodes.address(0)]));
    server.wait_for_log("connection refused");

    nodes.fake(0, r#"{"readyz": 500}"#);
    wait_until("the pool fails open", || v4_set(&client) == all);
    server.wait_for_log("pool core: no node is up, all 3 active nodes are answered (fail open)");

    nodes.fake(1, r#"{"readyz": 200}"#);
    wait_until("core-2 is back", || v4_set(&client) == set([nodes.address(1)]));
    server.wait_for_log("pool core: active nodes are up again");
    nodes.revive(2);
    nodes.fake(0, r#"{"readyz": 200}"#);
    wait_until("all are back", || v4_set(&client) == all);
    let warnings = server.log().matches(" WARN ").count();
    assert_eq!(warnings, 2, "one when failing open begins, one when it ends:\n{}", server.log());
}

#[test]
fn a_family_that_nobody_has_is_nodata_for_as_short_as_the_answer() {
    let nodes = Nodes::start(1);
    let server = Server::start(&config(&nodes, ""));
    let answer = server.client().ask("core.lb.example", 28);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert!(answer.answers.is_empty());
    assert_eq!(answer.authorities.len(), 1);
    assert_eq!(answer.authorities[0].ttl, 5);
}

#[test]
fn both_families_of_the_same_nodes_are_answered() {
    let server = Server::start(&config_with(1, "").replace(
        "monitors = [\"ready\"]",
        r#"nodes = [
        { name = "a", addresses = ["192.0.2.1", "2001:db8::1"] },
        { name = "b", address = "2001:db8::2" },
    ]"#,
    ));
    let client = server.client();
    assert_eq!(v4(&client.ask("core.lb.example", 1)), [Ipv4Addr::new(192, 0, 2, 1)]);
    let answer = client.ask("core.lb.example", 28);
    let v6 = answer.answers.iter().filter_map(|r| if let RData::AAAA(a) = &r.data { Some(a.0) } else { None });
    let expected: BTreeSet<Ipv6Addr> = ["2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap()].into();
    assert_eq!(v6.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn at_most_answers_nodes_are_drawn_and_weights_are_shares() {
    let nodes: String = (1..=6)
        .map(|i| format!("{{ name = \"n{i}\", address = \"192.0.2.{i}\", weight = {} }},", if i == 1 { 3 } else { 1 }))
        .collect();
    let config = config_with(1, &format!("nodes = [{nodes}]")).replace("monitors = [\"ready\"]", "");
    let server = Server::start(&config.replace("ttl = \"5s\"", "answers = 2"));
    let client = server.client();
    let mut seen = [0_u32; 7];
    const ROUNDS: u32 = 2000;
    for _ in 0..ROUNDS {
        let addresses = v4(&client.ask("core.lb.example", 1));
        assert_eq!(set(addresses.clone()).len(), 2);
        addresses.iter().for_each(|a| seen[usize::from(a.octets()[3])] += 1);
    }
    // Inclusion is k·w/Σw: 6/8 for the heavy node, 2/8 for the others.
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
    // The fake node's 503 says that its scan queue is full, and nothing else.
    nodes.fake(0, r#"{"readyz": 503}"#);
    let share = || {
        let rounds = 400;
        let first = (0..rounds).filter(|_| v4(&client.ask("core.lb.example", 1)) == [nodes.address(0)]).count();
        first * 100 / rounds
    };
    wait_until("the busy node has a tenth of the other's share", || (3..18).contains(&share()));
    assert!(!server.log_has("is down"), "{}", server.log());
    nodes.fake(0, r#"{"readyz": 200}"#);
    wait_until("it has its full share again", || (40..60).contains(&share()));
}

#[test]
fn bad_answers_take_out_half_of_the_nodes_and_silence_takes_out_all() {
    let mut nodes = Nodes::start(4);
    let server = Server::start(&config(&nodes, "when_empty = \"servfail\""));
    let client = server.client();
    for (node, left) in [(0, &[1, 2, 3][..]), (1, &[2, 3])] {
        nodes.fake(node, r#"{"readyz": 503}"#);
        wait_until("it has left", || v4_set(&client) == set(left.iter().map(|&node| nodes.address(node))));
    }
    nodes.fake(2, r#"{"readyz": 503}"#);
    server.wait_for_log("has bad responses and is not ejected: 2 active nodes are out for that");
    assert_eq!(v4_set(&client), set([nodes.address(2), nodes.address(3)]));
    // It stops answering at all, and then answers badly again.
    nodes.kill(2);
    wait_until("it has left, too", || v4_set(&client) == set([nodes.address(3)]));
    nodes.revive(2);
    nodes.fake(2, r#"{"readyz": 503}"#);
    wait_until("it is kept again, or was quick", || v4_set(&client) == set([nodes.address(2), nodes.address(3)]));
    // One that is up again makes room.
    nodes.fake(0, r#"{"readyz": 200}"#);
    wait_until("it makes room", || v4_set(&client) == set([nodes.address(0), nodes.address(3)]));
    server.wait_for_log("is ejected: at most 2 active nodes are out for bad responses");
    for node in [0, 3] {
        nodes.fake(node, r#"{"readyz": 503}"#);
    }
    let servfail = || client.ask("core.lb.example", 1).metadata.response_code == ResponseCode::ServFail;
    wait_until("nobody is up, which `when_empty` is for", servfail);
}

#[test]
fn backups_stand_in_only_while_no_active_node_is_up() {
    let nodes = Nodes::start(2);
    let spare = format!(
        "nodes = [{}]",
        nodes.as_config().replace("name = \"core-2\",", "name = \"spare\", role = \"backup\",")
    );
    let server = Server::start(&config_with(nodes.port, &spare));
    let client = server.client();
    assert_eq!(v4_set(&client), set([nodes.address(0)]));
    nodes.fake(0, r#"{"readyz": 503}"#);
    wait_until("the backup is answered", || v4_set(&client) == set([nodes.address(1)]));
    nodes.fake(0, r#"{"readyz": 200}"#);
    wait_until("the active node is answered again", || v4_set(&client) == set([nodes.address(0)]));
}

#[test]
fn a_pool_with_nobody_up_answers_as_configured() {
    let mut nodes = Nodes::start(1);
    nodes.kill(0);
    let answer = |pool: &str| {
        let server = Server::start(&config(&nodes, pool));
        let answer = server.client().ask("core.lb.example", 1);
        (
            answer.metadata.response_code,
            v4(&answer),
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
fn names_may_be_wildcards_aliases_and_the_apex() {
    let config = config_with(1, "nodes = [{ name = \"a\", address = \"192.0.2.1\" }]")
        .replace("monitors = [\"ready\"]", "host = \"core.lb.example\"");
    let names = "[names.\"*.pods.lb.example\"]\npool = \"core\"\n[names.\"lb.example\"]\npool = \"core\"\n";
    let server = Server::start(&format!("{config}{names}"));
    let client = server.client();
    for name in ["core.lb.example", "CORE.LB.EXAMPLE", "x.pods.lb.example", "a.b.pods.lb.example", "lb.example"] {
        assert_eq!(v4(&client.ask(name, 1)), [Ipv4Addr::new(192, 0, 2, 1)], "{name}");
    }
    let alias = client.ask("scan.lb.example", 1);
    assert_eq!((alias.answers.len(), v4(&alias).len()), (2, 1));
    let ent = client.ask("pods.lb.example", 1);
    assert_eq!((ent.metadata.response_code, ent.answers.len()), (ResponseCode::NoError, 0));
    assert_eq!(client.ask("core.lb.example", 15).answers.len(), 1, "MX beside the shared name");
    assert_eq!(client.ask("lb.example", 2).answers.len(), 1, "NS of the apex");
}

#[test]
fn the_first_answer_is_already_the_healthy_one() {
    // One node answers, one accepts connections and stays silent: unknown until the grace is over, and nobody may be
    // answered before that.
    let nodes = Nodes::start(1);
    let silent = TcpListener::bind((Ipv4Addr::new(127, 250, 0, 1), nodes.port)).expect("a silent node");
    let hang = format!("{{ name = \"hang\", address = \"{}\" }}", silent.local_addr().unwrap().ip());
    let config = config_with(nodes.port, &format!("nodes = [{}{hang}]", nodes.as_config()))
        .replace("interval = \"100ms\"\ntimeout = \"100ms\"", "interval = \"60s\"\ntimeout = \"60s\"");
    let address = free_address();
    let config = config.replace("[\"127.0.0.1:0\"]", &format!("[\"{address}\"]\nstartup_grace = \"700ms\""));
    let began = std::time::Instant::now();
    let server = Server::launch(&[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    let client = Client::new(address);
    let mut answer = None;
    wait_until("there is a first answer", || {
        answer = client.exchange(&query(7, 0, "core.lb.example", 1));
        answer.is_some()
    });
    assert!(began.elapsed().as_millis() >= 700, "answered before the first round of probes was over");
    let answer = Message::from_vec(&answer.expect("waited for just above")).expect("a response");
    assert_eq!(v4(&answer), [nodes.address(0)]);
    server.wait_for_log("hang (127.250.0.1) is unknown: not probed within startup_grace");
}
