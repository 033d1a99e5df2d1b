//! UDP: threads that take packets in batches, answer them in place, and send the answers in batches.
//!
//! Each worker has a socket of its own and shares nothing but the snapshot with the others; the kernel spreads
//! clients over the sockets. Two system calls serve a batch, or more where its answers must leave from several
//! addresses or are longer than the network takes, and usually nothing is allocated.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::Cache;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg, sendmsg};
use smallvec::SmallVec;
use tracing::warn;

use super::address_family::{Family, V4, V6};
use crate::log_throttle::LogThrottle;
use evenkeel_core::message::{is_truncated, truncate};
use evenkeel_core::respond::{Responder, Transport};
use evenkeel_core::snapshot::{CurrentSnapshot, Snapshot};

/// Packets taken by one system call: enough that the call is a small part of what each of them costs. To prepare for more
/// costs more at each call, also when there are only a few.
const BATCH: usize = 16;

/// Longest packet that is read: more than the 1,232 bytes that clients are told; what is cut off makes a FORMERR. It is
/// an odd number of cache lines, so that the beginnings of a batch's packets do not compete for the same few places in the
/// cache.
const PACKET: usize = 21 * 64;

/// Batches that are still answered once the worker is told to stop: 4,096 packets are more than a socket's buffer holds, so
/// that what had arrived by then is answered, but a flood does not keep the worker for ever.
const LAST_BATCHES: u32 = 4096 / BATCH as u32;

/// One batch in so many is timed: to look at the clock for each would cost more than to answer.
const TIMED: u32 = 64;

/// How long a worker waits when the system refuses to give it packets.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// A thread's state.
pub(super) struct Worker {
    socket: Arc<UdpSocket>,
    /// The socket's.
    address: SocketAddr,
    snapshot: Cache<CurrentSnapshot, Arc<Snapshot>>,
    stop: Arc<AtomicBool>,
    responder: Responder,
    /// Batches that were taken.
    batches: u32,
    /// Of all workers of the address.
    log: Arc<Mutex<LogThrottle>>,
}

/// The responses to a batch, in the order of their arrival.
struct Replies<F: Family> {
    to: Vec<Option<F::Client>>,
    /// The address that was asked, on a wildcard socket.
    from: Vec<Option<F::Asked>>,
    /// At least as many as there are replies.
    buffers: Vec<Vec<u8>>,
}

impl Worker {
    /// Takes a blocking socket with a read timeout, bound to this address. The worker ends soon after `stop` is set.
    pub(super) fn new(
        socket: Arc<UdpSocket>,
        address: SocketAddr,
        current: CurrentSnapshot,
        responder: Responder,
        stop: Arc<AtomicBool>,
        log: Arc<Mutex<LogThrottle>>,
    ) -> Self {
        Self { socket, address, snapshot: Cache::new(current), stop, responder, batches: 0, log }
    }

    /// Answers until told to stop, then what is still waiting in the socket.
    pub(super) fn run(self) {
        match self.address {
            SocketAddr::V4(_) => self.answer::<V4>(),
            SocketAddr::V6(_) => self.answer::<V6>(),
        }
    }

    /// The same for an address family.
    fn answer<F: Family>(mut self) {
        let mut packets = Box::new([[0_u8; PACKET]; BATCH]);
        let is_wildcard = self.is_wildcard();
        let room = || is_wildcard.then(F::room);
        let mut received = MultiHeaders::<F::Client>::preallocate(BATCH, room());
        let mut plain = MultiHeaders::<F::Client>::preallocate(BATCH, None);
        let mut sourced = MultiHeaders::<F::Client>::preallocate(BATCH, room());
        let mut replies = Replies::<F> {
            to: Vec::with_capacity(BATCH),
            from: Vec::with_capacity(BATCH),
            buffers: vec![Vec::new(); BATCH],
        };
        let mut last_batches = 0;
        while last_batches < LAST_BATCHES {
            let stopping = self.stop.load(Ordering::Relaxed);
            last_batches += u32::from(stopping);
            let flags = if stopping { MsgFlags::MSG_DONTWAIT } else { MsgFlags::MSG_WAITFORONE };
            match self.receive(&mut packets, &mut received, flags, &mut replies) {
                Ok(began) => {
                    self.send(&replies, &mut plain, &mut sourced);
                    if let Some(began) = began {
                        self.responder.counters().count_latency(began.elapsed(), replies.to.len());
                    }
                }
                // The read timeout, or, when stopping, nothing is left.
                Err(Errno::EAGAIN) if stopping => return,
                // An idle worker must not hold on to a snapshot that was replaced.
                Err(Errno::EAGAIN | Errno::EINTR) => drop(self.snapshot.load()),
                Err(error) => {
                    self.log(|| format!("cannot receive: {error}"));
                    std::thread::sleep(ERROR_PAUSE);
                }
            }
        }
    }

    /// Whether packets tell which address was asked.
    fn is_wildcard(&self) -> bool {
        self.address.ip().is_unspecified()
    }

    /// Takes a batch and prepares the replies to it; gives the moment at which it had come, for batches that are timed.
    fn receive<F: Family>(
        &mut self,
        packets: &mut [[u8; PACKET]; BATCH],
        headers: &mut MultiHeaders<F::Client>,
        flags: MsgFlags,
        replies: &mut Replies<F>,
    ) -> Result<Option<Instant>, Errno> {
        replies.to.clear();
        replies.from.clear();
        let mut slices = packets.each_mut().map(|packet| [IoSliceMut::new(packet)]);
        let received = recvmmsg(self.socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
        self.batches = self.batches.wrapping_add(1);
        let began = self.batches.is_multiple_of(TIMED).then(Instant::now);
        let is_wildcard = self.is_wildcard();
        let snapshot = self.snapshot.load();
        for message in received {
            let Some(client) = message.address.filter(|client| F::port(client) != 0) else {
                self.responder.counters().count_ignored();
                continue;
            };
            let packet = message.iovs().next().unwrap_or_default();
            let out = &mut replies.buffers[replies.to.len()];
            if self.responder.respond(packet, Transport::Udp, snapshot, out) {
                replies.to.push(Some(client));
                let messages = is_wildcard.then(|| message.cmsgs().ok()).flatten();
                replies.from.push(messages.and_then(|mut messages| messages.find_map(F::asked)));
            }
        }
        Ok(began)
    }

    /// Sends the replies, those that leave from the same address by one call.
    fn send<F: Family>(
        &self,
        replies: &Replies<F>,
        plain: &mut MultiHeaders<F::Client>,
        sourced: &mut MultiHeaders<F::Client>,
    ) {
        let fd = self.socket.as_raw_fd();
        let slices: SmallVec<[[IoSlice<'_>; 1]; BATCH]> =
            replies.buffers[..replies.to.len()].iter().map(|reply| [IoSlice::new(reply)]).collect();
        let mut next = 0;
        while next < slices.len() {
            let (first, flags) = (replies.from[next], MsgFlags::empty());
            let is_same = |from: &&Option<F::Asked>| match (first, from) {
                (Some(first), Some(from)) => F::is_same(&first, from),
                (first, from) => first.is_none() && from.is_none(),
            };
            let together = next..next + replies.from[next..].iter().take_while(is_same).count();
            let (slices, to) = (&slices[together.clone()], &replies.to[together]);
            let outcome = match &first {
                Some(from) => sendmmsg(fd, sourced, slices, to, [F::source(from)], flags),
                None => sendmmsg(fd, plain, slices, to, [], flags),
            };
            match outcome.map(Iterator::count) {
                Ok(sent) => next += sent.max(1),
                Err(Errno::EINTR) => {}
                Err(error) => {
                    if let Some(to) = &replies.to[next] {
                        if error == Errno::EMSGSIZE {
                            self.send_truncated::<F>(&replies.buffers[next], to, first.as_ref());
                        } else {
                            self.log(|| format!("cannot send to {to}: {error}"));
                        }
                    }
                    // One destination that cannot be reached must not keep the others from their answers.
                    next += 1;
                }
            }
        }
    }

    /// Sends a reply without its records, with TC set, because the interface towards the client takes no packet as long as
    /// the whole (RFC 9715 R4).
    fn send_truncated<F: Family>(&self, reply: &[u8], to: &F::Client, from: Option<&F::Asked>) {
        let Some(short) = truncate(reply) else {
            return self.log(|| format!("cannot send {} bytes to {to}: too long for the network", reply.len()));
        };
        if !is_truncated(reply) {
            self.responder.counters().count_truncated();
        }
        let (fd, source) = (self.socket.as_raw_fd(), from.map(F::source));
        let slices = [IoSlice::new(&short)];
        while let Err(error) = sendmsg(fd, &slices, source.as_slice(), MsgFlags::empty(), Some(to)) {
            if error != Errno::EINTR {
                return self.log(|| format!("cannot send a truncated response to {to}: {error}"));
            }
        }
    }

    /// Logs an error, seldom: whoever sends packets must not be able to fill the log.
    fn log(&self, message: impl FnOnce() -> String) {
        let is_due = self.log.lock().unwrap_or_else(PoisonError::into_inner).is_due();
        if is_due {
            warn!("{}: {}", self.address, message());
        }
    }
}
