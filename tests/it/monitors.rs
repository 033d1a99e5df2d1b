//! Every kind of monitor, with real programs on the other side if Debian has them.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::support::c_icap::CIcap;
use crate::support::certificates::Authority;
use crate::support::namespace::Namespace;
use crate::support::server::{Server, ZONE};
use crate::support::{free_address, serve_connections};

/// A configuration with one node at 127.0.0.1. If the node is down, the answer is empty.
fn config_with_monitor(monitor: &str) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n[monitors.m]\n{monitor}\n\
         interval = \"100ms\"\ntimeout = \"90ms\"\nrise = 1\nfall = 1\n[pools.core]\nmonitors = [\"m\"]\nwhen_empty = \"nodata\"\n\
         nodes = [{{ name = \"a\", address = \"127.0.0.1\" }}]\n[names.\"core.lb.example\"]\npool = \"core\"\n"
    )
}

/// Starts a server with a monitor, and waits until the log has the result of the first probe.
#[track_caller]
fn expect_first_probe(monitor: &str, files: &[(&str, &str)], result: &str) {
    let config =
        config_with_monitor(monitor).replace("timeout = \"90ms\"", "timeout = \"5s\"").replace("\"100ms\"", "\"5s\"");
    let mut all = vec![("evenkeel.toml", config.as_str()), ("lb.zone", ZONE)];
    all.extend(files);
    let server = Server::start_with(&all);
    server.wait_for_log(result);
    let up = server.client().ask("core.lb.example", 1).answers.len();
    assert_eq!(up == 1, result.contains("1 of 1 address up"), "{}", server.log());
}

/// The log line if the first probe succeeds.
const UP: &str = "pool core: 1 of 1 address up";

/// Starts an HTTPS server with a certificate; returns its port. If `clients` is given, clients need
/// a certificate of that authority.
fn serve_https(certificate: &(String, String), clients: Option<&Authority>) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.3");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("the text is PEM"))
                .expect("the certificate is valid");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("the authority is valid"))
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.0.as_bytes()).expect("the text is PEM")];
    let key = PrivateKeyDer::from_pem_slice(certificate.1.as_bytes()).expect("the text is PEM");
    let config = Arc::new(builder.with_single_cert(chain, key).expect("the key belongs to the certificate"));
    serve_connections(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("the configuration is valid");
        let mut stream = StreamOwned::new(connection, stream);
        let mut request = [0; 4096];
        if stream.read(&mut request).is_ok_and(|len| len > 0) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nready");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    })
}

#[test]
fn https_verifies_the_shared_name_with_the_configured_authority() {
    let (authority, other_authority) = (Authority::new(), Authority::new());
    let right = serve_https(&authority.certify("core.lb.example"), None);
    let wrong = serve_https(&authority.certify("other.lb.example"), None);
    let https = |port: u16, more: &str| format!("kind = \"http\"\nscheme = \"https\"\nport = {port}\n{more}");
    let (own, others) = (authority.pem(), other_authority.pem());
    let files = [("ca.pem", own.as_str()), ("others.pem", others.as_str())];
    expect_first_probe(&https(right, "ca = \"ca.pem\"\nbody_contains = \"ready\""), &files, UP);
    expect_first_probe(
        &https(wrong, "ca = \"ca.pem\""),
        &files,
        "first probe failed, invalid peer certificate: certificate not valid for name",
    );
    expect_first_probe(&https(right, "ca = \"others.pem\""), &files, "invalid peer certificate");
    expect_first_probe(&https(right, ""), &files, "first probe failed, invalid peer certificate: UnknownIssuer");
    expect_first_probe(&https(wrong, "verify = false"), &files, UP);
}

#[test]
fn https_presents_the_configured_client_certificate() {
    let authority = Authority::new();
    let port = serve_https(&authority.certify("core.lb.example"), Some(&authority));
    let (certificate, key) = authority.certify("probe");
    let own = authority.pem();
    let files = [("ca.pem", own.as_str()), ("client.pem", &certificate), ("client.key", &key)];
    let https = format!("kind = \"http\"\nscheme = \"https\"\nport = {port}\nca = \"ca.pem\"\n");
    expect_first_probe(&format!("{https}client_certificate = \"client.pem\"\nclient_key = \"client.key\""), &files, UP);
    expect_first_probe(&https, &files, "first probe failed, received fatal alert: CertificateRequired");
}

#[test]
fn tcp_with_tls_verifies_the_shared_name() {
    let authority = Authority::new();
    let own = authority.pem();
    let port = serve_https(&authority.certify("core.lb.example"), None);
    let tcp = format!("kind = \"tcp\"\nport = {port}\ntls = true\n");
    let conversation =
        format!("{tcp}ca = \"ca.pem\"\nsend = \"GET / HTTP/1.0\\r\\n\\r\\n\"\nexpect = \"^HTTP/1.1 200\"");
    expect_first_probe(&conversation, &[("ca.pem", &own)], UP);
    expect_first_probe(&tcp, &[("ca.pem", &own)], "first probe failed, invalid peer certificate: UnknownIssuer");
}

#[test]
fn tcp_connects_sends_and_matches_the_reply() {
    let greeting = serve_connections(|mut stream| {
        let _ = stream.write_all(b"220 mail\r\n");
        let mut line = String::new();
        let _ = BufReader::new(stream.try_clone().expect("the stream can be cloned")).read_line(&mut line);
        let _ = stream.write_all(format!("250 hello {}", line.to_lowercase()).as_bytes());
    });
    let tcp = |port: u16, more: &str| format!("kind = \"tcp\"\nport = {port}\n{more}");
    expect_first_probe(&tcp(greeting, ""), &[], UP);
    expect_first_probe(&tcp(greeting, "send = \"EHLO x\\r\\n\"\nexpect = \"(?m)^250 hello ehlo x\""), &[], UP);
    let silent = serve_connections(drop);
    expect_first_probe(
        &tcp(silent, "expect = \"^250\""),
        &[],
        "first probe failed, replied nothing, which does not match ^250",
    );
    let wrong = serve_connections(|mut stream| drop(stream.write_all(b"554 go away\r\n")));
    expect_first_probe(
        &tcp(wrong, "expect = \"^250\""),
        &[],
        "first probe failed, replied \"554 go away\", which does not match ^250",
    );
    let unused = free_address().port();
    expect_first_probe(&tcp(unused, ""), &[], "first probe failed, connection refused");
}

#[test]
fn icap_probes_c_icap() {
    let c_icap = CIcap::start(true);
    let port = c_icap.address.port();
    let icap = |service: &str, more: &str| format!("kind = \"icap\"\nport = {port}\nservice = \"{service}\"\n{more}");
    expect_first_probe(&icap("echo", ""), &[], UP);
    expect_first_probe(&icap("echo", "method = \"RESPMOD\""), &[], UP);
    expect_first_probe(
        &icap("echo", "method = \"FILTER\""),
        &[],
        "first probe failed, offers the methods \"RESPMOD, REQMOD\", not FILTER",
    );
    expect_first_probe(&icap("nosuch", ""), &[], "first probe failed, status 404");
}

#[test]
fn the_exit_code_of_a_program_decides() {
    let exec = |script: &str| {
        format!(
            "kind = \"exec\"\ncommand = [\"/bin/sh\", \"-c\", '{script}']\nenvironment = {{ WANTED = \"127.0.0.1\" }}"
        )
    };
    expect_first_probe(&exec("test $EVENKEEL_ADDRESS = $WANTED && test $EVENKEEL_HOST = core.lb.example"), &[], UP);
    expect_first_probe(&exec("echo license expired; exit 4"), &[], "first probe failed, exit code 4: license expired");
}

#[test]
fn ping_sends_icmp_echo_requests() {
    let network = Namespace::new();
    let config = config_with_monitor("kind = \"ping\"").replace("127.0.0.1\" }", "127.0.0.9\" }");
    let server = Server::start_in(&network, &[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    assert!(server.log_has(UP), "{}", server.log());
    assert!(network.pings() > Some(0), "the kernel received no ping");
}

#[test]
fn require_sets_how_many_monitors_must_succeed() {
    let (good, bad) = (serve_connections(drop), free_address().port());
    let config = config_with_monitor(&format!("kind = \"tcp\"\nport = {good}"))
        .replace("monitors = [\"m\"]", "monitors = [\"m\", \"bad\"]\nrequire = REQUIRE")
        + &format!("[monitors.bad]\nkind = \"tcp\"\nport = {bad}\n");
    for (require, answers) in [("\"all\"", 0), ("\"any\"", 1), ("1", 1), ("2", 0)] {
        let config = config.replace("REQUIRE", require);
        let server = Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
        assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), answers, "{require}: {}", server.log());
    }
}
