//! UDP workers: threads that receive queries in batches, answer them in place, and send the
//! responses in batches.
//!
//! [`super::endpoint`] runs [`Worker::run`] in a thread per worker. Each worker has its own socket
//! and shares only the snapshot with the others; the kernel spreads clients over the sockets.
//!
//! A batch usually takes two system calls and no allocation. It takes more calls if its responses
//! leave from several addresses, or if one is too long for the network. Errors of the system are
//! logged, and the worker goes on.
//!
//! Sending never waits: responses to hosts that do not exist can fill the send buffer for seconds.
//! A response that cannot be sent is dropped and counted.

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

use super::address_family::{AddressFamily, V4, V6};
use super::receive_buffer::ReceiveBuffer;
use crate::clock;
use crate::log_throttle::LogThrottle;
use evenkeel_core::message::{is_truncated, truncate};
use evenkeel_core::respond::{Client, Responder, Sender, Transport};
use evenkeel_core::snapshot::{CurrentSnapshot, Snapshot};

/// Packets per system call, at most. With 16, the call is a small part of the cost of a query. A
/// larger batch costs more to prepare at every call, even if only a few packets are waiting.
const BATCH_SIZE: usize = 16;

/// Bytes that are read of a packet: more than the 1,232 bytes that responses advertise. A query
/// that is longer gets FORMERR. The size is an odd number of cache lines, so that the first bytes
/// of the packets of a batch lie in different cache sets.
const PACKET_SIZE: usize = 21 * 64;

/// Batches that are still answered once the worker is told to stop. A socket buffer holds fewer
/// than these 4,096 packets, so all that had arrived by then is answered. The bound keeps a flood
/// from delaying the stop.
const LAST_BATCHES: u32 = 4096 / BATCH_SIZE as u32;

/// The latency of one batch in 64 is measured: reading the clock for each would cost more than
/// answering it.
const BATCHES_PER_MEASUREMENT: u32 = 64;

/// Pause after an error of receiving.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// The state of a worker thread.
pub(super) struct Worker {
    socket: Arc<UdpSocket>,
    /// The address of the socket.
    address: SocketAddr,
    snapshot: Cache<CurrentSnapshot, Arc<Snapshot>>,
    stop: Arc<AtomicBool>,
    responder: Responder,
    /// Batches received so far.
    batches: u32,
    receive_buffer: ReceiveBuffer,
    /// Shared by all workers of the address.
    log: Arc<Mutex<LogThrottle>>,
}

/// The responses to a batch, in the order in which the queries arrived.
struct Responses<F: AddressFamily> {
    clients: Vec<Option<F::Client>>,
    /// Where the responses leave from. None if the socket is bound to one address.
    sources: Vec<Option<F::PacketInfo>>,
    /// At least one per response; reused by the next batch.
    buffers: Vec<Vec<u8>>,
}

impl Worker {
    /// Takes a blocking socket with a read timeout, bound to `address`. The worker ends soon after
    /// `stop` is set.
    pub(super) fn new(
        socket: Arc<UdpSocket>,
        address: SocketAddr,
        current: CurrentSnapshot,
        responder: Responder,
        stop: Arc<AtomicBool>,
        log: Arc<Mutex<LogThrottle>>,
    ) -> Self {
        let (snapshot, receive_buffer) = (Cache::new(current), ReceiveBuffer::new());
        Self { socket, address, snapshot, stop, responder, batches: 0, receive_buffer, log }
    }

    /// Answers until `stop` is set, then answers what still waits in the socket.
    pub(super) fn run(self) {
        match self.address {
            SocketAddr::V4(_) => self.serve::<V4>(),
            SocketAddr::V6(_) => self.serve::<V6>(),
        }
    }

    fn serve<F: AddressFamily>(mut self) {
        let mut packets = Box::new([[0_u8; PACKET_SIZE]; BATCH_SIZE]);
        let is_wildcard = self.is_wildcard();
        let control_buffer = || is_wildcard.then(F::control_buffer);
        let mut received = MultiHeaders::<F::Client>::preallocate(BATCH_SIZE, control_buffer());
        let mut plain = MultiHeaders::<F::Client>::preallocate(BATCH_SIZE, None);
        let mut sourced = MultiHeaders::<F::Client>::preallocate(BATCH_SIZE, control_buffer());
        let mut responses = Responses::<F> {
            clients: Vec::with_capacity(BATCH_SIZE),
            sources: Vec::with_capacity(BATCH_SIZE),
            buffers: vec![Vec::new(); BATCH_SIZE],
        };
        let mut last_batches = 0;
        while last_batches < LAST_BATCHES {
            let stopping = self.stop.load(Ordering::Relaxed);
            last_batches += u32::from(stopping);
            let flags = if stopping { MsgFlags::MSG_DONTWAIT } else { MsgFlags::MSG_WAITFORONE };
            match self.receive(&mut packets, &mut received, flags, &mut responses) {
                Ok(measured_from) => {
                    self.send(&responses, &mut plain, &mut sourced);
                    if let Some(start) = measured_from {
                        self.responder.counters().count_latency(start.elapsed(), responses.clients.len());
                    }
                }
                // Nothing is left in the socket.
                Err(Errno::EAGAIN) if stopping => return,
                // The read timeout. An idle worker must not hold a snapshot that was replaced.
                Err(Errno::EAGAIN | Errno::EINTR) => {
                    let _ = self.snapshot.load();
                    self.receive_buffer.when_idle(&self.socket);
                }
                Err(error) => {
                    self.log(|| format!("cannot receive: {error}"));
                    std::thread::sleep(ERROR_PAUSE);
                }
            }
        }
    }

    /// Returns true if queries can come to several addresses of this machine.
    fn is_wildcard(&self) -> bool {
        self.address.ip().is_unspecified()
    }

    /// Receives a batch and prepares the responses. Returns the time of its arrival if the latency
    /// of this batch is measured.
    fn receive<F: AddressFamily>(
        &mut self,
        packets: &mut [[u8; PACKET_SIZE]; BATCH_SIZE],
        headers: &mut MultiHeaders<F::Client>,
        flags: MsgFlags,
        responses: &mut Responses<F>,
    ) -> Result<Option<Instant>, Errno> {
        responses.clients.clear();
        responses.sources.clear();
        let mut slices = packets.each_mut().map(|packet| [IoSliceMut::new(packet)]);
        let received = recvmmsg(self.socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
        self.batches = self.batches.wrapping_add(1);
        let measured_from = self.batches.is_multiple_of(BATCHES_PER_MEASUREMENT).then(Instant::now);
        let is_wildcard = self.is_wildcard();
        let snapshot = self.snapshot.load();
        let mut packets_received = 0;
        // Only cookies and the rate limit need the time.
        let now = snapshot.config.clients.needs_clients().then(clock::now);
        for message in received {
            packets_received += 1;
            let Some(client) = message.address.filter(|client| F::port(client) != 0) else {
                self.responder.counters().count_ignored();
                continue;
            };
            let packet = message.iovs().next().unwrap_or_default();
            let out = &mut responses.buffers[responses.clients.len()];
            let known = now.map(|now| Client { address: F::ip(&client), now });
            let sender = Sender { transport: Transport::Udp, client: known };
            if self.responder.respond(packet, sender, snapshot, out) {
                responses.clients.push(Some(client));
                let control_messages = is_wildcard.then(|| message.cmsgs().ok()).flatten();
                responses.sources.push(control_messages.and_then(|mut messages| messages.find_map(F::packet_info)));
            }
        }
        self.receive_buffer.after_batch(&self.socket, packets_received, packets_received == BATCH_SIZE);
        Ok(measured_from)
    }

    /// Sends the responses. Consecutive responses from the same local address take one system call.
    fn send<F: AddressFamily>(
        &self,
        responses: &Responses<F>,
        plain: &mut MultiHeaders<F::Client>,
        sourced: &mut MultiHeaders<F::Client>,
    ) {
        let fd = self.socket.as_raw_fd();
        let slices: SmallVec<[[IoSlice<'_>; 1]; BATCH_SIZE]> =
            responses.buffers[..responses.clients.len()].iter().map(|response| [IoSlice::new(response)]).collect();
        let mut next = 0;
        while next < slices.len() {
            let (source, flags) = (responses.sources[next], MsgFlags::MSG_DONTWAIT);
            let same_source = responses.sources[next..].iter().take_while(|other| is_same_source::<F>(&source, other));
            let batch = next..next + same_source.count();
            let (slices, clients) = (&slices[batch.clone()], &responses.clients[batch]);
            let outcome = match &source {
                Some(source) => sendmmsg(fd, sourced, slices, clients, [F::control_message(source)], flags),
                None => sendmmsg(fd, plain, slices, clients, [], flags),
            };
            match outcome.map(Iterator::count) {
                Ok(sent) => next += sent.max(1),
                Err(Errno::EINTR) => {}
                // None of the others can be sent, either.
                Err(Errno::EAGAIN) => return self.drop_unsent(responses.clients.len() - next),
                Err(error) => {
                    if let Some(client) = &responses.clients[next] {
                        self.cannot_send::<F>(error, &responses.buffers[next], client, source.as_ref());
                    }
                    // A client that cannot be reached must not keep the others from their
                    // responses.
                    next += 1;
                }
            }
        }
    }

    /// Counts responses for which the send buffer has no room.
    fn drop_unsent(&self, responses: usize) {
        self.responder.counters().count_unsent(responses);
        self.log(|| {
            "the send buffer is full, so responses are lost; responses to hosts that do not exist can fill it"
                .to_owned()
        });
    }

    /// Sends a response again without its records if it was too long. Any other error is counted
    /// and logged.
    fn cannot_send<F: AddressFamily>(
        &self,
        error: Errno,
        response: &[u8],
        client: &F::Client,
        source: Option<&F::PacketInfo>,
    ) {
        if error == Errno::EMSGSIZE {
            return self.send_truncated::<F>(response, client, source);
        }
        self.responder.counters().count_unsent(1);
        self.log(|| format!("cannot send to {client}: {error}"));
    }

    /// Sends a response without its records and with TC set, because the whole is too long for the
    /// interface (RFC 9715 R4).
    fn send_truncated<F: AddressFamily>(&self, response: &[u8], client: &F::Client, source: Option<&F::PacketInfo>) {
        let counters = self.responder.counters();
        let Some(short) = truncate(response) else {
            counters.count_unsent(1);
            let len = response.len();
            return self.log(|| format!("cannot send {len} bytes to {client}: too long for the network"));
        };
        if !is_truncated(response) {
            counters.count_truncated();
        }
        let (fd, control_message) = (self.socket.as_raw_fd(), source.map(F::control_message));
        let slices = [IoSlice::new(&short)];
        while let Err(error) = sendmsg(fd, &slices, control_message.as_slice(), MsgFlags::MSG_DONTWAIT, Some(client)) {
            if error == Errno::EAGAIN {
                return self.drop_unsent(1);
            }
            if error != Errno::EINTR {
                counters.count_unsent(1);
                return self.log(|| format!("cannot send a truncated response to {client}: {error}"));
            }
        }
    }

    /// Logs an error, throttled: clients must not be able to fill the log.
    fn log(&self, message: impl FnOnce() -> String) {
        let is_due = self.log.lock().unwrap_or_else(PoisonError::into_inner).is_due();
        if is_due {
            warn!("{}: {}", self.address, message());
        }
    }
}

fn is_same_source<F: AddressFamily>(one: &Option<F::PacketInfo>, other: &Option<F::PacketInfo>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => F::is_same_source(one, other),
        (None, None) => true,
        _ => false,
    }
}
