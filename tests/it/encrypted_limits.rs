//! Limits of TLS and HTTPS: silent, slow and stopped connections. `dns_over_quic` has those of QUIC.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::WAIT_LIMIT;
use crate::support::encrypted::{TlsClient, config, config_with_limits, connect_tls, start};
use crate::support::packet::{framed, query, read_framed};
use crate::support::server::Server;

/// A query over DNS over TLS, with its length.
fn dot_query() -> Vec<u8> {
    framed(&query(9, 0, "core.lb.example", 1))
}

/// A request over HTTP/1.1 with this length of its body, and the start of the body.
fn http_request(content_length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /dns-query HTTP/1.1\r\nhost: a\r\ncontent-type: application/dns-message\r\ncontent-length: {content_length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Sends a query over an open connection of HTTP/1.1; returns the response.
fn ask_https(client: &mut TlsClient) -> std::io::Result<String> {
    let message = query(9, 0, "core.lb.example", 1);
    client.write_all(&http_request(message.len(), &message))?;
    let mut response = vec![0; 4096];
    let len = client.read(&mut response)?;
    Ok(String::from_utf8_lossy(&response[..len]).into_owned())
}

fn connect(server: &Server, transport: &str) -> TlsClient {
    connect_tls(server, transport, &[]).expect("the server shakes hands")
}

/// A TCP connection that never begins a handshake.
fn silent(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("the server accepts connections")
}

#[test]
fn silent_connections_do_not_block_other_clients() {
    let server = start(&config_with_limits(50, 60));
    let mut tls = connect(&server, "TLS");
    let mut https = connect(&server, "HTTPS");
    let mut open = Vec::new();
    for i in 0..500 {
        open.push(silent(server.address_of("TLS")));
        open.push(silent(server.address_of("HTTPS")));
        if i % 20 == 0 {
            tls.write_all(&dot_query()).expect("the busy connection stays open");
            read_framed(&mut tls).expect("the server responds on the busy connection");
            assert!(ask_https(&mut https).expect("the server responds on the busy connection").contains(" 200 "));
        }
    }
    let mut new = connect(&server, "TLS");
    new.write_all(&dot_query()).expect("the server reads requests");
    read_framed(&mut new).expect("the server responds to a new client");
    assert!(ask_https(&mut connect(&server, "HTTPS")).expect("the server responds").contains(" 200 "));
}

/// Sends one byte at a time until the server closes the connection.
fn trickle(stream: &mut impl Write, bytes: &[u8]) {
    let began = std::time::Instant::now();
    for byte in bytes.iter().cycle() {
        if stream.write_all(&[*byte]).and_then(|()| stream.flush()).is_err() {
            return;
        }
        assert!(began.elapsed() < WAIT_LIMIT, "the server keeps a slow connection");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn slow_connections_end_after_the_idle_timeout() {
    let server = start(&config_with_limits(50, 1));
    // A handshake, a message, the head of a request, and a body.
    trickle(&mut silent(server.address_of("TLS")), &[22, 3, 1, 2, 0]);
    trickle(&mut silent(server.address_of("HTTPS")), &[22, 3, 1, 2, 0]);
    trickle(&mut connect(&server, "TLS"), &[1, 0, 0, 0]);
    trickle(&mut connect(&server, "HTTPS"), b"GET /dns-query?dns=aaaaaaaaaaaaaaaaaaaa");
    let mut body = connect(&server, "HTTPS");
    body.write_all(&http_request(4000, &[])).expect("the server reads requests");
    trickle(&mut body, &[0]);
}

#[test]
fn pipelined_queries_and_a_half_closed_client_are_answered_over_tls() {
    let server = start(&config());
    let mut client = connect(&server, "TLS");
    let queries: Vec<u8> = (0..200).flat_map(|i| framed(&query(i, 0, "core.lb.example", 1))).collect();
    client.write_all(&queries).expect("the server reads requests");
    client.conn.send_close_notify();
    client.flush().expect("the server reads requests");
    for i in 0..200_u16 {
        assert_eq!(read_framed(&mut client).expect("the server responds")[..2], i.to_be_bytes());
    }
    assert_eq!(client.read(&mut [0]).expect("the server ends the connection in order"), 0);
}

#[test]
fn a_stop_answers_queries_that_have_arrived() {
    let mut server = start(&config_with_limits(50, 60));
    let mut tls = connect(&server, "TLS");
    let mut https = connect(&server, "HTTPS");
    let _silent = silent(server.address_of("TLS"));
    tls.write_all(&dot_query()).expect("the server reads requests");
    let message = query(9, 0, "core.lb.example", 1);
    https.write_all(&http_request(message.len(), &message)).expect("the server reads requests");
    server.signal("TERM");
    read_framed(&mut tls).expect("the server responds before it stops");
    let mut response = vec![0; 4096];
    let len = https.read(&mut response).expect("the server responds before it stops");
    assert!(response[..len].starts_with(b"HTTP/1.1 200 "));
    assert_eq!(server.wait().code(), Some(0));
}
