//! Nodes of all kinds that speak over TCP: a real server behind a gate, which lets probes through to it, or does to them
//! what networks and overloaded servers do.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{Backlog, listen, shutdown};

use super::behaviour::{Behaviour, Turning};
use crate::support::free_address;

/// Between two bytes of a slow node: no reply of more than two is in time.
const PAUSE: Duration = Duration::from_millis(400);

/// Where probes are let through to.
#[derive(Clone, Copy)]
pub(super) struct Servers {
    pub(super) well: SocketAddr,
    pub(super) wrong: SocketAddr,
}

/// Opens the gate of a node; gives its port.
pub(super) fn open(node: Arc<Turning>, servers: Servers) -> u16 {
    let address = free_address();
    let listener = TcpListener::bind(address).expect("free just now");
    std::thread::spawn(move || {
        // One after the other: the probes of a target do not overlap.
        while let Ok((stream, _)) = listener.accept() {
            // Whoever asks may hang up before; that is no failure of this side.
            let _ = answer(&stream, node.now(), servers);
            drop(stream);
            node.probed();
            match node.now() {
                Behaviour::Refuses => {
                    // The port stays taken, so that no other test gets it.
                    shutdown(listener.as_raw_fd(), nix::sys::socket::Shutdown::Both).expect("it listens");
                    break;
                }
                Behaviour::Blackholed => {
                    fill(&listener, address);
                    break;
                }
                _ => {}
            }
        }
        std::mem::forget(listener);
    });
    address.port()
}

/// Fills the queue of a listener: the kernel drops what does not fit into it.
fn fill(listener: &TcpListener, address: SocketAddr) {
    listen(listener, Backlog::new(0).expect("a short queue")).expect("it listens already");
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        std::mem::forget(stream);
    }
}

fn answer(stream: &TcpStream, behaviour: Behaviour, servers: Servers) -> std::io::Result<()> {
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

fn read_to_end(mut stream: &TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 512])? > 0 {}
    Ok(())
}

/// Passes everything on, both ways, with a pause before every byte of the reply.
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
