//! TLS and HTTPS, asked by Debian's `kdig`, and QUIC, for which that is built without.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use hickory_proto::op::Message;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::packet::{Essence, framed, query};
use crate::support::program::{output_of, required};
use crate::support::server::{CONFIG, Server, ZONE};

/// What the server itself is told besides.
const TLS: &str = r#"nsid = "ns-a"
[server.tls]
certificate = "cert.pem"
key = "key.pem"
dot = ["127.0.0.1:0"]
doh = ["127.0.0.1:0"]
doq = ["127.0.0.1:0"]
[zones"#;

fn config() -> String {
    CONFIG.replacen("[zones", TLS, 1)
}

/// A self-signed certificate and its key, PEM.
fn certificate() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["ns.lb.example".to_owned()]).expect("a certificate for the test");
    (cert.pem(), signing_key.serialize_pem())
}

fn start() -> Server {
    let (cert, key) = certificate();
    Server::start_with(&[("evenkeel.toml", &config()), ("lb.zone", ZONE), ("cert.pem", &cert), ("key.pem", &key)])
}

/// `kdig` over a transport, with the certificate in `cert.pem` as the only trusted one.
fn kdig(server: &Server, transport: &str, arguments: &str) -> Command {
    let address = server.address_of(transport);
    let mut command = Command::new(required("kdig", "knot-dnsutils"));
    command.arg(format!("@{}", address.ip())).args([
        "-p",
        &address.port().to_string(),
        "+timeout=5",
        "+retry=0",
        "+edns",
    ]);
    if transport != "UDP+TCP" {
        command.arg(if transport == "TLS" { "+tls" } else { "+https" });
        command.arg(format!("+tls-ca={}", server.directory().join("cert.pem").display()));
        command.arg("+tls-hostname=ns.lb.example");
    }
    command.args(arguments.split(' '));
    command
}

/// What `kdig` prints, without what differs between any two queries: session, identifier, size, time.
fn response(server: &Server, transport: &str, arguments: &str) -> String {
    let output = output_of(&mut kdig(server, transport, arguments));
    let varies = [";; TLS session", ";; HTTP session", ";; Received", ";; Time", ";; From"];
    let lines = output.lines().filter(|line| !varies.iter().any(|start| line.starts_with(start)));
    lines.map(|line| line.split("; id: ").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn encrypted_answers_are_those_of_udp() {
    let server = start();
    for arguments in [
        "core.lb.example A",
        "core.lb.example AAAA",
        "scan.lb.example A",
        "core.lb.example MX",
        "core.lb.example ANY",
        "CoRe.lb.example TXT",
        "lb.example SOA",
        "nothing.lb.example A",
        "outside.example A",
        "core.lb.example TXT CH",
        "core.lb.example A +norec +dnssec +cdflag",
        "core.lb.example A +subnet=192.0.2.0/24",
        "core.lb.example A +nsid",
        "core.lb.example A +edns=1",
        "core.lb.example A +noedns",
    ] {
        let udp = response(&server, "UDP+TCP", arguments);
        assert!(udp.contains("status: "), "{udp}");
        for transport in ["TLS", "HTTPS"] {
            assert_eq!(response(&server, transport, arguments), udp, "{transport} {arguments}");
        }
    }
}

/// Asks over QUIC, one stream a query (RFC 9250 §4.2).
async fn over_quic(address: SocketAddr, trusted: &str, queries: &[Vec<u8>]) -> Vec<Message> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).expect("PEM")).expect("a certificate");
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"doq".to_vec()];
    let mut endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a client socket");
    let tls = QuicClientConfig::try_from(tls).expect("a suite for QUIC");
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(tls)));
    let connection = endpoint.connect(address, "ns.lb.example").expect("a name").await.expect("a connection");
    let mut answers = Vec::new();
    for query in queries {
        let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
        send.write_all(&framed(query)).await.expect("the server reads");
        send.finish().expect("an open stream");
        let answer = receive.read_to_end(65_537).await.expect("an answer");
        answers.push(Message::from_vec(&answer[2..]).expect("a response that can be decoded"));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn quic_answers_are_those_of_udp() {
    let server = start();
    let client = server.client();
    let questions = [("core.lb.example", 1), ("scan.lb.example", 1), ("lb.example", 6), ("nothing.lb.example", 1)];
    // RFC 9250 §4.2.1: the identifier is 0.
    let queries: Vec<Vec<u8>> = questions.iter().map(|&(name, rtype)| query(0, 0, name, rtype)).collect();
    let trusted = std::fs::read_to_string(server.directory().join("cert.pem")).expect("written at start");
    let answers = over_quic(server.address_of("QUIC"), &trusted, &queries).await;
    for ((name, rtype), answer) in questions.into_iter().zip(&answers) {
        assert_eq!(Essence::from(answer), Essence::from(&client.ask(name, rtype)), "{name} {rtype}");
    }
}

#[test]
fn a_reload_presents_the_new_certificate() {
    let mut server = start();
    let (cert, key) = certificate();
    server.write("cert.pem", &cert);
    server.write("key.pem", &key);
    let trusted = |server: &Server| {
        let output = kdig(server, "TLS", "core.lb.example A").output().expect("kdig runs");
        String::from_utf8_lossy(&output.stdout).contains("192.0.2.11")
    };
    assert!(!trusted(&server), "the old certificate is still presented");
    server.reload(&config());
    assert!(trusted(&server), "the new certificate is presented:\n{}", server.log());
}
