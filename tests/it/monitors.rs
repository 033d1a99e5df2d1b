//! Every kind of monitor, against the real programs that speak its protocol where Debian has them.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::support::authority::Authority;
use crate::support::c_icap::CIcap;
use crate::support::namespace::Namespace;
use crate::support::server::{Server, ZONE};
use crate::support::{answer_connections, free_address};

/// A pool of one node at 127.0.0.1 that answers nothing when it is down.
fn config(monitor: &str) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[zones.\"lb.example\"]\nfile = \"lb.zone\"\n[monitors.m]\n{monitor}\n\
         interval = \"100ms\"\ntimeout = \"90ms\"\nrise = 1\nfall = 1\n[pools.core]\nmonitors = [\"m\"]\nwhen_empty = \"nodata\"\n\
         nodes = [{{ name = \"a\", address = \"127.0.0.1\" }}]\n[names.\"core.lb.example\"]\npool = \"core\"\n"
    )
}

/// Starts with a monitor and waits for what its first probe says.
#[track_caller]
fn expect(monitor: &str, files: &[(&str, &str)], verdict: &str) {
    let config = config(monitor).replace("timeout = \"90ms\"", "timeout = \"5s\"").replace("\"100ms\"", "\"5s\"");
    let mut all = vec![("evenkeel.toml", config.as_str()), ("lb.zone", ZONE)];
    all.extend(files);
    let server = Server::start_with(&all);
    server.wait_for_log(verdict);
    let up = server.client().ask("core.lb.example", 1).answers.len();
    assert_eq!(up == 1, verdict.contains("1 of 1 addresses up"), "{}", server.log());
}

const UP: &str = "pool core: 1 of 1 addresses up";

/// An HTTPS server with a certificate, which may want one of its clients.
fn serve_https(certificate: &(String, String), clients: Option<&Authority>) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("a certificate");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("an authority"))
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.0.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(certificate.1.as_bytes()).expect("PEM");
    let config = Arc::new(builder.with_single_cert(chain, key).expect("a key that fits"));
    answer_connections(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a configuration");
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
fn https_verifies_the_shared_name_by_whatever_authority_is_given() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let right = serve_https(&authority.certify("core.lb.example"), None);
    let wrong = serve_https(&authority.certify("other.lb.example"), None);
    let https = |port: u16, more: &str| format!("kind = \"http\"\nscheme = \"https\"\nport = {port}\n{more}");
    let (own, others) = (authority.pem(), stranger.pem());
    let files = [("ca.pem", own.as_str()), ("others.pem", others.as_str())];
    expect(&https(right, "ca = \"ca.pem\"\nbody_contains = \"ready\""), &files, UP);
    expect(
        &https(wrong, "ca = \"ca.pem\""),
        &files,
        "first probe failed, invalid peer certificate: certificate not valid for name",
    );
    expect(&https(right, "ca = \"others.pem\""), &files, "invalid peer certificate");
    expect(&https(right, ""), &files, "first probe failed, invalid peer certificate: UnknownIssuer");
    expect(&https(wrong, "verify = false"), &files, UP);
}

#[test]
fn https_shows_a_client_certificate_when_it_is_asked_for_one() {
    let authority = Authority::new();
    let port = serve_https(&authority.certify("core.lb.example"), Some(&authority));
    let (certificate, key) = authority.certify("probe");
    let own = authority.pem();
    let files = [("ca.pem", own.as_str()), ("client.pem", &certificate), ("client.key", &key)];
    let https = format!("kind = \"http\"\nscheme = \"https\"\nport = {port}\nca = \"ca.pem\"\n");
    expect(&format!("{https}client_certificate = \"client.pem\"\nclient_key = \"client.key\""), &files, UP);
    expect(&https, &files, "first probe failed, received fatal alert: CertificateRequired");
}

#[test]
fn tcp_over_tls_verifies_it_too() {
    let authority = Authority::new();
    let own = authority.pem();
    let port = serve_https(&authority.certify("core.lb.example"), None);
    let tcp = format!("kind = \"tcp\"\nport = {port}\ntls = true\n");
    let talk = format!("{tcp}ca = \"ca.pem\"\nsend = \"GET / HTTP/1.0\\r\\n\\r\\n\"\nexpect = \"^HTTP/1.1 200\"");
    expect(&talk, &[("ca.pem", &own)], UP);
    expect(&tcp, &[("ca.pem", &own)], "first probe failed, invalid peer certificate: UnknownIssuer");
}

#[test]
fn tcp_connects_sends_and_expects() {
    let greeting = answer_connections(|mut stream| {
        let _ = stream.write_all(b"220 mail\r\n");
        let mut line = String::new();
        let _ = BufReader::new(stream.try_clone().expect("a stream")).read_line(&mut line);
        let _ = stream.write_all(format!("250 hello {}", line.to_lowercase()).as_bytes());
    });
    let tcp = |port: u16, more: &str| format!("kind = \"tcp\"\nport = {port}\n{more}");
    expect(&tcp(greeting, ""), &[], UP);
    expect(&tcp(greeting, "send = \"EHLO x\\r\\n\"\nexpect = \"(?m)^250 hello ehlo x\""), &[], UP);
    let silent = answer_connections(drop);
    expect(&tcp(silent, "expect = \"^250\""), &[], "first probe failed, replied nothing, which does not match ^250");
    let wrong = answer_connections(|mut stream| drop(stream.write_all(b"554 go away\r\n")));
    expect(
        &tcp(wrong, "expect = \"^250\""),
        &[],
        "first probe failed, replied \"554 go away\", which does not match ^250",
    );
    let unused = free_address().port();
    expect(&tcp(unused, ""), &[], "first probe failed, connection refused");
}

#[test]
fn icap_asks_a_real_c_icap() {
    let real = CIcap::start(true);
    let port = real.address.port();
    let icap = |service: &str, more: &str| format!("kind = \"icap\"\nport = {port}\nservice = \"{service}\"\n{more}");
    expect(&icap("echo", ""), &[], UP);
    expect(&icap("echo", "method = \"RESPMOD\""), &[], UP);
    expect(
        &icap("echo", "method = \"FILTER\""),
        &[],
        "first probe failed, offers the methods \"RESPMOD, REQMOD\", not FILTER",
    );
    expect(&icap("nosuch", ""), &[], "first probe failed, status 404");
}

#[test]
fn programs_decide_by_their_exit_code() {
    let exec = |script: &str| {
        format!(
            "kind = \"exec\"\ncommand = [\"/bin/sh\", \"-c\", '{script}']\nenvironment = {{ WANTED = \"127.0.0.1\" }}"
        )
    };
    expect(&exec("test $EVENKEEL_ADDRESS = $WANTED && test $EVENKEEL_HOST = core.lb.example"), &[], UP);
    expect(&exec("echo license expired; exit 4"), &[], "first probe failed, exit code 4: license expired");
}

#[test]
fn ping_echoes_where_the_kernel_allows_it() {
    let network = Namespace::new();
    let config = config("kind = \"ping\"").replace("127.0.0.1\" }", "127.0.0.9\" }");
    let server = Server::start_in(&network, &[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    assert!(server.log_has(UP), "{}", server.log());
    assert!(network.pings() > Some(0), "the kernel has seen none");
}

#[test]
fn as_many_monitors_as_required_decide() {
    let (good, bad) = (answer_connections(drop), free_address().port());
    let config = config(&format!("kind = \"tcp\"\nport = {good}"))
        .replace("monitors = [\"m\"]", "monitors = [\"m\", \"bad\"]\nrequire = REQUIRE")
        + &format!("[monitors.bad]\nkind = \"tcp\"\nport = {bad}\n");
    for (require, answers) in [("\"all\"", 0), ("\"any\"", 1), ("1", 1), ("2", 0)] {
        let config = config.replace("REQUIRE", require);
        let server = Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
        assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), answers, "{require}: {}", server.log());
    }
}
