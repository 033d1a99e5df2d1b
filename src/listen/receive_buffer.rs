//! The length of the queue in front of a UDP worker.
//!
//! A long receive buffer keeps a burst until the worker has answered it. But under a flood it is
//! always full, and every query that is answered at all has waited in the whole of it. So the
//! buffer is long until the worker is overloaded, then as long as the worker needs for
//! [`LONGEST_WAIT`], and long again once the worker keeps up.
//!
//! [`super::udp`] calls [`ReceiveBuffer::after_batch`] for each batch, which only counts. Once per
//! window of [`WINDOW`] batches, it may read the clock and the drops of the socket. If the system
//! does not tell the drops, the buffer stays long.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use nix::sys::socket::getsockopt;
use socket2::SockRef;

use super::socket_options::{DROPS, SocketMemory};

/// Receive buffer of a UDP socket that is not overloaded, in bytes. The kernel doubles it for its
/// own needs, and gives less if `net.core.rmem_max` is lower.
pub(super) const LONG: usize = 1 << 20;

/// Shortest receive buffer, in bytes: about 80 small packets.
const SHORTEST: usize = 32 << 10;

/// How long a query may wait in the buffer while the worker is overloaded.
const LONGEST_WAIT: Duration = Duration::from_millis(2);

/// Batches per window.
const WINDOW: u32 = 64;

/// Windows in a row with drops and without a pause that make the worker overloaded. With one, the
/// drops could be from before the window.
const OVERLOADED_WINDOWS: u32 = 2;

/// Half of the memory that the kernel counts for a small packet, in bytes, because the kernel
/// doubles the size of the buffer.
const PACKET: u64 = 384;

/// The receive buffer of a worker's socket.
#[derive(Debug)]
pub(super) struct ReceiveBuffer {
    is_short: bool,
    /// Of the present window.
    batches: u32,
    /// Of the present window: batches that filled the space of the worker, so that more packets may
    /// have waited.
    full_batches: u32,
    /// Of the present window.
    packets: u64,
    window_start: Instant,
    /// Windows in a row with drops and without a pause.
    overloaded: u32,
    /// Packets that the socket had dropped when this was last read.
    drops: u32,
}

impl ReceiveBuffer {
    /// A buffer of [`LONG`] bytes.
    pub(super) fn new() -> Self {
        let window_start = Instant::now();
        Self { is_short: false, batches: 0, full_batches: 0, packets: 0, window_start, overloaded: 0, drops: 0 }
    }

    /// Takes note of a batch of `packets`. `is_full`: it had no room for more.
    pub(super) fn after_batch(&mut self, socket: &UdpSocket, packets: usize, is_full: bool) {
        self.batches += 1;
        self.packets += packets as u64;
        self.full_batches += u32::from(is_full);
        if self.batches == WINDOW {
            self.end_window(socket);
        }
    }

    /// Takes note that no packet has come for a while.
    pub(super) fn when_idle(&mut self, socket: &UdpSocket) {
        self.overloaded = 0;
        self.lengthen(socket);
    }

    fn end_window(&mut self, socket: &UdpSocket) {
        let (all_full, mostly_full) = (self.full_batches == WINDOW, self.full_batches * 2 > WINDOW);
        if all_full && self.has_dropped(socket) {
            self.overloaded += 1;
            if self.overloaded >= OVERLOADED_WINDOWS && !self.is_short {
                self.shorten(socket);
            }
        } else {
            self.overloaded = 0;
        }
        if !mostly_full {
            self.lengthen(socket);
        }
        if all_full {
            self.window_start = Instant::now();
        }
        (self.batches, self.full_batches, self.packets) = (0, 0, 0);
    }

    /// Returns true if the socket has dropped packets since the last call.
    fn has_dropped(&mut self, socket: &UdpSocket) -> bool {
        let drops = getsockopt(socket, SocketMemory).map_or(self.drops, |memory| memory[DROPS]);
        std::mem::replace(&mut self.drops, drops) != drops
    }

    /// Makes the buffer as long as the worker needed for [`LONGEST_WAIT`] in this window. The window
    /// before was overloaded too, so `window_start` is the start of this one.
    fn shorten(&mut self, socket: &UdpSocket) {
        let size = short_size(self.packets, self.window_start.elapsed());
        // If this fails, the buffer stays as it is.
        self.is_short = SockRef::from(socket).set_recv_buffer_size(size).is_ok();
    }

    fn lengthen(&mut self, socket: &UdpSocket) {
        if self.is_short {
            self.is_short = SockRef::from(socket).set_recv_buffer_size(LONG).is_err();
        }
    }
}

/// The size of a buffer that holds what a worker answers within [`LONGEST_WAIT`], if it has
/// answered `packets` in `time`.
fn short_size(packets: u64, time: Duration) -> usize {
    let per_wait = u128::from(packets * PACKET) * LONGEST_WAIT.as_nanos() / time.as_nanos().max(1);
    usize::try_from(per_wait).unwrap_or(LONG).clamp(SHORTEST, LONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 16;

    /// A socket with the smallest buffer, and a client of it.
    fn sockets() -> (UdpSocket, UdpSocket) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        SockRef::from(&socket).set_recv_buffer_size(1).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();
        (socket, client)
    }

    fn size(socket: &UdpSocket) -> usize {
        SockRef::from(socket).recv_buffer_size().unwrap()
    }

    fn window(buffer: &mut ReceiveBuffer, socket: &UdpSocket, full_batches: u32) {
        for batch in 0..WINDOW {
            buffer.after_batch(socket, BATCH, batch < full_batches);
        }
    }

    #[test]
    fn a_short_buffer_holds_what_is_answered_in_the_longest_wait() {
        assert_eq!(short_size(1024, Duration::from_millis(8)), 256 * 384);
        assert_eq!(short_size(1024, Duration::from_secs(8)), SHORTEST);
        assert_eq!(short_size(1024, Duration::ZERO), LONG);
    }

    #[test]
    fn the_buffer_is_short_while_the_socket_drops_packets_and_batches_are_full() {
        let (socket, client) = sockets();
        let overflow = || (0..100).for_each(|_| assert_eq!(client.send(&[0; 512]).unwrap(), 512));
        let mut buffer = ReceiveBuffer::new();
        overflow();
        window(&mut buffer, &socket, WINDOW);
        assert!(!buffer.is_short, "the drops may be from before the window");
        window(&mut buffer, &socket, WINDOW);
        assert!(!buffer.is_short, "no packets were dropped in this window");
        for _ in 0..2 {
            overflow();
            window(&mut buffer, &socket, WINDOW);
        }
        assert!(buffer.is_short && size(&socket) >= SHORTEST);
        window(&mut buffer, &socket, WINDOW / 2 + 1);
        assert!(buffer.is_short, "most batches were full");
        window(&mut buffer, &socket, WINDOW / 2);
        assert!(!buffer.is_short && size(&socket) > 2 * SHORTEST);
        for _ in 0..2 {
            overflow();
            window(&mut buffer, &socket, WINDOW - 1);
        }
        assert!(!buffer.is_short, "the worker kept up for a moment");
        for _ in 0..2 {
            overflow();
            window(&mut buffer, &socket, WINDOW);
        }
        buffer.when_idle(&socket);
        assert!(!buffer.is_short);
    }
}
