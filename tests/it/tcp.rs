//! TCP: pipelining, half-closed and silent clients.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use hickory_proto::op::Message;

use crate::support::packet::{framed, over_tcp, query, read_framed};
use crate::support::server::{CONFIG, Server};

/// Few connections, and an idle timeout of so many seconds.
fn config(idle_timeout: u8) -> String {
    CONFIG.replace(
        "[server]
",
        &format!(
            "[server]
tcp_connections = 50
tcp_idle_timeout = \"{idle_timeout}s\"
"
        ),
    )
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("a TCP connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout above zero");
    stream
}

#[test]
fn pipelined_queries_are_answered_in_their_order() {
    let server = Server::start(&config(1));
    let names = ["core.lb.example", "www.lb.example", "nothing.lb.example"];
    let messages: Vec<Vec<u8>> = (0..600).map(|i| query(i, 0, names[usize::from(i) % 3], 1)).collect();
    let answers = over_tcp(server.address(), &messages);
    for (message, answer) in messages.iter().zip(&answers) {
        assert_eq!(message[..2], answer[..2]);
        assert!(Message::from_vec(answer).is_ok());
    }
}

#[test]
fn a_query_may_come_byte_by_byte() {
    let server = Server::start(&config(1));
    let mut stream = connect(server.address());
    stream.set_nodelay(true).expect("a TCP socket");
    for byte in framed(&query(5, 0, "core.lb.example", 1)) {
        stream.write_all(&[byte]).expect("the server reads");
    }
    assert_eq!(read_framed(&mut stream).expect("an answer")[..2], [0, 5]);
}

#[test]
fn a_half_closed_client_gets_all_answers() {
    let server = Server::start(&config(1));
    let mut stream = connect(server.address());
    let queries: Vec<u8> = (0..100).flat_map(|i| framed(&query(i, 0, "core.lb.example", 1))).collect();
    stream.write_all(&queries).expect("the server reads");
    stream.shutdown(Shutdown::Write).expect("a connected socket");
    for i in 0..100_u16 {
        assert_eq!(read_framed(&mut stream).expect("an answer")[..2], i.to_be_bytes());
    }
    assert_eq!(stream.read(&mut [0]).expect("an orderly end"), 0);
}

#[test]
fn silent_and_stalled_connections_are_closed() {
    let server = Server::start(&config(1));
    let mut silent = connect(server.address());
    let mut stalled = connect(server.address());
    stalled.write_all(&framed(&query(1, 0, "core.lb.example", 1))[..20]).expect("the server reads");
    for stream in [&mut silent, &mut stalled] {
        match stream.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            other => panic!("neither closed nor reset: {other:?}"),
        }
    }
}

#[test]
fn silent_connections_keep_no_client_out() {
    let server = Server::start(&config(60));
    let mut busy = connect(server.address());
    let message = framed(&query(9, 0, "core.lb.example", 1));
    let mut silent = Vec::new();
    for i in 0..1000 {
        silent.push(connect(server.address()));
        if i % 10 == 0 {
            busy.write_all(&message).expect("the busy connection stays open");
            read_framed(&mut busy).expect("an answer on the busy connection");
        }
    }
    assert_eq!(over_tcp(server.address(), &[query(1, 0, "core.lb.example", 1)]).len(), 1);
    busy.write_all(&message).expect("the busy connection stays open");
    read_framed(&mut busy).expect("the idlest goes first, not the busy one");
}

#[test]
fn clients_that_have_been_answered_keep_no_new_client_out() {
    let server = Server::start(&config(60));
    let message = framed(&query(9, 0, "core.lb.example", 1));
    let answered: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = connect(server.address());
            stream.write_all(&message).expect("the server reads");
            read_framed(&mut stream).expect("an answer");
            stream
        })
        .collect();
    // Each new client is followed by silent ones before it gets to ask.
    for _ in 0..20 {
        let mut new = connect(server.address());
        let _silent: Vec<TcpStream> = (0..10).map(|_| connect(server.address())).collect();
        new.write_all(&message).expect("the new client is not cut off");
        read_framed(&mut new).expect("an answer for the new client");
    }
    drop(answered);
}

#[test]
fn garbage_ends_nothing_but_itself() {
    let server = Server::start(&config(1));
    let mut stream = connect(server.address());
    stream.write_all(&[0, 0, 0, 3, 1, 2, 3]).expect("the server reads");
    stream.write_all(&framed(&query(3, 0, "core.lb.example", 1))).expect("the server reads");
    assert_eq!(read_framed(&mut stream).expect("an answer")[..2], [0, 3]);
}
