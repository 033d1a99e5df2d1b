//! Sends one query at a fixed rate, whether it is answered or not, and counts the responses: the
//! load of a server under attack. `dnsperf` waits for responses, so it cannot exceed the rate of
//! the server.
//!
//! ```sh
//! cargo run --release -p evenkeel-bench-tools --bin flood -- 127.0.0.1:15301 core.lb.example 200000 5
//! ```
//! sends 200,000 queries per second for 5 seconds. It prints the numbers of queries and of
//! responses. A server that does not answer is not an error.

use std::error::Error;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

/// Packets per system call.
const BATCH: usize = 64;

/// Size of the receive buffer, in bytes. Longer responses are cut off, but still counted.
const RESPONSE_SIZE: usize = 512;

/// How long responses are received after the last query.
const GRACE: Duration = Duration::from_millis(300);

/// Pause while the next batch is not due.
const PAUSE: Duration = Duration::from_micros(100);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, name, rate, seconds] = &arguments[..] else {
        return Err("usage: flood ADDRESS:PORT NAME RATE SECONDS".into());
    };
    let (rate, seconds) = (rate.parse::<f64>()?, seconds.parse::<f64>()?);
    let mut flood = Flood::new(server, name)?;
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        let due = (start.elapsed().as_secs_f64() * rate) as u64 - flood.sent;
        if due < BATCH as u64 {
            std::thread::sleep(PAUSE);
        } else {
            flood.send();
        }
        flood.receive();
    }
    let end = Instant::now() + GRACE;
    while Instant::now() < end {
        flood.receive();
    }
    println!("{} {}", flood.sent, flood.received);
    Ok(())
}

/// A socket, what it sends, and what has passed through it.
struct Flood {
    socket: UdpSocket,
    query: Vec<u8>,
    outgoing: MultiHeaders<SockaddrStorage>,
    incoming: MultiHeaders<SockaddrStorage>,
    buffers: [[u8; RESPONSE_SIZE]; BATCH],
    sent: u64,
    received: u64,
}

impl Flood {
    /// A flood of queries for a name, which has not begun.
    fn new(server: &str, name: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        Ok(Self {
            socket,
            query: query(name),
            outgoing: MultiHeaders::preallocate(BATCH, None),
            incoming: MultiHeaders::preallocate(BATCH, None),
            buffers: [[0; RESPONSE_SIZE]; BATCH],
            sent: 0,
            received: 0,
        })
    }

    /// Sends one batch, as far as the socket buffer has room.
    fn send(&mut self) {
        let slices = vec![[IoSlice::new(&self.query)]; BATCH];
        // The socket is connected, so packets carry no address.
        let addresses = vec![None; BATCH];
        let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        // An error means a full buffer or a server that is gone; an attacker goes on as well.
        if let Ok(sent) = sendmmsg(socket, &mut self.outgoing, &slices, &addresses, [], flags) {
            self.sent += sent.count() as u64;
        }
    }

    /// Counts the responses that have arrived, at most one batch.
    fn receive(&mut self) {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let received = recvmmsg(socket, &mut self.incoming, slices.iter_mut(), flags, None);
        self.received += received.map_or(0, |received| received.count() as u64);
    }
}

/// A query for A records, with an OPT record as resolvers send it.
fn query(name: &str) -> Vec<u8> {
    let mut packet = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in name.split('.') {
        packet.push(label.len() as u8);
        packet.extend(label.bytes());
    }
    packet.extend([0, 0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    packet
}
