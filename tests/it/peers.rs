//! Responses beside those of NSD and Knot with the same zone files. Every name of the zones, and
//! its children and siblings, is queried for 41 types. Differences are listed with the RFC that
//! decides them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use hickory_proto::op::{Message, ResponseCode};
use tempfile::TempDir;

use crate::support::packet::{ComparableResponse, UdpClient, over_tcp, query};
use crate::support::program::{Process, required};
use crate::support::server::Server;
use crate::support::{free_address, wait_until};

const ZONES: [(&str, &str, &str); 2] = [
    ("example.test", "kitchen.zone", include_str!("zones/kitchen.zone")),
    ("child.example.test", "child.zone", include_str!("zones/child.zone")),
];

/// The types of the records in `kitchen.zone`.
const TYPES: [(&str, u16); 41] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("RP", 17),
    ("AFSDB", 18),
    ("RT", 21),
    ("AAAA", 28),
    ("LOC", 29),
    ("SRV", 33),
    ("NAPTR", 35),
    ("KX", 36),
    ("CERT", 37),
    ("DNAME", 39),
    ("APL", 42),
    ("DS", 43),
    ("SSHFP", 44),
    ("IPSECKEY", 45),
    ("DHCID", 49),
    ("TLSA", 52),
    ("SMIMEA", 53),
    ("CDS", 59),
    ("OPENPGPKEY", 61),
    ("CSYNC", 62),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("SPF", 99),
    ("NID", 104),
    ("L32", 105),
    ("L64", 106),
    ("LP", 107),
    ("EUI48", 108),
    ("EUI64", 109),
    ("URI", 256),
    ("CAA", 257),
    ("TYPE65279", 65279),
    ("TYPE65280", 65280),
];

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:0"]
[zones."example.test"]
file = "kitchen.zone"
[zones."child.example.test"]
file = "child.zone"
"#;

/// Another DNS server, with the same zones.
struct Peer {
    name: &'static str,
    address: SocketAddr,
    _process: Process,
    _directory: TempDir,
}

impl Peer {
    /// Starts a server in a new directory with the zone files, and waits until it responds.
    fn start(name: &'static str, command: impl FnOnce(&Path, SocketAddr) -> Command) -> Self {
        let directory = tempfile::tempdir().expect("the test can create a directory");
        for (_, file, text) in ZONES {
            std::fs::write(directory.path().join(file), text).expect("the test can write its directory");
        }
        let address = free_address();
        let mut command = command(directory.path(), address);
        let process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
        let client = UdpClient::new(address);
        wait_until(&format!("{name} responds"), || {
            let response = client.exchange(&query(1, 0, "www.child.example.test", 1));
            response.and_then(|bytes| Message::from_vec(&bytes).ok()).is_some_and(|m| m.metadata.authoritative)
        });
        Self { name, address, _process: process, _directory: directory }
    }

    fn nsd() -> Self {
        let program = required("nsd", "nsd");
        Self::start("NSD", |directory, address| {
            let dir = directory.display();
            let mut config = format!(
                "server:\n ip-address: {}@{}\n zonesdir: \"{dir}\"\n database: \"\"\n username: \"\"\n \
                 pidfile: \"{dir}/pid\"\n xfrdfile: \"{dir}/xfrd\"\n zonelistfile: \"{dir}/list\"\n xfrdir: \"{dir}\"\n \
                 minimal-responses: yes\n ipv4-edns-size: 1232\n server-count: 1\n rrl-ratelimit: 0\n\
                 remote-control:\n control-enable: no\n",
                address.ip(),
                address.port()
            );
            for (zone, file, _) in ZONES {
                config += &format!("zone:\n name: {zone}\n zonefile: {file}\n");
            }
            let path = directory.join("nsd.conf");
            std::fs::write(&path, config).expect("the test can write its directory");
            let mut command = Command::new(program);
            command.arg("-d").arg("-c").arg(path);
            command
        })
    }

    fn knot() -> Self {
        let program = required("knotd", "knot");
        Self::start("Knot", |directory, address| {
            let dir = directory.display();
            let mut config = format!(
                "server:\n  rundir: {dir}\n  listen: {}@{}\n  udp-max-payload: 1232\n  udp-workers: 1\n  tcp-workers: 1\n  \
                 background-workers: 1\ndatabase:\n  storage: {dir}\ntemplate:\n  - id: default\n    storage: {dir}\n    \
                 semantic-checks: off\n    journal-content: none\nzone:\n",
                address.ip(),
                address.port()
            );
            for (zone, file, _) in ZONES {
                config += &format!("  - domain: {zone}\n    file: {file}\n");
            }
            let path = directory.join("knot.conf");
            std::fs::write(&path, config).expect("the test can write its directory");
            let mut command = Command::new(program);
            command.arg("-c").arg(path);
            command
        })
    }
}

/// Every owner name of the zones, every name between it and the apex, and the children and siblings
/// of all these names.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (zone, _, text) in ZONES {
        let owners = text.lines().filter(|line| line.starts_with(|c: char| !c.is_whitespace() && !";$".contains(c)));
        for owner in owners.filter_map(|line| line.split_whitespace().next()) {
            let owner = if owner == "@" { zone.to_owned() } else { format!("{owner}.{zone}") };
            let mut name = owner.as_str();
            while name.ends_with(zone) {
                for prefix in ["", "x.", "*.", "x.y.", "zz"] {
                    names.insert(format!("{prefix}{name}"));
                }
                match name.split_once('.') {
                    Some((_, parent)) => name = parent,
                    None => break,
                }
            }
        }
    }
    names
}

fn comparable(bytes: &[u8]) -> ComparableResponse {
    ComparableResponse::from(&Message::from_vec(bytes).expect("hickory decodes the response"))
}

/// Returns true for a difference that an RFC decides against the peer.
fn is_known_difference(peer: &str, name: &str, ours: &ComparableResponse, theirs: &ComparableResponse) -> bool {
    // RFC 9471 §3.1: a response sets TC if in-domain glue does not fit. NSD 4.6 omits some glue
    // without setting TC.
    let glue_cut = name.ends_with("wide.example.test") && ours.truncated && !theirs.truncated;
    // RFC 1034 §4.3.2 step 3a: the lookup of an alias target begins at step 1, in the nearest zone.
    // Knot 3.2 stays in the zone of the alias.
    let other_zone =
        ["tochild.example.test", "up.child.example.test"].contains(&name) || name.ends_with(".dchild.example.test");
    // RFC 6672 §3.2 step 3C: YXDOMAIN ends the lookup. Knot adds the SOA record of negative answers.
    let yxdomain =
        name == "x.y.dlong.example.test" && ours.rcode == ResponseCode::YXDomain && ours.rcode == theirs.rcode;
    // RFC 6672 §3.2 step 3C: the DNAME record is copied. Knot gives that of a wildcard another owner.
    let wildcard_dname = name.ends_with(".*.wdname.example.test");
    (peer == "NSD" && glue_cut) || (peer == "Knot" && (other_zone || yxdomain || wildcard_dname))
}

/// Asserts that evenkeel and the peer respond alike.
fn compare(peer: &Peer) {
    let server = Server::start_with(&[("evenkeel.toml", CONFIG), (ZONES[0].1, ZONES[0].2), (ZONES[1].1, ZONES[1].2)]);
    let (ours, theirs) = (server.client(), UdpClient::new(peer.address));
    let names = names();
    assert!(names.len() > 400, "only {} names", names.len());
    let mut differences = Vec::new();
    for name in &names {
        for (rtype, number) in TYPES {
            let packet = query(fastrand::u16(..), 0, name, number);
            let (Some(our), Some(their)) = (ours.exchange(&packet), theirs.exchange(&packet)) else {
                panic!("no response to {name} {rtype}");
            };
            let mut pairs = vec![("UDP", comparable(&our), comparable(&their))];
            if pairs[0].1.truncated || pairs[0].2.truncated {
                let packets = [packet];
                let [our, their] = [server.address(), peer.address].map(|a| over_tcp(a, &packets).remove(0));
                pairs.push(("TCP", comparable(&our), comparable(&their)));
            }
            for (transport, our, their) in pairs {
                if our != their && !is_known_difference(peer.name, name, &our, &their) {
                    differences.push(format!("{transport} {name} {rtype}\n  ours {our:?}\n  {} {their:?}", peer.name));
                }
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} responses differ from {}:\n{}",
        differences.len(),
        names.len() * TYPES.len(),
        peer.name,
        differences[..differences.len().min(40)].join("\n")
    );
}

#[test]
fn responses_agree_with_nsd() {
    compare(&Peer::nsd());
}

#[test]
fn responses_agree_with_knot() {
    compare(&Peer::knot());
}
