//! Connections over HTTPS that send frames and headers without queries: the server ends them, and
//! its memory does not grow.

use std::io::{Read, Write};

use crate::support::encrypted::{TlsClient, config, connect_tls, start};
use crate::support::packet::query;
use crate::support::server::Server;

/// Bytes that a flood sends if the server does not end it.
const FLOOD: usize = 32 << 20;

/// What the memory of the server may grow by, in kilobytes.
const GROWTH_KB: u64 = 16 * 1024;

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32).to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A connection over HTTP/2 after the preface, with the settings of the client acknowledged or not.
fn connect_http2(server: &Server) -> TlsClient {
    let mut client = connect_tls(server, "HTTPS", &["h2"]).expect("the server speaks HTTP/2");
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("the server reads requests");
    client.write_all(&frame(4, 0, 0, &[])).expect("the server reads requests");
    client
}

/// Sends frames, made per stream number, until the server ends the connection. Reads meanwhile, so
/// that the responses of the server do not block it.
fn flood(server: &Server, mut client: TlsClient, mut frames: impl FnMut(u32) -> Vec<u8>) {
    let before = server.status_kb("VmRSS");
    client.sock.set_nonblocking(true).expect("the socket is open");
    let mut sent = 0;
    let mut stream = 1;
    let mut pending = Vec::new();
    while sent < FLOOD {
        if pending.is_empty() {
            pending = frames(stream);
            stream += 2;
        }
        match client.write(&pending) {
            Ok(len) => {
                sent += len;
                pending.drain(..len);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        match client.read(&mut [0; 16_384]) {
            Ok(0) => break,
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break,
            _ => {}
        }
    }
    assert!(sent < FLOOD, "the server reads {sent} bytes without a query");
    let grown = server.status_kb("VmRSS").saturating_sub(before);
    assert!(grown < GROWTH_KB, "the memory of the server grows by {grown} kB");
    let udp = server.client();
    assert!(udp.exchange(&query(1, 0, "core.lb.example", 1)).is_some(), "the server still responds");
}

/// The head of a request with this path and no query: method GET, scheme https, authority "a".
fn headers(flags: u8, stream: u32) -> Vec<u8> {
    frame(1, flags, stream, &[0x82, 0x87, 0x84, 0x41, 1, b'a'])
}

#[test]
fn floods_of_control_frames_end_the_connection() {
    let server = start(&config());
    let (ping, settings) = (frame(6, 0, 0, &[7; 8]), frame(4, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]));
    flood(&server, connect_http2(&server), |_| ping.repeat(100));
    flood(&server, connect_http2(&server), |_| settings.repeat(100));
    // PRIORITY and WINDOW_UPDATE of streams that do not exist, and unknown frames.
    flood(&server, connect_http2(&server), |_| frame(2, 0, 3, &[0, 0, 0, 0, 1]).repeat(100));
    flood(&server, connect_http2(&server), |_| frame(0xbe, 0, 0, &[0; 64]).repeat(100));
}

#[test]
fn rapid_reset_and_endless_headers_end_the_connection() {
    let server = start(&config());
    let reset = |stream| frame(3, 0, stream, &[0, 0, 0, 8]);
    flood(&server, connect_http2(&server), |stream| [headers(5, stream), reset(stream)].concat());
    // Without END_HEADERS: CONTINUATION frames follow for ever.
    let continuation = frame(9, 0, 1, &[0, 1, b'x', 1, b'y'].repeat(100));
    flood(&server, connect_http2(&server), |stream| if stream == 1 { headers(1, 1) } else { continuation.clone() });
    // Bodies that never end, on as many streams as there may be.
    flood(&server, connect_http2(&server), |stream| [headers(4, stream), frame(0, 0, stream, &[0; 1000])].concat());
}

#[test]
fn requests_without_a_query_end_the_connection() {
    let server = start(&config());
    flood(&server, connect_http2(&server), |stream| headers(5, stream));
    let http1 = || connect_tls(&server, "HTTPS", &["http/1.1"]).expect("the server speaks HTTP/1.1");
    flood(&server, http1(), |_| b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec());
    flood(&server, http1(), |_| b"x: y\r\n".repeat(100));
    flood(&server, http1(), |stream| {
        let head = "POST /dns-query HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-type: application/dns-message\r\n\r\n";
        if stream == 1 { head.into() } else { b"1\r\nx\r\n".repeat(100) }
    });
}
