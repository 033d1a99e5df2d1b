//! A responder that does nothing but answer: the least that a batched UDP server can cost, to measure others against.
//!
//! Every packet is answered with eight A records for whatever it asks, and with an OPT record. One thread, one socket, two
//! system calls a batch.
//!
//! ```sh
//! cargo run --release -p evenkeel-bench-tools --bin bare-responder -- 127.0.0.1:15300
//! ```

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use smallvec::SmallVec;

/// Packets a system call.
const BATCH: usize = 16;

/// Room for a packet: an odd number of cache lines, so that those of a batch do not compete for the same places.
const ROOM: usize = 5 * 64;

/// Records of an answer.
const RECORDS: u8 = 8;

/// Root, type, payload of 1,232 bytes, nothing else.
const OPT: [u8; 11] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("wanted: ADDRESS:PORT")?;
    let socket = UdpSocket::bind(address)?;
    // As evenkeel: no path is looked up, no packet numbered.
    set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::PROBE)?;
    let mut packets = Box::new([[0_u8; ROOM]; BATCH]);
    let mut answers = Box::new([[0_u8; ROOM]; BATCH]);
    let mut to: Vec<Option<SockaddrIn>> = Vec::with_capacity(BATCH);
    let mut lengths: Vec<usize> = Vec::with_capacity(BATCH);
    let mut incoming = MultiHeaders::preallocate(BATCH, None);
    let mut outgoing = MultiHeaders::preallocate(BATCH, None);
    loop {
        to.clear();
        lengths.clear();
        {
            let mut slices = packets.each_mut().map(|packet| [IoSliceMut::new(packet)]);
            let flags = MsgFlags::MSG_WAITFORONE;
            for message in recvmmsg(socket.as_raw_fd(), &mut incoming, slices.iter_mut(), flags, None)? {
                let packet = message.iovs().next().unwrap_or_default();
                if let Some(len) = answer(packet, &mut answers[to.len()]) {
                    to.push(message.address);
                    lengths.push(len);
                }
            }
        }
        let slices: SmallVec<[[IoSlice<'_>; 1]; BATCH]> =
            lengths.iter().zip(&*answers).map(|(&len, answer)| [IoSlice::new(&answer[..len])]).collect();
        let mut sent = 0;
        while sent < slices.len() {
            let now = sendmmsg(socket.as_raw_fd(), &mut outgoing, &slices[sent..], &to[sent..], [], MsgFlags::empty())?;
            sent += now.count().max(1);
        }
    }
}

/// Header, question and eight records; gives their length.
fn answer(packet: &[u8], out: &mut [u8; ROOM]) -> Option<usize> {
    let name = packet.get(12..)?.iter().position(|&byte| byte == 0)? + 1;
    let mut len = 12 + name + 4;
    out[..len].copy_from_slice(packet.get(..len)?);
    out[2..12].copy_from_slice(&[0x84, 0, 0, 1, 0, RECORDS, 0, 0, 0, 1]);
    for record in 1..=RECORDS {
        out.get_mut(len..len + 16)?.copy_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 1, record]);
        len += 16;
    }
    out.get_mut(len..len + OPT.len())?.copy_from_slice(&OPT);
    Some(len + OPT.len())
}
