//! Nodes that are probed over TCP: a real server behind a gate. The gate passes probes on to the
//! server, or behaves like a broken network or an overloaded server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{Backlog, listen, shutdown};

use super::behaviour::{Behaviour, ChangingNode};
use crate::support::free_address;

/// Pause before each byte of a slow node. A reply of more than two bytes exceeds the timeout.
const PAUSE: Duration = Duration::from_millis(400);

/// The servers behind a gate: one that responds well, and one that responds in another way.
#[derive(Clone, Copy)]
pub(super) struct Servers {
    pub(super) well: SocketAddr,
    pub(super) wrong: SocketAddr,
}

/// Opens the gate of a node; returns its port.
pub(super) fn open(node: Arc<ChangingNode>, servers: Servers) -> u16 {
    let address = free_address();
    let listener = TcpListener::bind(address).expect("the address is free");
    std::thread::spawn(move || {
        // One connection at a time, because the probes of a target do not overlap.
        while let Ok((stream, _)) = listener.accept() {
            // The server can close the connection first; this is not an error of the gate.
            let _ = handle_probe(&stream, node.current(), servers);
            drop(stream);
            node.end_probe();
            match node.current() {
                Behaviour::Refuses => {
                    // The port stays bound, so that no other test gets it.
                    shutdown(listener.as_raw_fd(), nix::sys::socket::Shutdown::Both).expect("the socket listens");
                    break;
                }
                Behaviour::Blackholed => {
                    fill_accept_queue(&listener, address);
                    break;
                }
                _ => {}
            }
        }
        std::mem::forget(listener);
    });
    address.port()
}

/// Fills the accept queue of a listener. The kernel drops further connection requests.
fn fill_accept_queue(listener: &TcpListener, address: SocketAddr) {
    listen(listener, Backlog::new(0).expect("the length is valid")).expect("the socket listens");
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        std::mem::forget(stream);
    }
}

/// Behaves towards one probe.
fn handle_probe(stream: &TcpStream, behaviour: Behaviour, servers: Servers) -> std::io::Result<()> {
    match behaviour {
        Behaviour::Well => pass(stream, servers.well, Duration::ZERO),
        Behaviour::Wrong => pass(stream, servers.wrong, Duration::ZERO),
        Behaviour::Slow => pass(stream, servers.well, PAUSE),
        Behaviour::HangsUp => {
            stream.shutdown(Shutdown::Write)?;
            read_to_end(stream)
        }
        _ => read_to_end(stream),
    }
}

/// Reads until the other side closes the connection.
fn read_to_end(mut stream: &TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 512])? > 0 {}
    Ok(())
}

/// Passes all bytes on in both directions, with a pause before each byte of the reply.
fn pass(client: &TcpStream, to: SocketAddr, pause: Duration) -> std::io::Result<()> {
    let server = &TcpStream::connect(to)?;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = std::io::copy(&mut { client }, &mut { server });
            server.shutdown(Shutdown::Write)
        });
        let replied = if pause.is_zero() {
            std::io::copy(&mut { server }, &mut { client }).map(drop)
        } else {
            std::io::BufReader::new(server).bytes().try_for_each(|byte| {
                std::thread::sleep(pause);
                { client }.write_all(&[byte?])
            })
        };
        client.shutdown(Shutdown::Write).and(replied)
    })
}
