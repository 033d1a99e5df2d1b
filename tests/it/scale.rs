//! Large zones, large pools and deep names. These tests measure no time, but with quadratic cost
//! they would not end.

use std::collections::BTreeSet;
use std::fmt::Write;

use hickory_proto::op::ResponseCode;

use crate::support::packet::{ipv4_addresses, over_tcp, query};
use crate::support::server::{Server, ZONE};

#[test]
fn a_pool_of_ten_thousand_nodes_is_answered() {
    let mut nodes = String::new();
    for i in 0..10_000_u32 {
        writeln!(nodes, "{{ name = \"n{i}\", address = \"10.{}.{}.1\", weight = {} }},", i / 256, i % 256, 1 + i % 3)
            .expect("writing to a string never fails");
    }
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n[pools.core]\nnodes = [\n{nodes}]\n\
         [names.\"core.lb.example\"]\npool = \"core\"\n[names.\"all.lb.example\"]\npool = \"core\"\nanswers = 4000\n"
    );
    let server = Server::start(&config);
    let client = server.client();
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let addresses = ipv4_addresses(&client.ask("core.lb.example", 1));
        assert_eq!(addresses.len(), 8);
        seen.extend(addresses);
    }
    assert!(seen.len() > 2500, "only {} different nodes in 4000 draws", seen.len());
    let response = over_tcp(server.address(), &[query(1, 0, "all.lb.example", 1)]).remove(0);
    assert_eq!(u16::from_be_bytes([response[6], response[7]]), 4000, "a response over TCP has room for all of them");
}

#[test]
fn a_zone_of_a_hundred_thousand_records_is_answered() {
    let mut zone = ZONE.to_owned();
    for i in 0..100_000_u32 {
        writeln!(zone, "host{i} A 10.{}.{}.{}", i >> 16, (i >> 8) & 0xff, i & 0xff)
            .expect("writing to a string never fails");
    }
    let config = "[server]\nlisten = [\"127.0.0.1:0\"]\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n";
    let server = Server::start_with(&[("evenkeel.toml", config), ("lb.zone", &zone)]);
    let client = server.client();
    for i in [0_u32, 1, 65_536, 99_999] {
        assert_eq!(
            ipv4_addresses(&client.ask(&format!("host{i}.lb.example"), 1)),
            [std::net::Ipv4Addr::from(0x0a00_0000 + i)]
        );
    }
    let deep = format!("{}host7.lb.example", "a.".repeat(115));
    assert_eq!(client.ask(&deep, 1).metadata.response_code, ResponseCode::NXDomain);
}
