//! A responder that only answers: the lowest cost of a batched UDP server, to compare servers with.
//!
//! It answers every packet with eight A records for the queried name, and with an OPT record. It
//! has one thread and one socket, and needs two system calls per batch.
//!
//! ```sh
//! cargo run --release -p evenkeel-bench-tools --bin bare-responder -- 127.0.0.1:15300
//! ```
//! runs until it is killed. An error of the socket ends it.

use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use smallvec::SmallVec;

/// Packets per system call.
const BATCH: usize = 16;

/// Buffer size per packet. It is an odd number of cache lines, so that the packets of a batch do
/// not compete for the same cache sets.
const BUFFER_SIZE: usize = 5 * 64;

/// Records per response.
const RECORDS: u8 = 8;

/// OPT record: root name, type, payload size of 1,232 bytes, no options.
const OPT: [u8; 11] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: bare-responder ADDRESS:PORT")?;
    let socket = UdpSocket::bind(address)?;
    // As evenkeel does: the kernel then needs no path MTU lookup and no packet identifier.
    set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::PROBE)?;
    let mut queries = Box::new([[0_u8; BUFFER_SIZE]; BATCH]);
    let mut responses = Box::new([[0_u8; BUFFER_SIZE]; BATCH]);
    let mut clients: Vec<Option<SockaddrIn>> = Vec::with_capacity(BATCH);
    let mut lengths: Vec<usize> = Vec::with_capacity(BATCH);
    let mut incoming = MultiHeaders::preallocate(BATCH, None);
    let mut outgoing = MultiHeaders::preallocate(BATCH, None);
    loop {
        clients.clear();
        lengths.clear();
        {
            let mut slices = queries.each_mut().map(|query| [IoSliceMut::new(query)]);
            let flags = MsgFlags::MSG_WAITFORONE;
            for message in recvmmsg(socket.as_raw_fd(), &mut incoming, slices.iter_mut(), flags, None)? {
                let query = message.iovs().next().unwrap_or_default();
                if let Some(length) = respond(query, &mut responses[clients.len()]) {
                    clients.push(message.address);
                    lengths.push(length);
                }
            }
        }
        let slices: SmallVec<[[IoSlice<'_>; 1]; BATCH]> =
            lengths.iter().zip(&*responses).map(|(&length, response)| [IoSlice::new(&response[..length])]).collect();
        let mut sent = 0;
        while sent < slices.len() {
            let (slices, clients) = (&slices[sent..], &clients[sent..]);
            let result = sendmmsg(socket.as_raw_fd(), &mut outgoing, slices, clients, [], MsgFlags::empty())?;
            // At least one: a packet that cannot be sent must not be tried forever.
            sent += result.count().max(1);
        }
    }
}

/// Writes header, question, records and OPT; returns the length, or `None` for a malformed query.
fn respond(query: &[u8], out: &mut [u8; BUFFER_SIZE]) -> Option<usize> {
    let name = query.get(12..)?.iter().position(|&byte| byte == 0)? + 1;
    let mut length = 12 + name + 4;
    out.get_mut(..length)?.copy_from_slice(query.get(..length)?);
    out[2..12].copy_from_slice(&[0x84, 0, 0, 1, 0, RECORDS, 0, 0, 0, 1]);
    for record in 1..=RECORDS {
        let fields = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 1, record];
        out.get_mut(length..length + fields.len())?.copy_from_slice(&fields);
        length += fields.len();
    }
    out.get_mut(length..length + OPT.len())?.copy_from_slice(&OPT);
    Some(length + OPT.len())
}
