//! Mistakes in zone files, with the place of each.

use std::process::Command;

use super::{GOOD, assert_refused, check, evenkeel};
use crate::support::server::{PROGRAM, Server, ZONE};

#[test]
fn mistakes_in_zone_files_have_file_and_line() {
    let cases = [
        ("www2 300 A\n", "lb.zone:9:11: error: A of www2.lb.example: an IPv4 address is missing"),
        ("www2 192.0.2.1\n", "lb.zone:9:6: error: not a TTL"),
        ("www2 300\n", "lb.zone:9:1: error: no record type for www2.lb.example"),
        ("www2 ADDR 192.0.2.1\n", "lb.zone:9:6: error: \"ADDR\" is not a record type, TTL or class"),
        ("www2 CH A 192.0.2.1\n", "class CH is not served, only IN"),
        ("www2 CLASS3 A 192.0.2.1\n", "class CLASS3 is not served, only IN"),
        ("www2 DYNA web\n", "lb.zone:9:6: error: DYNA is a type of gdnsd only"),
        ("www2 5 DYNC geo!web\n", "[pools.web] has the nodes, and [names.\"www2.lb.example\"] with pool = \"web\""),
        ("d DNAME a\nd DNAME b\n", "lb.zone:10:1: error: a second DNAME record for d.lb.example"),
        ("scan DNAME a\n", "error: CNAME and other data: scan.lb.example also has a DNAME record, at lb.zone:9"),
        ("d DNAME a\nx.d A 192.0.2.1\n", "lb.zone:10:1: error: A of x.d.lb.example is below the DNAME record of d.lb"),
        ("@ DNAME other.\n", "is below the DNAME record of lb.example"),
        ("www2 RRSIG x\n", "lb.zone:9:12: error: RRSIG of www2.lb.example: a record type is expected here"),
        ("www A 192.0.2.300\n", "lb.zone:9:7: error: A of www.lb.example: an IPv4 address is expected here"),
        ("www CNAME ns1\n", "lb.zone:9:1: error: CNAME and other data: www.lb.example also has a A record, at "),
        ("scan CNAME ns1\n", "lb.zone:9:1: error: a second CNAME record for scan.lb.example"),
        ("@ SOA a b 1 2 3 4 5\n", "lb.zone:9:1: error: a second SOA record for lb.example"),
        ("www SOA a b 1 2 3 4 5\n", "an SOA record at www.lb.example"),
        ("*.w NS ns1\n", "NS record at the wildcard *.w.lb.example"),
        ("t TXT \"open\n", "lb.zone:9:7: error: this quote is not closed on its line"),
        ("t TXT ( a\n", "lb.zone:9:7: error: this parenthesis is never closed"),
        ("$INCLUDED x\n", "lb.zone:9:1: error: unknown directive $INCLUDED"),
        ("$GENERATE 9-1 a$ A 192.0.2.$\n", "lb.zone:9:11: error: not a range"),
        ("$GENERATE 0-2147483647 a$ A 192.0.2.1\n", "lb.zone:9:11: error: $GENERATE makes more than 262144 records"),
        ("$GENERATE 250-260 a$ A 192.0.2.$\n", "lb.zone:9:24: error: A of a256.lb.example: an IPv4 address"),
        ("$GENERATE 1-2 a${x} A 192.0.2.$\n", "lb.zone:9:15: error: modifiers are ${offset}"),
        ("$INCLUDE missing.zone\n", "lb.zone:9:10: error: included file missing.zone cannot be read: No such file"),
        ("$INCLUDE lb.zone\n", "lb.zone:9:10: error: lb.zone includes itself"),
        ("$INCLUDE lb.zone\n$INCLUDE ./lb.zone\n", "lb.zone:10:10: error: ./lb.zone includes itself"),
        ("a..b A 192.0.2.1\n", "lb.zone:9:1: error: not a domain name: two dots in a row"),
        ("t TYPE65280 abc\n", "rdata of TYPE65280 must be written as \\# LENGTH HEX"),
        ("t HTTPS 1 . alpn=h2 alpn=h3\n", "the parameter alpn appears twice"),
        ("t HTTPS \\# 1 00\n", "clients cannot read this as HTTPS rdata"),
        ("t HTTPS 1 . alpn=\"h2\"port=1\n", "a space is missing between two parameters"),
        ("t HTTPS 1 . mandatory=port alpn=h2\n", "mandatory names port, which is not there"),
        ("t HTTPS 1 . ipv4hint=\n", "lb.zone:9:13: error: HTTPS of t.lb.example: ipv4hint needs IPv4 addresses"),
        ("t CAA 0 \"\" x\n", "lb.zone:9:10: error: CAA of t.lb.example: a tag has at least one letter"),
        ("t TXT a\"b\n", "lb.zone:9:8: error: this quote is not closed"),
        ("t\x0c A 192.0.2.1\n", "lb.zone:9:1: error: not a domain name: a control character"),
    ];
    for (line, expected) in cases {
        assert_refused(GOOD, &format!("{ZONE}{line}"), expected);
    }
    // Each mistake is reported.
    let (_, shown) = check(GOOD, &format!("{ZONE}x A 1\ny A 2\n"));
    assert!(shown.contains("lb.zone:9:") && shown.contains("lb.zone:10:") && shown.ends_with("2 errors\n"), "{shown}");
    assert_refused(GOOD, "$TTL 5\n@ NS ns1\n", "the zone lb.example has no SOA record");
    // An invalid SOA record does not count as missing. A file that includes itself is reported
    // once.
    assert!(!check(GOOD, "$TTL 5\n@ SOA a b 1 2 3 4\n@ NS ns1\n").1.contains("no SOA"));
    assert_eq!(check(GOOD, &format!("{ZONE}$INCLUDE lb.zone\nx A 1\n")).1.matches("A of x.lb.example").count(), 1);
}

#[test]
fn records_that_are_never_answered_cause_warnings() {
    let zone = format!(
        "{ZONE}sub NS ns.sub\nsub NS ns2.sub\nns.sub A 192.0.2.5\ntxt.sub TXT lost\n2ttl 5 A 192.0.2.1\n2ttl 9 A 192.0.2.2\n"
    );
    let (code, shown) = check(GOOD, &zone);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("lb.zone:12:1: warning: TXT of txt.sub.lb.example is never answered"), "{shown}");
    assert!(
        shown.contains(
            "lb.zone:10:1: warning: name server ns2.sub.lb.example of sub.lb.example has no address in this file"
        ),
        "{shown}"
    );
    assert!(shown.contains("lb.zone:14:1: warning: the A records of 2ttl.lb.example have different TTLs"), "{shown}");
    let zone = format!("{ZONE}@ NS scan\n@ NS nowhere\nsub NS ns1\nstray.sub A 192.0.2.5\n");
    let (code, shown) = check(GOOD, &zone);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("lb.zone:9:1: warning: name server scan.lb.example of lb.example is an alias"), "{shown}");
    assert!(
        shown.contains("lb.zone:10:1: warning: name server nowhere.lb.example of lb.example has no address"),
        "{shown}"
    );
    assert!(shown.contains("lb.zone:12:1: warning: A of stray.sub.lb.example is never answered"), "{shown}");
    let child = format!("{GOOD}[zones.\"kid.lb.example\"]\nfile = \"lb.zone\"\n");
    let (_, shown) = check(&child, ZONE);
    assert!(shown.contains("zone kid.lb.example is served, but zone lb.example does not delegate it"), "{shown}");
}

#[test]
fn files_that_other_servers_load_are_loaded_with_warnings() {
    let head = "@ SOA ns1 h 1 2 3 4 300\n@ NS ns1\nns1 A 192.0.2.1\n";
    for (zone, expected) in [
        // No TTL anywhere.
        (head.to_owned(), "lb.zone:1:1: warning: no TTL for the SOA record of lb.example"),
        (format!("ns1 A 192.0.2.1\n{head}"), "lb.zone:1:1: warning: no TTL for ns1.lb.example"),
        ("$TTL 5\n@ SOA a b 1 2 3 4 5\n".to_owned(), "warning: the zone lb.example has no NS record at its apex"),
        // No owner name above.
        (format!("$TTL 5\n TXT a\n{head}"), ""),
        // A saved transfer.
        (format!("$TTL 5\n{head}@ SOA NS1 h 1 2 3 4 300\n"), ""),
        (format!("$TTL 5\n{head}www.other. A 192.0.2.1\n"), "lb.zone:5:1: warning: www.other is outside the zone"),
        (format!("$TTL 2147483648\n{head}"), "lb.zone:1:6: warning: a TTL above 2147483647 seconds counts as 0"),
        (
            format!("$TTL 5\n{head}@ DNSKEY 256 3 8 AQID\nns1 NSEC @ A\n"),
            "lb.zone:5:1: warning: the zone is signed, but signatures are not served",
        ),
    ] {
        let (code, shown) = check(GOOD, &zone);
        assert!(code == Some(0) && shown.contains(expected), "{zone}\n{shown}");
        assert!(!expected.is_empty() || !shown.contains("lb.zone"), "{shown}");
        assert_eq!(shown.matches("signatures are not served").count(), usize::from(expected.contains("signed")));
    }
}

#[test]
fn warnings_of_one_kind_are_counted_after_the_tenth() {
    let cuts: String = (0..500).map(|i| format!("kid{i} NS ns.kid{i}\n")).collect();
    let (code, shown) = check(GOOD, &format!("{ZONE}{cuts}"));
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("has no address in this file").count(), 10, "{shown}");
    assert!(
        shown.contains("lb.zone:19:1: warning: 490 more warnings about name servers without an address in this file"),
        "{shown}"
    );
}

#[test]
fn a_shared_name_is_a_name_server_with_addresses() {
    let (code, shown) = check(GOOD, &format!("{ZONE}@ NS core\n"));
    assert!(code == Some(0) && !shown.contains("has no address"), "{shown}");
}

#[test]
fn records_that_do_not_fit_into_a_message_are_refused() {
    let text = "x".repeat(250);
    let texts: String = (0..260).map(|i| format!("big TXT {i:04}{text}\n")).collect();
    assert_refused(GOOD, &format!("{ZONE}{texts}"), "the TXT records of big.lb.example cannot be sent: they take ");
}

#[test]
fn included_zone_files_have_their_own_origin_and_line_numbers() {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("the test can write its directory")
    };
    write("lb.toml", GOOD);
    write("lb.zone", &format!("{ZONE}$INCLUDE sub/more.zone sub\nlast A 192.0.2.9\n"));
    std::fs::create_dir(directory.path().join("sub")).expect("the test can create a directory");
    write("sub/more.zone", "www A 192.0.2.81\n$INCLUDE deeper.zone\n");
    write("sub/deeper.zone", "deep A oops\n");
    let path = directory.path().join("lb.toml");
    let output = evenkeel(&["check", "--config", path.to_str().expect("the path is text")]);
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(shown.contains("sub/deeper.zone:1:8: error: A of deep.sub.lb.example"), "{shown}");
    write("sub/deeper.zone", "deep A 192.0.2.82\n");
    let files: Vec<(&str, String)> = vec![
        ("evenkeel.toml", GOOD.replace("monitors = [\"ready\"]\n", "")),
        ("lb.zone", format!("{ZONE}$INCLUDE {}/sub/more.zone sub\nlast A 192.0.2.9\n", directory.path().display())),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let server = Server::start_with(&files);
    for name in ["www.sub.lb.example", "deep.sub.lb.example", "last.lb.example"] {
        assert_eq!(server.client().ask(name, 1).answers.len(), 1, "{name}");
    }
}

/// Reading from a pipe would wait for its writer, and so would a reload.
#[test]
fn a_zone_file_that_is_a_pipe_or_a_device_is_refused() {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let pipe = directory.path().join("pipe.zone");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("the test can write its directory");
    std::fs::write(directory.path().join("lb.zone"), format!("{ZONE}$INCLUDE pipe.zone\n"))
        .expect("the test can write its directory");
    for file in ["pipe.zone", "/dev/zero", "lb.zone"] {
        let path = directory.path().join("evenkeel.toml");
        let config = format!("[server]\nlisten = [\"127.0.0.1:0\"]\n[zones.\"lb.example\"]\nfile = \"{file}\"\n");
        std::fs::write(&path, config).expect("the test can write its directory");
        let output = Command::new(PROGRAM).arg("check").arg("--config").arg(&path).output();
        let output = output.expect("the built program starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(78) && text.contains("not a regular file"), "{file}: {text}");
    }
}
