//! UDP: threads that take packets in batches, answer them in place, and send the answers in batches.
//!
//! Each worker has a socket of its own and shares nothing but the snapshot with the others; the kernel spreads
//! clients over the sockets.

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::Cache;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn6, SockaddrStorage, recvmmsg, sendmmsg,
    sendmsg,
};
use tracing::warn;

use super::respond::{Transport, respond};
use crate::seldom::Seldom;
use crate::serving::{Current, Serving};

/// Packets taken by one system call.
const BATCH: usize = 64;

/// Longest packet that is read; queries are far shorter, and what is cut off makes a FORMERR.
const PACKET: usize = 4096;

/// Batches that are still answered once the worker is told to stop: more than a socket's buffer holds, so that what
/// had arrived by then is answered, but a flood does not keep the worker for ever.
const LAST_BATCHES: u32 = 64;

/// How long a worker waits when the system refuses to give it packets.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// A response that waits to be sent.
struct Reply {
    len: usize,
    to: SockaddrStorage,
    /// The address that was asked, on a wildcard socket.
    from: Option<Asked>,
}

/// The address at which a packet came in.
#[derive(Clone, Copy)]
enum Asked {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

/// A thread's state.
pub(super) struct Worker {
    socket: UdpSocket,
    serving: Cache<Current, Arc<Serving>>,
    stop: Arc<AtomicBool>,
    /// Whether packets tell which address was asked.
    is_wildcard: bool,
    rng: fastrand::Rng,
    replies: Vec<Reply>,
    /// The bytes of `replies`, in their order.
    buffers: Vec<Vec<u8>>,
    log: Seldom,
}

impl Worker {
    /// Takes a blocking socket with a read timeout. The worker ends soon after `stop` is set.
    pub(super) fn new(socket: UdpSocket, current: Current, stop: Arc<AtomicBool>) -> Self {
        let is_wildcard = socket.local_addr().is_ok_and(|address| address.ip().is_unspecified());
        Self {
            socket,
            serving: Cache::new(current),
            stop,
            is_wildcard,
            rng: fastrand::Rng::new(),
            replies: Vec::with_capacity(BATCH),
            buffers: vec![Vec::new(); BATCH],
            log: Seldom::default(),
        }
    }

    /// Answers until told to stop, then what is still waiting in the socket.
    pub(super) fn run(mut self) {
        let mut packets = vec![[0_u8; PACKET]; BATCH];
        let control = self.is_wildcard.then(|| cmsg_space!(libc::in6_pktinfo));
        let mut headers = MultiHeaders::preallocate(BATCH, control);
        let mut send_headers = MultiHeaders::preallocate(BATCH, None);
        let mut last_batches = 0;
        while last_batches < LAST_BATCHES {
            let stopping = self.stop.load(Ordering::Relaxed);
            last_batches += u32::from(stopping);
            let flags = if stopping { MsgFlags::MSG_DONTWAIT } else { MsgFlags::MSG_WAITFORONE };
            match self.receive(&mut packets, &mut headers, flags) {
                Ok(()) => self.send(&mut send_headers),
                // The read timeout, or, when stopping, nothing is left.
                Err(Errno::EAGAIN) if stopping => return,
                // An idle worker must not hold on to a snapshot that was replaced.
                Err(Errno::EAGAIN | Errno::EINTR) => drop(self.serving.load()),
                Err(error) => {
                    self.log(|| format!("cannot receive: {error}"));
                    std::thread::sleep(ERROR_PAUSE);
                }
            }
        }
    }

    /// Takes a batch and prepares the replies to it.
    fn receive(
        &mut self,
        packets: &mut [[u8; PACKET]],
        headers: &mut MultiHeaders<SockaddrStorage>,
        flags: MsgFlags,
    ) -> Result<(), Errno> {
        self.replies.clear();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| [IoSliceMut::new(&mut [])]);
        for (slice, packet) in slices.iter_mut().zip(packets) {
            *slice = [IoSliceMut::new(packet)];
        }
        let received = recvmmsg(self.socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
        let serving = self.serving.load();
        for message in received {
            let Some(to) = message.address.filter(|to| source_port(to) != 0) else {
                continue;
            };
            let Some(packet) = message.iovs().next() else {
                continue;
            };
            let buffer = &mut self.buffers[self.replies.len()];
            if respond(packet, Transport::Udp, serving, &mut self.rng, buffer) {
                let messages = self.is_wildcard.then(|| message.cmsgs().ok()).flatten();
                let from = messages.and_then(|mut messages| messages.find_map(Asked::from_control));
                self.replies.push(Reply { len: buffer.len(), to, from });
            }
        }
        Ok(())
    }

    /// Sends the replies: in one call, or one by one where each needs its own source address.
    fn send(&mut self, headers: &mut MultiHeaders<SockaddrStorage>) {
        let fd = self.socket.as_raw_fd();
        let mut next = 0;
        while next < self.replies.len() {
            let outcome = match self.replies[next].from {
                Some(from) => {
                    send_from(fd, &self.buffers[next][..self.replies[next].len], &self.replies[next].to, from)
                        .map(|()| 1)
                }
                None => {
                    let rest = &self.replies[next..];
                    let slices: Vec<[IoSlice<'_>; 1]> = rest
                        .iter()
                        .zip(&self.buffers[next..])
                        .map(|(reply, buffer)| [IoSlice::new(&buffer[..reply.len])])
                        .collect();
                    let addresses: Vec<Option<SockaddrStorage>> = rest.iter().map(|reply| Some(reply.to)).collect();
                    sendmmsg(fd, headers, &slices, &addresses, [], MsgFlags::empty()).map(Iterator::count)
                }
            };
            match outcome {
                Ok(sent) => next += sent.max(1),
                Err(Errno::EINTR) => {}
                Err(error) => {
                    // One destination that cannot be reached must not keep the others from their answers.
                    self.log(|| format!("cannot send: {error}"));
                    next += 1;
                }
            }
        }
    }

    /// Logs an error, seldom: whoever sends packets must not be able to fill the log.
    fn log(&mut self, message: impl FnOnce() -> String) {
        if self.log.is_due() {
            let address = self.socket.local_addr().map_or_else(|_| "UDP".to_owned(), |address| address.to_string());
            warn!("{address}: {}", message());
        }
    }
}

fn source_port(address: &SockaddrStorage) -> u16 {
    match address.as_sockaddr_in() {
        Some(v4) => v4.port(),
        None => address.as_sockaddr_in6().map_or(0, SockaddrIn6::port),
    }
}

impl Asked {
    fn from_control(message: ControlMessageOwned) -> Option<Self> {
        match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(Self::V4(info)),
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(Self::V6(info)),
            _ => None,
        }
    }
}

fn send_from(fd: i32, bytes: &[u8], to: &SockaddrStorage, from: Asked) -> Result<(), Errno> {
    let slices = [IoSlice::new(bytes)];
    let send = |control: ControlMessage<'_>| sendmsg(fd, &slices, &[control], MsgFlags::empty(), Some(to));
    match from {
        Asked::V4(mut info) => {
            // The address as it was asked; the route decides the interface.
            info.ipi_spec_dst = info.ipi_addr;
            info.ipi_ifindex = 0;
            send(ControlMessage::Ipv4PacketInfo(&info))
        }
        // Link-local addresses need their interface, and for the others it is the one the packet came by.
        Asked::V6(info) => send(ControlMessage::Ipv6PacketInfo(&info)),
    }
    .map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn ports_are_read_in_both_families() {
        let port = |address: &str| source_port(&address.parse::<SocketAddr>().unwrap().into());
        assert_eq!(port("127.0.0.1:53"), 53);
        assert_eq!(port("[::1]:54"), 54);
    }
}
