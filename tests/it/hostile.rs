//! Packets that nobody should send: the server goes on, and keeps its memory.

use hickory_proto::op::Message;

use crate::support::packet::{plain_query, query};
use crate::support::server::{CONFIG, Server};

const PACKETS: u32 = 200_000;

/// How much resident memory may grow over all packets, in kilobytes: buffers that reach their size, no more.
const GROWTH: u64 = 4096;

/// A random packet, or a good query with some bytes changed, cut off or put in.
fn packet(rng: &mut fastrand::Rng) -> Vec<u8> {
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
fn mutated_packets_neither_stop_nor_grow_the_server() {
    let server = Server::start(CONFIG);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a client socket");
    socket.connect(server.address()).expect("a route to loopback");
    socket.set_nonblocking(true).expect("a socket");
    let mut rng = fastrand::Rng::with_seed(9);
    let mut buffer = [0; 4096];
    let mut answered = 0;
    let mut settled = 0;
    for i in 0..PACKETS {
        socket.send(&packet(&mut rng)).expect("a route to loopback");
        while let Ok(len) = socket.recv(&mut buffer) {
            answered += 1;
            assert!(
                Message::from_vec(&buffer[..len]).is_ok(),
                "a response that cannot be decoded: {:?}",
                &buffer[..len]
            );
        }
        if i % 100 == 0 {
            // Not faster than the server: this is about what packets do, not about how many.
            assert_eq!(server.client().ask("core.lb.example", 1).answers.len(), 1);
        }
        if i == PACKETS / 10 {
            settled = server.status_kb("VmRSS");
        }
    }
    let grown = server.status_kb("VmRSS").saturating_sub(settled);
    println!("{answered} of {PACKETS} packets answered; resident memory {settled} kB, {grown} kB more at the end");
    assert!(answered > PACKETS / 2, "only {answered} answers");
    assert!(grown < GROWTH, "{grown} kB more than after a tenth of the packets");
}
