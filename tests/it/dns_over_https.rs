//! DNS over HTTPS (RFC 8484): methods, statuses, headers and clients.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hickory_proto::op::{Message, ResponseCode};

use crate::support::encrypted::{config, start};
use crate::support::packet::query;
use crate::support::program::{assert_listed, output_of, required};
use crate::support::serve_connections;
use crate::support::server::Server;

/// Runs `curl` against the HTTPS endpoint; returns its output with the headers of the response.
fn curl(server: &Server, target: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(required("curl", "curl"));
    command.args(["--silent", "--show-error", "--insecure", "--include", "--max-time", "30", "--output", "-"]);
    command.args(arguments).arg(format!("https://{}{target}", server.address_of("HTTPS")));
    let output = command.output().expect("curl starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The path and query of a GET request.
fn get(name: &str, rtype: u16) -> String {
    format!("/dns-query?dns={}", BASE64_URL_SAFE_NO_PAD.encode(query(0, 0, name, rtype)))
}

#[test]
fn responses_say_how_long_they_may_be_cached() {
    let server = start(&config());
    for version in ["--http1.1", "--http2"] {
        let answer = |name, rtype| curl(&server, &get(name, rtype), &[version]).to_ascii_lowercase();
        for (name, rtype, max_age) in [
            ("www.lb.example", 1, 300),
            // The smaller one of the TTLs of CNAME and addresses.
            ("scan.lb.example", 1, 5),
            // The negative TTL.
            ("nothing.lb.example", 1, 5),
            ("outside.example", 1, 0),
        ] {
            let answer = answer(name, rtype);
            assert!(answer.contains(" 200"), "{answer}");
            assert!(answer.contains("content-type: application/dns-message\r\n"), "{answer}");
            assert!(answer.contains(&format!("cache-control: max-age={max_age}\r\n")), "{name}: {answer}");
        }
        let head = curl(&server, &get("www.lb.example", 1), &[version, "--head"]).to_ascii_lowercase();
        assert!(head.contains(" 200") && head.contains("max-age=300") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(!head.contains("content-length: 0"), "{head}");
    }
}

#[test]
fn requests_without_a_query_get_the_right_status() {
    let server = start(&config());
    let good = get("core.lb.example", 1);
    let long = "a".repeat(5000);
    let typed = "content-type: application/dns-message";
    for version in ["--http1.1", "--http2"] {
        for (target, arguments, status) in [
            ("/dns-query", &[][..], 400),
            ("/dns-query?dns=AAAA", &[], 400),
            ("/dns-query?dns=%41", &[], 400),
            ("/", &[], 404),
            (&good, &["--request", "PUT"], 405),
            (&good, &["--header", "accept: text/html"], 406),
            ("/dns-query", &["--header", typed, "--data-binary", &long], 413),
            ("/dns-query", &["--header", typed, "--header", "content-length:", "--data-binary", "x"], 400),
            ("/dns-query", &["--data-binary", "x"], 415),
            ("/dns-query", &["--header", typed, "--data-binary", "x"], 400),
        ] {
            let mut arguments = arguments.to_vec();
            arguments.push(version);
            let answer = curl(&server, target, &arguments);
            let line = answer.lines().next().unwrap_or_default();
            assert!(line.contains(&format!(" {status}")), "{target} {arguments:?}: {answer}");
            assert_eq!(status == 405, answer.to_ascii_lowercase().contains("allow: get, head, post"), "{answer}");
        }
    }
    assert!(curl(&server, &good, &["--http1.0", "--no-alpn"]).contains(" 505"));
}

#[test]
fn another_path_can_be_configured() {
    let text = config().replace("doh = ", "doh_path = \"/other/path\"\ndoh = ");
    let server = start(&text);
    let target = get("core.lb.example", 1);
    assert!(curl(&server, &target, &[]).contains(" 404"));
    assert!(curl(&server, &target.replace("/dns-query", "/other/path"), &[]).contains(" 200"));
}

#[test]
fn curl_resolves_names_over_https() {
    let port = serve_connections(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
    });
    let server = start(&config().replace("192.0.2.11", "127.0.0.1"));
    let mut command = Command::new(required("curl", "curl"));
    command.args(["--silent", "--show-error", "--max-time", "30", "--doh-insecure"]);
    command.args(["--doh-url", &format!("https://{}/dns-query", server.address_of("HTTPS"))]);
    command.arg(format!("http://core.lb.example:{port}/"));
    assert_eq!(output_of(&mut command), "hello");
}

/// Sends each query with POST and GET, over HTTP/1.1 and HTTP/2.
const HTTPX: &str = "
import base64, sys, httpx
url, message = sys.argv[1], bytes.fromhex(sys.argv[2])
for http2 in (False, True):
    with httpx.Client(http2=http2, verify=False) as client:
        typed = {'content-type': 'application/dns-message', 'accept': 'application/dns-message'}
        encoded = base64.urlsafe_b64encode(message).rstrip(b'=').decode()
        for response in (client.post(url, content=message, headers=typed), client.get(url, params={'dns': encoded})):
            response.raise_for_status()
            assert response.http_version == ('HTTP/2' if http2 else 'HTTP/1.1')
            print(response.content.hex())
";

#[test]
fn httpx_queries_over_both_versions_of_http() {
    let server = start(&config());
    let message = query(77, 0, "core.lb.example", 1);
    let hex: String = message.iter().map(|byte| format!("{byte:02x}")).collect();
    // The modules of Debian are in the Python of Debian.
    required("python3", "python3");
    ["h2", "httpx"].iter().for_each(|module| assert_listed(module));
    let mut command = Command::new("/usr/bin/python3");
    let url = format!("https://{}/dns-query", server.address_of("HTTPS"));
    let output = output_of(command.args(["-c", HTTPX, &url, &hex]).stdin(Stdio::null()));
    let expected = server.client().exchange(&message).expect("the server responds over UDP");
    let decoded = Message::from_vec(&expected).expect("hickory decodes the response");
    assert_eq!(decoded.metadata.response_code, ResponseCode::NoError);
    let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(output.lines().collect::<Vec<_>>(), [expected.as_str(); 4]);
}
