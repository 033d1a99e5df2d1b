//! Asks one question at a rate, whether it is answered or not, and counts the answers: what a server under attack meets.
//! `dnsperf` waits for answers, and cannot offer more than it gets.
//!
//! ```sh
//! cargo run --release -p evenkeel-bench-tools --bin flood -- 127.0.0.1:15301 core.lb.example 200000 5
//! ```
//! prints how many were sent and answered.

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

/// Packets a system call.
const BATCH: usize = 64;

/// How long answers are waited for at the end.
const GRACE: Duration = Duration::from_millis(300);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, name, rate, seconds] = &arguments[..] else {
        return Err("wanted: ADDRESS:PORT NAME RATE SECONDS".into());
    };
    let (rate, seconds) = (rate.parse::<f64>()?, seconds.parse::<f64>()?);
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    let question = question(name);
    let began = Instant::now();
    let (mut sent, mut answered) = (0_u64, 0_u64);
    let mut buffers = [[0_u8; 512]; BATCH];
    let mut incoming = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let mut outgoing = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    while began.elapsed().as_secs_f64() < seconds {
        let due = (began.elapsed().as_secs_f64() * rate) as u64 - sent;
        if due < BATCH as u64 {
            std::thread::sleep(Duration::from_micros(100));
        } else {
            let slices = vec![[IoSlice::new(&question)]; BATCH];
            let nowhere_else = vec![None; BATCH];
            // A full buffer is what an attacker would not wait for either.
            if let Ok(now) =
                sendmmsg(socket.as_raw_fd(), &mut outgoing, &slices, &nowhere_else, [], MsgFlags::MSG_DONTWAIT)
            {
                sent += now.count() as u64;
            }
        }
        answered += received(&socket, &mut incoming, &mut buffers);
    }
    let until = Instant::now() + GRACE;
    while Instant::now() < until {
        answered += received(&socket, &mut incoming, &mut buffers);
    }
    println!("{sent} {answered}");
    Ok(())
}

/// Takes the answers that are there.
fn received(socket: &UdpSocket, headers: &mut MultiHeaders<SockaddrStorage>, buffers: &mut [[u8; 512]; BATCH]) -> u64 {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    let received = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None);
    received.map_or(0, |received| received.count() as u64)
}

/// An A question with an OPT record.
fn question(name: &str) -> Vec<u8> {
    let mut packet = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in name.split('.') {
        packet.push(label.len() as u8);
        packet.extend(label.bytes());
    }
    packet.extend([0, 0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    packet
}
