//! The rules of the DNS protocol, packet by packet, and with `dig` as client.

use hickory_proto::op::{Message, ResponseCode};

use crate::support::packet::{UdpClient, plain_query, query};
use crate::support::server::Server;

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:0"]
nsid = "ns-a"
[zones."lb.example"]
file = "lb.zone"
[pools.core]
nodes = [{ name = "a", address = "192.0.2.11" }, { name = "b", address = "192.0.2.12" }]
[names."core.lb.example"]
pool = "core"
"#;

/// Bits of the flags in the header (RFC 1035 §4.1.1).
const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
const RD: u16 = 0x0100;
const RA: u16 = 0x0080;
const Z: u16 = 0x0040;
const AD: u16 = 0x0020;
const CD: u16 = 0x0010;

/// Extended response code (RFC 6891 §9).
const BADVERS: u16 = 16;

fn flags(response: &[u8]) -> u16 {
    u16::from_be_bytes([response[2], response[3]])
}

fn rcode(response: &[u8]) -> u16 {
    flags(response) & 0xf
}

/// An OPT record with these options. `flags` is the first byte of the EDNS flags.
fn opt(version: u8, flags: u8, options: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0, 41, 0x10, 0, 0, version, flags, 0];
    record.extend((options.len() as u16).to_be_bytes());
    record.extend(options);
    record
}

/// One EDNS option.
fn option(code: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = code.to_be_bytes().to_vec();
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// A query for the shared name with these additional records.
fn with_additional(records: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = plain_query(0x1234, 0, "core.lb.example", 1);
    packet[11] = records.len() as u8;
    records.iter().for_each(|record| packet.extend(record));
    packet
}

/// Asserts that a packet gets no response: the next packet to arrive answers the query after it.
#[track_caller]
fn assert_no_response(client: &UdpClient, packet: &[u8]) {
    client.send(packet);
    client.send(&query(2, 0, "core.lb.example", 1));
    assert_eq!(client.receive()[..2], [0, 2], "{packet:?}");
}

#[test]
fn responses_and_incomplete_headers_get_no_response() {
    let server = Server::start(CONFIG);
    let client = server.client();
    assert_no_response(&client, &query(1, QR, "core.lb.example", 1));
    assert_no_response(&client, &query(1, 0, "core.lb.example", 1)[..11]);
    assert_no_response(&client, &[]);
    assert!(client.exchange(&query(1, 0, "core.lb.example", 1)).is_some());
}

#[test]
fn malformed_queries_get_formerr_and_other_opcodes_get_notimp() {
    let server = Server::start(CONFIG);
    let client = server.client();
    let valid = plain_query(1, 0, "core.lb.example", 1);
    let change = |at: usize, to: u8| {
        let mut packet = valid.clone();
        packet[at] = to;
        packet
    };
    let root_opt = opt(0, 0, &[]);
    let mut named_opt = root_opt.clone();
    named_opt.splice(0..1, [1, b'x', 0]);
    let mut overrun = opt(0, 0, &option(8, &[0, 1, 24, 0, 192, 0, 2]));
    let last = overrun.len() - 8;
    overrun[last] += 1;
    let formerr: Vec<(&str, Vec<u8>)> = vec![
        ("no question", change(5, 0)),
        ("two questions", change(5, 2)),
        ("65535 questions", [&valid[..4], &[0xff; 8]].concat()),
        ("header only", valid[..12].to_vec()),
        ("question cut", valid[..valid.len() - 1].to_vec()),
        ("a pointer in the question", change(12, 0xc0)),
        ("a label of 64 bytes", change(12, 64)),
        ("a missing record", change(7, 1)),
        ("65535 missing records", [&valid[..10], &[0xff; 2], &valid[12..]].concat()),
        ("two OPTs", with_additional(&[root_opt.clone(), root_opt.clone()])),
        ("OPT with an owner name", with_additional(&[named_opt])),
        ("OPT in the answer section", {
            let mut packet = with_additional(&[root_opt]);
            packet.swap(7, 11);
            packet
        }),
        ("an option longer than its record", with_additional(&[overrun])),
        ("half an option", with_additional(&[opt(0, 0, &[0, 8, 0])])),
    ];
    for (mistake, packet) in formerr {
        let response = client.exchange(&packet).unwrap_or_else(|| panic!("no response to {mistake}"));
        assert_eq!(rcode(&response), 1, "{mistake}");
        assert!(Message::from_vec(&response).is_ok(), "{mistake}");
    }
    for opcode in 1..16_u16 {
        let response =
            client.exchange(&plain_query(1, opcode << 11, "core.lb.example", 1)).expect("the server responds");
        assert_eq!((rcode(&response), (flags(&response) >> 11) & 0xf), (4, opcode));
        let garbage = [&[0, 9, (opcode << 3) as u8, 0][..], &[0xff; 8]].concat();
        assert_eq!(rcode(&client.exchange(&garbage).expect("the server responds")), 4, "the opcode is checked first");
    }
}

#[test]
fn names_classes_and_transfers_that_are_not_served_are_refused_without_aa() {
    let server = Server::start(CONFIG);
    let client = server.client();
    let mut chaos = query(1, 0, "version.bind", 16);
    let class = plain_query(1, 0, "version.bind", 16).len() - 1;
    chaos[class] = 3;
    let mut any_class = query(1, 0, "core.lb.example", 1);
    let class = plain_query(1, 0, "core.lb.example", 1).len() - 1;
    any_class[class] = 255;
    let outside = ["example", "lb.example2", "xlb.example", "."].map(|name| query(1, 0, name, 1));
    let transfers = [251, 252].map(|rtype| query(1, 0, "lb.example", rtype));
    for packet in outside.into_iter().chain(transfers).chain([chaos, any_class]) {
        let response = client.exchange(&packet).expect("the server responds");
        assert_eq!((rcode(&response), flags(&response) & AA), (5, 0), "{packet:?}");
    }
}

#[test]
fn rd_and_cd_are_copied_and_other_flags_are_clear() {
    let server = Server::start(CONFIG);
    let client = server.client();
    for name in ["core.lb.example", "nothing.lb.example", "outside.example"] {
        for sent in [0, RD, CD, RD | CD, AA | TC | RA | Z | AD, 0x07f0] {
            let response = client.exchange(&query(1, sent, name, 1)).expect("the server responds");
            let copied = sent & (RD | CD);
            assert_eq!(flags(&response) & !(AA | 0xf), QR | copied, "{name} {sent:04x}");
        }
    }
    let dnssec_ok = client.exchange(&with_additional(&[opt(0, 0xff, &[])])).expect("the server responds");
    let edns = Message::from_vec(&dnssec_ok)
        .expect("hickory decodes the response")
        .edns
        .expect("the response has an OPT record");
    assert!(edns.flags().dnssec_ok && edns.flags().z == 0, "DO is copied, the other EDNS flags are not");
}

#[test]
fn edns_versions_options_and_client_subnets_are_handled() {
    let server = Server::start(CONFIG);
    let client = server.client();
    let exchange = |records: &[Vec<u8>]| client.exchange(&with_additional(records)).expect("the server responds");
    let message = |response: &[u8]| Message::from_vec(response).expect("hickory decodes the response");

    let plain = client.exchange(&plain_query(1, 0, "core.lb.example", 1)).expect("the server responds");
    assert!(message(&plain).edns.is_none(), "a query without OPT gets a response without OPT");
    assert_eq!(message(&exchange(&[opt(0, 0, &[])])).edns.expect("the response has an OPT record").max_payload(), 1232);

    let response = message(&exchange(&[opt(1, 0, &[])]));
    assert_eq!(u16::from(response.metadata.response_code), BADVERS);
    assert_eq!(response.edns.expect("the response has an OPT record").version(), 0);
    let response = message(&exchange(&[opt(7, 0, &option(8, b"not a subnet"))]));
    assert_eq!(u16::from(response.metadata.response_code), BADVERS, "the version is checked before the options");

    let unknown = message(&exchange(&[opt(0, 0x7f, &option(65_001, b"anything"))]));
    assert_eq!((unknown.metadata.response_code, unknown.answers.len()), (ResponseCode::NoError, 2));

    for (subnet, accepted) in [
        (&[0, 0, 0, 0][..], true),
        (&[0, 1, 24, 0, 192, 0, 2], true),
        (&[0, 2, 0, 0], true),
        (&[], false),
        (&[0, 1, 24, 0, 192, 0], false),
        (&[0, 1, 23, 0, 192, 0, 3], false),
    ] {
        let sent = option(8, subnet);
        let response = exchange(&[opt(0, 0, &sent)]);
        assert_eq!(rcode(&response), u16::from(!accepted), "{subnet:?}");
        let echoed = response.windows(sent.len()).any(|window| window == sent);
        assert_eq!(echoed, accepted, "the subnet is echoed with scope 0: {subnet:?}");
    }
}

#[test]
fn any_gets_one_record_letter_case_is_kept_and_deep_names_work() {
    let server = Server::start(CONFIG);
    let client = server.client();
    for name in ["core.lb.example", "lb.example", "www.lb.example"] {
        let any = client.ask(name, 255);
        assert_eq!((any.answers.len(), any.metadata.truncation), (1, false), "{name}");
    }
    let packet = query(1, 0, "CoRe.Lb.eXaMpLe", 1);
    let response = client.exchange(&packet).expect("the server responds");
    assert_eq!(response[12..29], packet[12..29], "the question keeps its letter case");
    assert_eq!(response[33..35], [0xc0, 12], "owner names are pointers to the question");
    let deep = format!("{}lb.example", "a.".repeat(121));
    assert_eq!(client.ask(&deep, 1).metadata.response_code, ResponseCode::NXDomain);
}

#[test]
fn udp_responses_fit_the_limit_of_the_client_and_1232_bytes() {
    let nodes: String = (0..200)
        .map(|i| format!("{{ name = \"n{i}\", addresses = [\"10.0.0.{i}\", \"2001:db8::{i:x}\"] }},"))
        .collect();
    let config = CONFIG
        .replace("{ name = \"a\", address = \"192.0.2.11\" }, { name = \"b\", address = \"192.0.2.12\" }", &nodes);
    let text = format!("big TXT {}\n", "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" ".repeat(25));
    let zone = format!("{}{text}", crate::support::server::ZONE);
    let server = Server::start_with(&[("evenkeel.toml", &format!("{config}answers = 200\n")), ("lb.zone", &zone)]);
    let client = server.client();
    let sized = |name: &str, rtype: u16, size: Option<u16>| {
        let mut packet = plain_query(1, 0, name, rtype);
        if let Some(size) = size {
            packet[11] = 1;
            let mut record = opt(0, 0, &[]);
            record[3..5].copy_from_slice(&size.to_be_bytes());
            packet.extend(record);
        }
        let response = client.exchange(&packet).expect("the server responds");
        (response.len(), Message::from_vec(&response).expect("hickory decodes the response"))
    };
    for (size, limit) in [(None, 512), (Some(0), 512), (Some(512), 512), (Some(1000), 1000), (Some(65_535), 1232)] {
        for (rtype, record) in [(1, 16), (28, 28)] {
            let (len, message) = sized("core.lb.example", rtype, size);
            assert!(len <= limit && len + record > limit, "{len} of {limit} bytes: one more record would fit");
            assert!(!message.metadata.truncation, "a response with fewer drawn nodes is complete");
            assert_eq!(message.edns.is_some(), size.is_some());
        }
        let (len, message) = sized("big.lb.example", 16, size);
        assert!(len <= limit && message.metadata.truncation && message.answers.is_empty());
        assert_eq!(message.edns.is_some(), size.is_some(), "a truncated response keeps its OPT");
    }
}

#[test]
fn dig_accepts_the_responses() {
    let server = Server::start(CONFIG);
    let expect = |arguments: &str, expected: &[&str]| {
        let output = server.dig(arguments);
        for text in expected {
            assert!(output.contains(text), "dig {arguments} lacks \"{text}\":\n{output}");
        }
        assert!(!output.contains(";; Warning") && !output.contains("malformed"), "dig {arguments}:\n{output}");
    };
    expect(
        "core.lb.example",
        &["status: NOERROR", "flags: qr aa rd;", "udp: 1232", "core.lb.example.\t5\tIN\tA\t192.0.2.1"],
    );
    expect("core.lb.example +tcp +norec", &["flags: qr aa;", "ANSWER: 2"]);
    expect("core.lb.example +subnet=0", &["status: NOERROR", "CLIENT-SUBNET: 0.0.0.0/0/0"]);
    expect("core.lb.example +subnet=192.0.2.0/24", &["CLIENT-SUBNET: 192.0.2.0/24/0"]);
    expect("core.lb.example +nsid", &["(\"ns-a\")"]);
    expect("core.lb.example +edns=1 +noednsneg", &["status: BADVERS"]);
    expect("core.lb.example +ednsopt=65001:abcd +ednsflags=0x7fff", &["status: NOERROR", "ANSWER: 2"]);
    expect("core.lb.example +dnssec +cd +ad", &["flags: qr aa rd cd;", "flags: do; udp: 1232"]);
    expect("core.lb.example ANY +notcp", &["HINFO\t\"RFC8482\" \"\""]);
    expect("core.lb.example +opcode=iquery", &["status: NOTIMP"]);
    expect("lb.example AXFR", &["Transfer failed"]);
    expect("version.bind TXT CH", &["status: REFUSED"]);
    expect("nothing.lb.example", &["status: NXDOMAIN", "lb.example.\t\t5\tIN\tSOA"]);
    expect("core.lb.example TYPE65534", &["status: NOERROR", "ANSWER: 0, AUTHORITY: 1"]);
    expect("CORE.lb.EXAMPLE", &["CORE.lb.EXAMPLE.\t5\tIN\tA"]);
}
