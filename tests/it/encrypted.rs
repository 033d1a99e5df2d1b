//! DNS over TLS, HTTPS and QUIC: the same answers as over UDP, also for unbound, and new
//! certificates. `kdig` and quinn are the clients.

use std::io::Write;
use std::process::{Command, Stdio};

use hickory_proto::op::Message;

use crate::support::certificates::{Authority, self_signed_pem};
use crate::support::encrypted::{NAME, QuicClient, config, connect_tls, over_stream, start};
use crate::support::packet::{ComparableResponse, UdpClient, framed, ipv4_addresses, query, read_framed};
use crate::support::program::{Process, output_of, required};
use crate::support::server::{Server, ZONE};
use crate::support::{free_address, wait_until};

/// The encrypted transports of `kdig`.
const TRANSPORTS: [&str; 4] = ["TLS", "HTTPS", "HTTPS with GET", "QUIC"];

/// A `kdig` command over a transport, which trusts only the certificate in `cert.pem`.
fn kdig(server: &Server, transport: &str, arguments: &str) -> Command {
    let options = match transport {
        "TLS" => ["+tls"].as_slice(),
        "HTTPS" => &["+https"],
        "HTTPS with GET" => &["+https", "+https-get"],
        "QUIC" => &["+quic"],
        _ => &[],
    };
    let address = server.address_of(transport.split(' ').next().unwrap_or_default());
    let mut command = Command::new(required("kdig", "knot-dnsutils"));
    command.arg(format!("@{}", address.ip())).args(["-p", &address.port().to_string()]);
    command.args(["+timeout=5", "+retry=0", "+edns"]);
    if !options.is_empty() {
        command.arg(format!("+tls-ca={}", server.directory().join("cert.pem").display()));
        command.arg(format!("+tls-hostname={NAME}"));
    }
    // After the options of TLS, which would replace `+quic`.
    command.args(options).args(arguments.split(' '));
    command
}

/// The output of `kdig`, without the parts that differ per query: session, identifier, size, time.
fn response(server: &Server, transport: &str, arguments: &str) -> String {
    let output = output_of(&mut kdig(server, transport, arguments));
    let varies = [";; TLS session", ";; HTTP session", ";; QUIC session", ";; Received", ";; Time", ";; From"];
    let lines = output.lines().filter(|line| !varies.iter().any(|start| line.starts_with(start)));
    lines.map(|line| line.split("; id: ").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn encrypted_responses_are_equal_to_udp_responses() {
    let server = start(&config());
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
        // kdig pads queries over encrypted transports by itself; UDP responses are never padded.
        let arguments = format!("{arguments} +nopadding");
        let udp = response(&server, "UDP+TCP", &arguments);
        assert!(udp.contains("status: "), "{udp}");
        for transport in TRANSPORTS {
            assert_eq!(response(&server, transport, &arguments), udp, "{transport} {arguments}");
        }
    }
}

#[test]
fn padded_queries_get_padded_responses() {
    let server = start(&config());
    for transport in TRANSPORTS {
        let output = output_of(&mut kdig(&server, transport, "core.lb.example A +padding=128"));
        assert!(output.contains("Received 468 B"), "{transport}: {output}");
    }
    let output = output_of(&mut kdig(&server, "UDP+TCP", "core.lb.example A +padding=128"));
    assert!(!output.contains("Received 468 B"), "{output}");
}

/// Over UDP, TLS and QUIC, the bytes of a response are equal, apart from drawn addresses.
#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_responses_are_equal_over_all_transports() {
    let server = start(&config());
    let udp = server.client();
    let connection = QuicClient::new(&server).connect().await;
    let mut tls = connect_tls(&server, "TLS", &["dot"]).expect("the server accepts the protocol");
    for (name, rtype) in [("core.lb.example", 1), ("scan.lb.example", 1), ("lb.example", 6), ("nothing.lb.example", 1)]
    {
        // The identifier is 0 (RFC 9250 §4.2.1).
        let query = query(0, 0, name, rtype);
        let expected = udp.exchange(&query).expect("the server responds over UDP");
        tls.write_all(&framed(&query)).expect("the server reads requests");
        assert_eq!(read_framed(&mut tls).expect("the server responds"), expected, "{name} {rtype}");
        let over_quic = over_stream(&connection, &framed(&query)).await.expect("the server responds");
        assert_eq!(over_quic, framed(&expected), "{name} {rtype}");
        let message = Message::from_vec(&expected).expect("hickory decodes the response");
        assert_eq!(ComparableResponse::from(&message), ComparableResponse::from(&udp.ask(name, rtype)));
    }
}

#[test]
fn a_client_that_names_another_protocol_is_refused() {
    let server = start(&config());
    assert!(connect_tls(&server, "TLS", &["h2"]).is_err());
    assert!(connect_tls(&server, "HTTPS", &["dot"]).is_err());
    assert!(connect_tls(&server, "TLS", &["h2", "dot"]).is_ok());
    assert!(connect_tls(&server, "TLS", &[]).is_ok());
}

#[test]
fn a_reload_presents_the_new_certificate_and_keeps_connections() {
    let mut server = start(&config());
    let mut open = connect_tls(&server, "TLS", &["dot"]).expect("the server accepts the protocol");
    let (cert, key) = self_signed_pem(NAME);
    server.write("cert.pem", &cert);
    server.write("key.pem", &key);
    let is_trusted = |server: &Server, transport: &str| {
        let output = kdig(server, transport, "core.lb.example A").output().expect("kdig starts");
        String::from_utf8_lossy(&output.stdout).contains("192.0.2.11")
    };
    assert!(!is_trusted(&server, "TLS"), "the server still presents the old certificate");
    server.reload(&config());
    for transport in ["TLS", "HTTPS", "QUIC"] {
        assert!(is_trusted(&server, transport), "the server presents the new certificate:\n{}", server.log());
    }
    open.write_all(&framed(&query(7, 0, "core.lb.example", 1))).expect("the connection is open");
    assert_eq!(read_framed(&mut open).expect("the server responds")[..2], [0, 7]);
}

#[test]
fn unbound_forwards_over_tls() {
    let authority = Authority::new();
    let (cert, key) = authority.certify(NAME);
    let server = Server::start_with(&[
        ("evenkeel.toml", &config()),
        ("lb.zone", ZONE),
        ("cert.pem", &cert),
        ("key.pem", &key),
        ("authority.pem", &authority.pem()),
    ]);
    let (dir, address, upstream) = (server.directory().display(), free_address(), server.address_of("TLS"));
    let config = format!(
        "server:\n interface: {}@{}\n access-control: 127.0.0.0/8 allow\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n \
         directory: \"{dir}\"\n pidfile: \"{dir}/pid\"\n use-syslog: no\n module-config: \"iterator\"\n num-threads: 1\n \
         do-not-query-localhost: no\n tls-cert-bundle: \"{dir}/authority.pem\"\n\
         forward-zone:\n name: \"lb.example\"\n forward-tls-upstream: yes\n forward-addr: {}@{}#{NAME}\n\
         remote-control:\n control-enable: no\n",
        address.ip(),
        address.port(),
        upstream.ip(),
        upstream.port(),
    );
    server.write("unbound.conf", &config);
    let mut command = Command::new(required("unbound", "unbound"));
    command
        .arg("-d")
        .arg("-c")
        .arg(server.directory().join("unbound.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _process = Process::start(&mut command);
    let resolver = UdpClient::new(address);
    wait_until("the resolver responds", || resolver.exchange(&query(1, 0x0100, "www.lb.example", 1)).is_some());
    assert_eq!(ipv4_addresses(&resolver.ask_recursive("core.lb.example", 1)).len(), 1);
    assert_eq!(ipv4_addresses(&resolver.ask_recursive("www.lb.example", 1)).len(), 1);
}
