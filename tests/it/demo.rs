//! `evenkeel demo`, as a newcomer runs it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};

use crate::support::nodes::put_fake;
use crate::support::packet::{Client, query, v4};
use crate::support::program::{Running, output_of, required};
use crate::support::server::PROGRAM;
use crate::support::wait_until;

#[test]
fn the_demo_answers_follows_faults_and_fails_open() {
    UdpSocket::bind("127.0.0.1:5300").expect("no other demo runs on this machine");
    let mut command = Command::new(PROGRAM);
    let _demo = Running::start(command.arg("demo").stdout(Stdio::null()).stderr(Stdio::null()));
    let client = Client::new("127.0.0.1:5300".parse().expect("an address"));
    wait_until("the demo answers", || client.exchange(&query(1, 0, "core.lb.example", 1)).is_some());
    let answered = || -> BTreeSet<u8> { v4(&client.ask("core.lb.example", 1)).iter().map(|a| a.octets()[3]).collect() };
    let set_ready = |last: u8, status: u16| {
        put_fake((Ipv4Addr::new(127, 0, 0, last), 8008).into(), &format!("{{\"readyz\": {status}}}"));
    };
    assert_eq!(answered(), BTreeSet::from([11, 12, 13]));
    // The README's own commands, in their order; what they do is undone below.
    required("dig", "bind9-dnsutils");
    required("curl", "curl");
    let readme = include_str!("../../README.md");
    let program = PROGRAM;
    let is_of_the_tour = |line: &&str| {
        line.starts_with("dig @127")
            || line.starts_with("curl ")
            || line.starts_with("pin=")
            || line.starts_with("cargo run") && (line.contains("--socket") || line.contains("--server"))
    };
    for command in readme.lines().filter(is_of_the_tour) {
        let command = command.replace("cargo run --release --", program);
        let printed = output_of(Command::new("/bin/sh").arg("-c").arg(&command));
        let silent = [" drain ", " resume ", " nominate ", " unregister "].iter().any(|word| command.contains(word));
        assert!(
            silent || ["127.0.0.1", "readyz", "core-1", "product_id"].iter().any(|text| printed.contains(text)),
            "{command}: {printed}"
        );
        if command.contains(" nominate ") {
            wait_until("the spare is answered", || answered().contains(&14));
        }
    }
    wait_until("core-2 has left by the README's words", || answered() == BTreeSet::from([11, 13]));
    put_fake((Ipv4Addr::new(127, 0, 0, 12), 8008).into(), "{\"readyz\": 200}");
    wait_until("core-2 is back", || answered() == BTreeSet::from([11, 12, 13]));
    assert_eq!(client.ask("core.lb.example", 1).answers[0].ttl, 5);
    set_ready(12, 503);
    wait_until("core-2 has left", || answered() == BTreeSet::from([11, 13]));
    set_ready(11, 503);
    set_ready(13, 503);
    wait_until("all are down and the pool fails open", || answered() == BTreeSet::from([11, 12, 13]));
    set_ready(12, 200);
    wait_until("core-2 is back", || answered() == BTreeSet::from([12]));
}
