//! DNS over TLS and HTTPS, with `kdig` as client, and DNS over QUIC, which Debian's `kdig` lacks.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use hickory_proto::op::Message;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::support::certificates::self_signed_pem;
use crate::support::packet::{ComparableResponse, framed, query};
use crate::support::program::{output_of, required};
use crate::support::server::{CONFIG, Server, ZONE};

/// Name in the certificate of the server.
const NAME: &str = "ns.lb.example";

/// The keys for the encrypted transports, up to the next section.
const TLS_KEYS: &str = r#"nsid = "ns-a"
[server.tls]
certificate = "cert.pem"
key = "key.pem"
dot = ["127.0.0.1:0"]
doh = ["127.0.0.1:0"]
doq = ["127.0.0.1:0"]
[zones"#;

/// [`CONFIG`] with all transports.
fn config() -> String {
    CONFIG.replacen("[zones", TLS_KEYS, 1)
}

/// Starts a server on all transports, with a self-signed certificate in `cert.pem`.
fn start_server() -> Server {
    let (cert, key) = self_signed_pem(NAME);
    Server::start_with(&[("evenkeel.toml", &config()), ("lb.zone", ZONE), ("cert.pem", &cert), ("key.pem", &key)])
}

/// A `kdig` command over a transport, which trusts only the certificate in `cert.pem`.
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
        command.arg(format!("+tls-hostname={NAME}"));
    }
    command.args(arguments.split(' '));
    command
}

/// The output of `kdig`, without the parts that differ per query: session, identifier, size, time.
fn response(server: &Server, transport: &str, arguments: &str) -> String {
    let output = output_of(&mut kdig(server, transport, arguments));
    let varies = [";; TLS session", ";; HTTP session", ";; Received", ";; Time", ";; From"];
    let lines = output.lines().filter(|line| !varies.iter().any(|start| line.starts_with(start)));
    lines.map(|line| line.split("; id: ").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn tls_and_https_responses_are_equal_to_udp_responses() {
    let server = start_server();
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

/// Sends queries over QUIC, one stream per query (RFC 9250 §4.2).
async fn over_quic(address: SocketAddr, trusted: &str, queries: &[Vec<u8>]) -> Vec<Message> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.as_bytes()).expect("the text is PEM"))
        .expect("the certificate is valid");
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"doq".to_vec()];
    let mut endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("the system has a free port");
    let tls = QuicClientConfig::try_from(tls).expect("the provider has a suite for QUIC");
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(tls)));
    let connecting = endpoint.connect(address, NAME).expect("the name is valid");
    let connection = connecting.await.expect("the server accepts the connection");
    let mut responses = Vec::new();
    for query in queries {
        let (mut send, mut receive) = connection.open_bi().await.expect("the server accepts streams");
        send.write_all(&framed(query)).await.expect("the server reads requests");
        send.finish().expect("the stream is open");
        let response = receive.read_to_end(65_537).await.expect("the server responds");
        responses.push(Message::from_vec(&response[2..]).expect("hickory decodes the response"));
    }
    responses
}

#[tokio::test(flavor = "multi_thread")]
async fn quic_responses_are_equal_to_udp_responses() {
    let server = start_server();
    let client = server.client();
    let questions = [("core.lb.example", 1), ("scan.lb.example", 1), ("lb.example", 6), ("nothing.lb.example", 1)];
    // The identifier is 0 (RFC 9250 §4.2.1).
    let queries: Vec<Vec<u8>> = questions.iter().map(|&(name, rtype)| query(0, 0, name, rtype)).collect();
    let trusted = std::fs::read_to_string(server.directory().join("cert.pem")).expect("the file was written at start");
    let responses = over_quic(server.address_of("QUIC"), &trusted, &queries).await;
    for ((name, rtype), response) in questions.into_iter().zip(&responses) {
        assert_eq!(
            ComparableResponse::from(response),
            ComparableResponse::from(&client.ask(name, rtype)),
            "{name} {rtype}"
        );
    }
}

#[test]
fn a_reload_presents_the_new_certificate() {
    let mut server = start_server();
    let (cert, key) = self_signed_pem(NAME);
    server.write("cert.pem", &cert);
    server.write("key.pem", &key);
    let is_trusted = |server: &Server| {
        let output = kdig(server, "TLS", "core.lb.example A").output().expect("kdig starts");
        String::from_utf8_lossy(&output.stdout).contains("192.0.2.11")
    };
    assert!(!is_trusted(&server), "the server still presents the old certificate");
    server.reload(&config());
    assert!(is_trusted(&server), "the server presents the new certificate:\n{}", server.log());
}
