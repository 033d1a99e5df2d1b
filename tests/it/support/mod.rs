//! Helpers of the integration tests: the built program, packets, and other programs.
//!
//! Reading order: `server` runs evenkeel and `commands` runs its commands. `packet` sends queries.
//! `nodes` runs fake Core nodes inside the test, `fake_core_process` runs one as users do,
//! `core_double` runs the independent double, `core_program` is either of them, `canned_node` is a
//! node with responses of the test, and `cluster` has clients for them. `program` finds and runs
//! other programs: `nginx`, `haproxy`, `c_icap`. `encrypted` has a server with TLS, HTTPS and QUIC,
//! and clients for it. `namespace` gives a test a network of its own.
//!
//! Helpers panic if a step fails, so that the test fails with that step.

pub(crate) mod c_icap;
pub(crate) mod canned_node;
pub(crate) mod certificates;
pub(crate) mod cluster;
pub(crate) mod commands;
pub(crate) mod core_double;
pub(crate) mod core_program;
pub(crate) mod encrypted;
pub(crate) mod fake_core_process;
pub(crate) mod haproxy;
pub(crate) mod namespace;
pub(crate) mod nginx;
pub(crate) mod nodes;
pub(crate) mod packet;
pub(crate) mod program;
pub(crate) mod repository;
pub(crate) mod server;
pub(crate) mod statistics;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for a condition. A passing test waits far less, even on a loaded machine.
pub(crate) const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < WAIT_LIMIT, "not true within {WAIT_LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for a client; returns its connection.
#[track_caller]
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("the listener can be changed");
    let mut accepted = None;
    wait_until("a client connects", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (stream, _) = accepted.expect("a client has connected");
    stream.set_read_timeout(Some(WAIT_LIMIT)).expect("the connection can be changed");
    stream
}

/// A loopback address that is free for UDP and TCP, for programs that cannot take port 0.
///
/// It is below the ports that the system assigns. Tests of one process get different addresses
/// until 2,000 are used. Another process can take an address before the program binds it.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + (std::process::id() % 10_000) as u16;
    loop {
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed) % 2000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// Runs `serve` for each connection to a loopback port, in a thread of its own; returns the port.
pub(crate) fn serve_connections(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}
