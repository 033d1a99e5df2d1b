//! What dig shows of responses: texts about the server, extended errors, signatures with an unknown
//! key, and additional records.

use std::process::Command;

use crate::support::packet::over_tcp;
use crate::support::program::{output_of, required};
use crate::support::server::{Server, ZONE};

/// A zone with records that name hosts, and a pool that answers SERVFAIL.
fn start() -> Server {
    let zone = format!(
        "{ZONE}mail MX 10 www\nmail MX 20 core\nmail MX 30 www.elsewhere.\n_sip._tcp SRV 0 0 5060 www\n_sip._tcp SRV 1 0 \
         5061 WWW\nhere HTTPS 1 . alpn=h2\nhere A 192.0.2.81\nhere AAAA 2001:db8::81\nalias HTTPS 0 www\nnone MX 0 .\n\
         named MX 5 far\nfar CNAME www\n"
    );
    let config = "[server]\nlisten = [\"127.0.0.1:0\"]\nnsid = \"ns1.lb.example\"\nversion = \"evenkeel\"\n\
        [zones.\"lb.example\"]\nfile = \"lb.zone\"\n[pools.core]\nwhen_empty = \"servfail\"\nmonitors = [\"m\"]\n\
        nodes = [{ name = \"a\", address = \"127.0.0.1\" }]\n[monitors.m]\nkind = \"tcp\"\nport = 1\n\
        [names.\"core.lb.example\"]\npool = \"core\"\n";
    Server::start_with(&[("evenkeel.toml", config), ("lb.zone", &zone)])
}

/// The output of dig, over UDP.
fn dig(server: &Server, arguments: &[&str]) -> String {
    let address = server.address();
    let mut dig = Command::new(required("dig", "bind9-dnsutils"));
    dig.args([&format!("@{}", address.ip()), "-p", &address.port().to_string(), "+noall"]);
    output_of(dig.args(["+comments", "+answer", "+additional"]).args(arguments))
}

#[test]
fn the_server_tells_its_identifier_and_its_version_as_configured() {
    let server = start();
    for (name, text) in
        [("id.server", "ns1.lb.example"), ("hostname.BIND", "ns1.lb.example"), ("version.bind", "evenkeel")]
    {
        let output = dig(&server, &["CH", "TXT", name]);
        assert!(output.contains("status: NOERROR") && output.contains("flags: qr aa"), "{output}");
        assert!(output.contains(&format!("0\tCH\tTXT\t\"{text}\"")), "{output}");
    }
    for arguments in [&["CH", "TXT", "authors.bind"][..], &["CH", "A", "id.server"], &["HS", "TXT", "id.server"]] {
        let output = dig(&server, arguments);
        assert!(output.contains("status: REFUSED") && output.contains("EDE: 21 (Not Supported)"), "{output}");
    }
    let silent = Server::start(crate::support::server::CONFIG);
    assert!(dig(&silent, &["CH", "TXT", "version.bind"]).contains("status: REFUSED"), "no version is configured");
}

#[test]
fn errors_say_why() {
    let server = start();
    let outside = dig(&server, &["www.example.net", "A"]);
    assert!(outside.contains("status: REFUSED") && outside.contains("EDE: 20 (Not Authoritative)"), "{outside}");
    let empty = dig(&server, &["core.lb.example", "A"]);
    assert!(empty.contains("status: SERVFAIL") && empty.contains("EDE: 0 (Other): (no node is up)"), "{empty}");
    assert!(!dig(&server, &["+noedns", "www.example.net", "A"]).contains("EDE"));
}

#[test]
fn a_signature_with_an_unknown_key_is_refused() {
    let server = start();
    let output = dig(&server, &["-y", "hmac-sha256:some.key:c2VjcmV0", "www.lb.example", "A"]);
    assert!(output.contains("status: NOTAUTH"), "{output}");
    assert!(output.contains("some.key") && output.contains("BADKEY"), "{output}");
    // A record after the signature, and a signature that ends too early.
    let signed = |rdata: &[u8], extra: &[u8], count: u8| {
        let header = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, count];
        let head = [&header[..], b"\x03www\x02lb\x07example\0\0\x01\0\x01\x03key\0\0\xfa\0\xff\0\0\0\0"].concat();
        [&head, &(rdata.len() as u16).to_be_bytes()[..], rdata, extra].concat()
    };
    let rdata = b"\x03alg\0\0\0\0\0\0\x01\x01\x2c\0\0\0\x01\0\0\0\0";
    let opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";
    for (packet, rcode) in [
        (signed(rdata, &[], 1), 9),
        (signed(rdata, opt, 2), 1),
        (signed(&rdata[..rdata.len() - 1], &[], 1), 1),
        (signed(&[], &[], 1), 1),
    ] {
        assert_eq!(over_tcp(server.address(), std::slice::from_ref(&packet))[0][3] & 0xf, rcode, "{packet:02x?}");
    }
}

#[test]
fn answers_bring_the_static_addresses_of_the_hosts_that_they_name() {
    let server = start();
    let additional = |name: &str, rtype: &str| {
        let output = dig(&server, &[&format!("{name}.lb.example"), rtype]);
        let section = output.split("ADDITIONAL SECTION:").nth(1).unwrap_or_default();
        let lines = section.lines().filter(|line| line.contains("\tIN\t"));
        lines.map(|line| line.split_whitespace().last().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(additional("mail", "MX"), ["192.0.2.80"], "not the drawn ones of a shared name");
    assert_eq!(additional("_sip._tcp", "SRV"), ["192.0.2.80"], "each host once");
    assert_eq!(additional("here", "HTTPS"), ["192.0.2.81", "2001:db8::81"]);
    assert_eq!(additional("alias", "HTTPS"), ["192.0.2.80"]);
    assert_eq!(additional("none", "MX"), [""; 0]);
    assert_eq!(additional("named", "MX"), [""; 0], "a host that is an alias breaks RFC 2181");
    let apex = dig(&server, &["lb.example", "NS"]);
    assert!(apex.contains("192.0.2.1"), "{apex}");
}
