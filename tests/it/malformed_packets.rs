//! Random and malformed packets: the server keeps answering, and its memory does not grow.

use hickory_proto::op::Message;

use crate::support::packet::{plain_query, query};
use crate::support::server::{CONFIG, Server};

const PACKETS: u32 = 200_000;

/// Limit for the growth of resident memory, in kilobytes. Buffers may grow to their full size.
const GROWTH_LIMIT: u64 = 4096;

/// Returns random bytes, or a query in which bytes were changed, inserted or cut off.
fn mutated_packet(rng: &mut fastrand::Rng) -> Vec<u8> {
    let names = ["core.lb.example", "scan.lb.example", "nothing.lb.example", "a.b.c.d.e.lb.example", "."];
    let mut packet = match rng.u8(..10) {
        0 => (0..rng.usize(..600)).map(|_| rng.u8(..)).collect(),
        1 => plain_query(rng.u16(..), 0, names[rng.usize(..names.len())], rng.u16(..)),
        _ => query(rng.u16(..), 0, names[rng.usize(..names.len())], rng.u16(..300)),
    };
    for _ in 0..rng.usize(..6) {
        let at = rng.usize(..=packet.len());
        match rng.u8(..4) {
            0 => packet.truncate(at),
            1 => packet.insert(at, rng.u8(..)),
            _ if at < packet.len() => packet[at] = if rng.bool() { rng.u8(..) } else { 0xff },
            _ => packet.push(0xc0),
        }
    }
    packet
}

#[test]
fn malformed_packets_neither_stop_the_server_nor_grow_its_memory() {
    let server = Server::start(CONFIG);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("the system has a free port");
    socket.connect(server.address()).expect("loopback has a route");
    socket.set_nonblocking(true).expect("the socket is open");
    let mut rng = fastrand::Rng::with_seed(9);
    let mut buffer = [0; 4096];
    let mut answered = 0;
    let mut baseline = 0;
    for i in 0..PACKETS {
        socket.send(&mutated_packet(&mut rng)).expect("loopback has a route");
        while let Ok(len) = socket.recv(&mut buffer) {
            answered += 1;
            let response = &buffer[..len];
            assert!(Message::from_vec(response).is_ok(), "hickory cannot decode {response:?}");
        }
        if i % 100 == 0 {
            // Waits for the server: this test is about the content of packets, not about their
            // rate.
            assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), 1);
        }
        if i == PACKETS / 10 {
            baseline = server.status_kb("VmRSS");
        }
    }
    let grown = server.status_kb("VmRSS").saturating_sub(baseline);
    println!("{answered} of {PACKETS} packets answered; resident memory {baseline} kB, {grown} kB more at the end");
    assert!(answered > PACKETS / 2, "only {answered} responses");
    assert!(grown < GROWTH_LIMIT, "{grown} kB more than after one tenth of the packets");
}
