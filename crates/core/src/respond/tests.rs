//! Tests and laws of responses, checked with hickory's decoder.

use std::path::Path;
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record};
use proptest::prelude::*;

use super::{Responder, Transport};
use crate::counters::{Counters, NodeNumbers, Protocol};
use crate::diagnostic::{Diagnostics, Source};
use crate::health::Health;
use crate::message::{Keepalive, truncate};
use crate::name::{Name, parse_wire};
use crate::pool::{Node, Pool, Role, decide};
use crate::snapshot::{Snapshot, SnapshotConfig};
use crate::zone::{NoIncludes, SharedName, Zones, load};

const ZONE: &str = "
$TTL 300
@     SOA ns1 hostmaster 1 3600 900 604800 5
@     NS  ns1
@     NS  ns2.elsewhere.
ns1   A   192.0.2.1
core  TXT beside
scan  CNAME core
far   CNAME www.elsewhere.
loop1 CNAME loop2
loop2 CNAME loop1
gone  CNAME nowhere
a.b.c.d.e.f.g A 192.0.2.7
*.wild MX 10 mail.wild
big   TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1
big   TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx2
big   TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx3
big   TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx4
big   TXT xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx5
sub   NS  ns.sub
sub   NS  ns1
ns.sub A  192.0.2.60
house 60 DNAME Home
x.home TXT found
core.home CNAME core
again DNAME house
grow  DNAME much.longer.grow
";

/// A snapshot of the zone, in which `core` is a shared name over a pool of `nodes` nodes.
fn snapshot(nodes: u8) -> Snapshot {
    let mut diagnostics = Diagnostics::default();
    let apex = Name::parse("lb.example").unwrap();
    let mut zone = load(Source::from_text("z", ZONE), Path::new("z"), &apex, &NoIncludes, &mut diagnostics)
        .unwrap_or_else(|| panic!("{diagnostics}"));
    let shared = SharedName { pool: 0, ttl: 5, answers: 200 };
    zone.share(&Name::parse("core.lb.example").unwrap(), shared).unwrap();
    let node = |i: u8| Node {
        name: "n".into(),
        addresses: vec![[10, 0, 0, i].into(), [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(i)].into()],
        weight: 1,
        role: Role::Active,
    };
    let pool = Pool::with_defaults("core", (0..nodes).map(node).collect());
    let mut nodes = pool.undecided(|_, _| Health::Up.into());
    let view = decide(&pool, &mut nodes, &mut fastrand::Rng::with_seed(1)).view;
    let config =
        Arc::new(SnapshotConfig::new(Zones::new(vec![zone]), Some(Box::from(*b"ns-a")), NodeNumbers::default()));
    Snapshot { generation: 1, config, pools: vec![Arc::new(view)] }
}

/// TCP, with an idle timeout.
pub(super) const STREAM: Transport = Transport::Tcp(Some(Keepalive::from_tenths(100)));

/// A query, with EDNS if there is a payload size.
pub(super) fn query(name: &str, rtype: u16, payload: Option<u16>) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(payload.is_some())];
    packet.extend(parse_wire(name.as_bytes(), None).unwrap());
    packet.extend(rtype.to_be_bytes());
    packet.extend([0, 1]);
    if let Some(size) = payload {
        packet.extend([0, 0, 41]);
        packet.extend(size.to_be_bytes());
        packet.extend([0; 6]);
    }
    packet
}

/// A responder whose counters are not read.
pub(super) fn responder() -> Responder {
    let mut responder = Responder::new(Counters::default().worker(Protocol::Udp));
    responder.reseed(1);
    responder
}

fn ask(snapshot: &Snapshot, packet: &[u8], transport: Transport) -> (usize, Message) {
    let mut out = Vec::new();
    assert!(responder().respond(packet, transport, snapshot, &mut out));
    check_truncated(&out);
    (out.len(), Message::from_vec(&out).expect("the response can be decoded"))
}

/// Checks the truncated response: `None` without a question, otherwise the response without
/// records.
fn check_truncated(response: &[u8]) {
    let whole = Message::from_vec(response).expect("the response can be decoded");
    let Some(short) = truncate(response) else {
        return assert!(whole.queries.is_empty(), "{whole}");
    };
    let short = Message::from_vec(&short).expect("the truncated response can be decoded");
    let mut expected = whole;
    expected.metadata.truncation = true;
    expected.answers.clear();
    expected.authorities.clear();
    expected.additionals.clear();
    assert_eq!(short, expected);
}

/// The response to a query over UDP with EDNS.
fn response(name: &str, rtype: u16) -> Message {
    ask(&snapshot(3), &query(name, rtype, Some(1232)), Transport::Udp).1
}

fn owners(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| record.name.to_string()).collect()
}

#[test]
fn aliases_are_followed_up_to_a_loop_or_a_name_outside_the_zones() {
    let shared = response("scan.lb.example", 1);
    assert_eq!(owners(&shared.answers)[..2], ["scan.lb.example.", "core.lb.example."]);
    assert_eq!(shared.answers.len(), 4);
    let far = response("far.lb.example", 1);
    assert_eq!((far.metadata.response_code, far.answers.len(), far.authorities.len()), (ResponseCode::NoError, 1, 0));
    let loops = response("loop1.lb.example", 1);
    assert_eq!(owners(&loops.answers), ["loop1.lb.example.", "loop2.lb.example."]);
    let gone = response("gone.lb.example", 1);
    assert_eq!(
        (gone.metadata.response_code, gone.answers.len(), gone.authorities.len()),
        (ResponseCode::NXDomain, 1, 1)
    );
    assert_eq!(response("scan.lb.example", 5).answers.len(), 1, "the alias itself");
}

#[test]
fn names_below_a_dname_record_are_aliases() {
    let records = |message: &Message| -> Vec<String> {
        message.answers.iter().map(|r| format!("{} {} {}", r.name, r.ttl, r.record_type())).collect()
    };
    let found = response("X.house.lb.example", 16);
    let expected = ["house.lb.example. 60 DNAME", "X.house.lb.example. 60 CNAME", "X.Home.lb.example. 300 TXT"];
    assert_eq!(records(&found), expected);
    assert!(found.metadata.authoritative);
    let shared = response("core.again.lb.example", 1);
    let owners = owners(&shared.answers);
    let chain = ["again", "core.again", "house", "core.house", "core.Home", "core", "core", "core"];
    assert_eq!(owners, chain.map(|name| format!("{name}.lb.example.")));
    let missing = response("a.b.house.lb.example", 1);
    assert_eq!((missing.metadata.response_code, missing.answers.len()), (ResponseCode::NXDomain, 2));
    for qtype in [5, 255] {
        let alias = response("core.again.lb.example", qtype);
        assert_eq!(records(&alias), ["again.lb.example. 300 DNAME", "core.again.lb.example. 300 CNAME"]);
    }
    assert_eq!(records(&response("house.lb.example", 39)), ["house.lb.example. 60 DNAME"]);
}

#[test]
fn a_redirected_name_that_is_too_long_gets_yxdomain() {
    let (_, grown) = ask(&snapshot(3), &query("x.grow.lb.example", 1, None), STREAM);
    assert_eq!(grown.metadata.response_code, ResponseCode::NoError, "most aliases that are followed");
    assert_eq!((owners(&grown.answers)[0].as_str(), grown.answers.len()), ("grow.lb.example.", 1 + 17));
    let label = "l".repeat(60);
    let long = format!("{label}.{label}.{label}.{}.grow.lb.example", "l".repeat(48));
    let (_, long) = ask(&snapshot(3), &query(&long, 1, None), STREAM);
    assert_eq!(long.metadata.response_code, ResponseCode::YXDomain);
    assert!(long.metadata.authoritative && long.authorities.is_empty());
    assert_eq!(owners(&long.answers), ["grow.lb.example."]);
}

#[test]
fn referrals_have_glue_and_no_aa() {
    let referral = response("www.sub.lb.example", 1);
    assert!(!referral.metadata.authoritative && referral.answers.is_empty());
    assert_eq!(owners(&referral.authorities), ["sub.lb.example."; 2]);
    assert_eq!(owners(&referral.additionals), ["ns.sub.lb.example.", "ns1.lb.example."]);
}

#[test]
fn records_of_a_wildcard_have_the_name_of_the_question() {
    let answer = response("A.wild.lb.example", 15);
    assert_eq!(owners(&answer.answers), ["A.wild.lb.example."]);
    let RData::MX(mx) = &answer.answers[0].data else { panic!("an MX") };
    assert_eq!(mx.exchange.to_string(), "mail.wild.lb.example.");
}

#[test]
fn each_owner_name_takes_two_bytes() {
    let (len, message) = ask(&snapshot(3), &query("core.lb.example", 1, None), Transport::Udp);
    assert_eq!(len, 12 + 17 + 4 + 3 * 16);
    assert_eq!(message.answers.len(), 3);
}

fn any_name() -> impl Strategy<Value = String> {
    let known = vec![
        "core",
        "scan",
        "far",
        "loop1",
        "gone",
        "big",
        "x.wild",
        "www.sub",
        "g",
        "f.g",
        "a.b.c.d.e.f.g",
        "ns1",
        "CoRe",
        "house",
        "X.house",
        "core.again",
        "x.grow",
    ];
    prop_oneof![
        prop::sample::select(known).prop_map(|name| format!("{name}.lb.example")),
        "[a-z]{1,10}(\\.[a-z]{1,10}){0,20}".prop_map(|name| format!("{name}.lb.example")),
        "[a-z]{1,63}".prop_map(|name| format!("{name}.elsewhere")),
        Just("lb.example".to_owned()),
        Just(".".to_owned()),
    ]
}

/// A query with EDNS options.
fn query_with_options(name: &str, rtype: u16, options: &[u8]) -> Vec<u8> {
    let mut packet = query(name, rtype, Some(1232));
    let len = packet.len();
    packet[len - 1] = options.len() as u8;
    packet.extend(options);
    packet
}

/// The response to a packet.
fn respond(packet: &[u8], transport: Transport, snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(responder().respond(packet, transport, snapshot, &mut out));
    out
}

#[test]
fn padded_queries_get_padded_responses_over_encrypted_transports_only() {
    let padded = |name, rtype, nodes, transport| {
        let packet = query_with_options(name, rtype, &[0, 12, 0, 3, 0, 0, 0, 0, 3, 0, 0]);
        respond(&packet, transport, &snapshot(nodes)).len()
    };
    for transport in [Transport::HttpsOrQuic, Transport::Tls(Keepalive::from_tenths(100))] {
        for (name, rtype) in [("core.lb.example", 1), ("nothing.lb.example", 1), ("elsewhere.example", 16)] {
            assert_eq!(padded(name, rtype, 8, transport), 468, "{name} {rtype} {transport:?}");
        }
        assert_eq!(padded("core.lb.example", 1, 100, transport) % 468, 0);
        let plain = query("core.lb.example", 1, Some(1232));
        assert!(respond(&plain, transport, &snapshot(8)).len() < 468, "the query is not padded");
    }
    assert!(padded("core.lb.example", 1, 8, Transport::Udp) < 468);
    assert!(padded("core.lb.example", 1, 8, STREAM) < 468);
    let malformed = query_with_options("core.lb.example", 1, &[0, 12, 0, 0, 0, 8, 0, 0]);
    assert_eq!(respond(&malformed, Transport::HttpsOrQuic, &snapshot(8)).len(), 468, "FORMERR is padded, too");
}

#[test]
fn the_idle_timeout_is_told_over_tcp_and_tls_only() {
    let packet = query_with_options("core.lb.example", 1, &[0, 11, 0, 0]);
    let told = |transport| respond(&packet, transport, &snapshot(2)).ends_with(&[0, 11, 0, 2, 0, 100]);
    assert!(told(STREAM) && told(Transport::Tls(Keepalive::from_tenths(100))));
    assert!(!told(Transport::Udp) && !told(Transport::Tcp(None)) && !told(Transport::HttpsOrQuic));
    let unasked = respond(&query("core.lb.example", 1, Some(1232)), STREAM, &snapshot(2));
    assert!(!unasked.ends_with(&[0, 100]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// The response to any query can be decoded and keeps the limit. It has the question, and an
    /// OPT record if the query has one.
    #[test]
    fn responses_decode_and_keep_their_limit(
        name in any_name(),
        rtype in prop::sample::select(vec![1_u16, 2, 5, 6, 15, 16, 28, 43, 255, 65280]),
        payload in prop::option::of(any::<u16>()),
        nodes in 1_u8..120,
    ) {
        let snapshot = snapshot(nodes);
        let packet = query(&name, rtype, payload);
        let (len, message) = ask(&snapshot, &packet, Transport::Udp);
        prop_assert!(len <= usize::from(payload.map_or(512, |size| size.clamp(512, 1232))));
        prop_assert_eq!(message.metadata.id, 0x1234);
        prop_assert_eq!(message.queries.len(), 1);
        prop_assert_eq!(message.edns.is_some(), payload.is_some());
        let (_, whole) = ask(&snapshot, &packet, STREAM);
        prop_assert!(!whole.metadata.truncation);
        prop_assert_eq!(whole.metadata.response_code, message.metadata.response_code);
        if message.metadata.truncation {
            prop_assert!(message.answers.len() < whole.answers.len() || message.authorities.len() < whole.authorities.len());
        } else if !matches!(rtype, 1 | 28) {
            prop_assert_eq!(&message.answers, &whole.answers);
            prop_assert_eq!(&message.authorities, &whole.authorities);
        }
    }

    /// The responder never panics, whatever the packet contains. If it responds, the response can
    /// be decoded.
    #[test]
    fn any_bytes_get_a_valid_response_or_none(packet in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut out = Vec::new();
        if responder().respond(&packet, Transport::Udp, &snapshot(2), &mut out) {
            check_truncated(&out);
        }
    }

    /// The same law for queries with a few changed bytes, which reach more of the code.
    #[test]
    fn any_changed_query_gets_a_valid_response_or_none(
        name in any_name(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut packet = query(&name, 1, Some(1232));
        for (at, to) in changes {
            let at = at.index(packet.len());
            packet[at] = to;
        }
        if let Some(cut) = cut {
            packet.truncate(cut.index(packet.len()));
        }
        let mut out = Vec::new();
        if responder().respond(&packet, Transport::Udp, &snapshot(2), &mut out) {
            check_truncated(&out);
        }
    }
}
