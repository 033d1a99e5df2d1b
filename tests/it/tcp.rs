//! DNS over TCP: pipelining, and clients that are slow, silent or half-closed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use hickory_proto::op::Message;

use crate::support::packet::{framed, over_tcp, query, read_framed};
use crate::support::server::{CONFIG, Server};

/// A configuration for at most 50 TCP connections, with an idle timeout in seconds.
fn config(idle_timeout: u8) -> String {
    let limits = format!("[server]\ntcp_connections = 50\ntcp_idle_timeout = \"{idle_timeout}s\"\n");
    CONFIG.replace("[server]\n", &limits)
}

/// Connects; a read fails if no byte arrives for 20 seconds.
fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("the server accepts connections");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("the timeout is above zero");
    stream
}

#[test]
fn pipelined_queries_are_answered_in_order() {
    let server = Server::start(&config(60));
    let names = ["core.lb.example", "www.lb.example", "nothing.lb.example"];
    let messages: Vec<Vec<u8>> = (0..600).map(|i| query(i, 0, names[usize::from(i) % 3], 1)).collect();
    let answers = over_tcp(server.address(), &messages);
    for (message, answer) in messages.iter().zip(&answers) {
        assert_eq!(message[..2], answer[..2]);
        assert!(Message::from_vec(answer).is_ok());
    }
}

#[test]
fn a_query_can_arrive_byte_by_byte() {
    let server = Server::start(&config(60));
    let mut stream = connect(server.address());
    stream.set_nodelay(true).expect("the socket is a TCP socket");
    for byte in framed(&query(5, 0, "core.lb.example", 1)) {
        stream.write_all(&[byte]).expect("the server reads requests");
    }
    assert_eq!(read_framed(&mut stream).expect("the server responds")[..2], [0, 5]);
}

#[test]
fn a_half_closed_client_receives_all_responses() {
    let server = Server::start(&config(60));
    let mut stream = connect(server.address());
    let queries: Vec<u8> = (0..100).flat_map(|i| framed(&query(i, 0, "core.lb.example", 1))).collect();
    stream.write_all(&queries).expect("the server reads requests");
    stream.shutdown(Shutdown::Write).expect("the socket is connected");
    for i in 0..100_u16 {
        assert_eq!(read_framed(&mut stream).expect("the server responds")[..2], i.to_be_bytes());
    }
    assert_eq!(stream.read(&mut [0]).expect("the server closes the connection"), 0);
}

#[test]
fn silent_and_stalled_connections_are_closed_after_the_idle_timeout() {
    let server = Server::start(&config(1));
    let mut silent = connect(server.address());
    let mut stalled = connect(server.address());
    stalled.write_all(&framed(&query(1, 0, "core.lb.example", 1))[..20]).expect("the server reads requests");
    for stream in [&mut silent, &mut stalled] {
        match stream.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            other => panic!("the connection is neither closed nor reset: {other:?}"),
        }
    }
}

#[test]
fn silent_connections_do_not_block_other_clients() {
    let server = Server::start(&config(60));
    let mut busy = connect(server.address());
    let message = framed(&query(9, 0, "core.lb.example", 1));
    let mut silent = Vec::new();
    for i in 0..1000 {
        silent.push(connect(server.address()));
        if i % 10 == 0 {
            busy.write_all(&message).expect("the busy connection stays open");
            read_framed(&mut busy).expect("the server responds on the busy connection");
        }
    }
    assert_eq!(over_tcp(server.address(), &[query(1, 0, "core.lb.example", 1)]).len(), 1);
    busy.write_all(&message).expect("the busy connection stays open");
    read_framed(&mut busy).expect("the server closes idle connections first");
}

#[test]
fn clients_with_answers_do_not_block_new_clients() {
    let server = Server::start(&config(60));
    let message = framed(&query(9, 0, "core.lb.example", 1));
    let answered: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = connect(server.address());
            stream.write_all(&message).expect("the server reads requests");
            read_framed(&mut stream).expect("the server responds");
            stream
        })
        .collect();
    // Silent clients connect between the connection and the query of each new client.
    for _ in 0..20 {
        let mut new = connect(server.address());
        let _silent: Vec<TcpStream> = (0..10).map(|_| connect(server.address())).collect();
        new.write_all(&message).expect("the server keeps the new connection");
        read_framed(&mut new).expect("the server responds to the new client");
    }
    drop(answered);
}

#[test]
fn clients_that_ask_late_are_served_while_hundreds_of_others_connect() {
    let server = Server::start(&config(60).replace("= 50", "= 16"));
    let message = framed(&query(9, 0, "core.lb.example", 1));
    let mut others = Vec::new();
    for _ in 0..10 {
        let mut late: Vec<TcpStream> = (0..3).map(|_| connect(server.address())).collect();
        for number in 0..30 {
            let mut other = connect(server.address());
            let sent: &[u8] = match number % 4 {
                0 => &[],
                1 => &message[..9],
                2 => &message,
                _ => &message.repeat(20),
            };
            other.write_all(sent).expect("the server accepts connections");
            if number % 3 == 0 {
                // The server may have closed it already.
                let _ = other.shutdown(Shutdown::Write);
            }
            others.push(other);
        }
        for client in &mut late {
            client.write_all(&message).expect("the server keeps the connection");
            read_framed(client).expect("the server responds to the late client");
        }
    }
}

#[test]
fn a_malformed_message_does_not_end_the_connection() {
    let server = Server::start(&config(60));
    let mut stream = connect(server.address());
    stream.write_all(&[0, 0, 0, 3, 1, 2, 3]).expect("the server reads requests");
    stream.write_all(&framed(&query(3, 0, "core.lb.example", 1))).expect("the server reads requests");
    assert_eq!(read_framed(&mut stream).expect("the server responds")[..2], [0, 3]);
}
