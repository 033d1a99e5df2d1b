//! TCP (RFC 7766): pipelined queries, answered in their order.
//!
//! A connection may be silent, or take its time over one message or one response, no longer than the idle timeout.
//! When as many are open as may be, a new one takes the place of the one whose last query is longest ago, so that
//! silent connections cannot keep clients out. Those that never had a query answered go first, the oldest of them.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::respond::{Transport, respond};
use crate::config::TcpLimits;
use crate::serving::Current;

/// How long nothing is accepted after an error: most go away by themselves (no memory, no file descriptors).
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Responses are gathered up to this size before they are sent, in bytes.
const SEND_SIZE: usize = 16 * 1024;

/// When a connection last had a query answered, in microseconds since its listener began; 0 before the first.
type LastQuery = Arc<AtomicU64>;

/// The connections of one listener.
struct Connections {
    open: HashMap<Id, Open>,
    tasks: JoinSet<()>,
    /// Connections accepted so far.
    accepted: u64,
}

/// One of them.
struct Open {
    last_query: LastQuery,
    /// Its place in the order of arrival.
    arrival: u64,
    handle: AbortHandle,
}

impl Connections {
    fn forget_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.open.remove(&id);
    }

    fn close_idlest(&mut self) {
        let idleness = |open: &Open| (open.last_query.load(Ordering::Relaxed), open.arrival);
        let idlest = self.open.iter().min_by_key(|(_, open)| idleness(open)).map(|(&id, _)| id);
        if let Some(open) = idlest.and_then(|id| self.open.remove(&id)) {
            open.handle.abort();
        }
    }
}

/// Accepts and answers until `stop`; then answers what has arrived, and returns.
pub(super) async fn serve(listener: TcpListener, current: Current, limits: TcpLimits, stop: CancellationToken) {
    let began = Instant::now();
    let connection = |stream| {
        let last_query = LastQuery::default();
        let connection = Connection {
            stream,
            current: Arc::clone(&current),
            idle_timeout: limits.idle_timeout,
            began,
            last_query: Arc::clone(&last_query),
            received: Vec::new(),
            rng: fastrand::Rng::new(),
        };
        (connection, last_query)
    };
    let mut connections = Connections { open: HashMap::new(), tasks: JoinSet::new(), accepted: 0 };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = connections.tasks.join_next_with_id() => {
                connections.forget(ended);
                continue;
            }
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.forget_ended();
                if connections.open.len() >= limits.connections.get() {
                    connections.close_idlest();
                }
                connections.accepted += 1;
                let (connection, last_query) = connection(stream);
                let handle = connections.tasks.spawn(connection.run(stop.clone()));
                connections.open.insert(handle.id(), Open { last_query, arrival: connections.accepted, handle });
            }
            Err(error) => {
                let address = listener.local_addr().map_or_else(|_| "TCP".to_owned(), |address| address.to_string());
                warn!("{address}: cannot accept a connection: {error}");
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
    // Clients that have connected before the end get their answer, too.
    while let Ok(Ok((stream, _))) = timeout(Duration::ZERO, listener.accept()).await {
        connections.tasks.spawn(connection(stream).0.run(stop.clone()));
    }
    while connections.tasks.join_next().await.is_some() {}
}

struct Connection {
    stream: TcpStream,
    current: Current,
    idle_timeout: Duration,
    began: Instant,
    last_query: LastQuery,
    /// Bytes that make no whole message yet.
    received: Vec<u8>,
    rng: fastrand::Rng,
}

impl Connection {
    async fn run(mut self, stop: CancellationToken) {
        // However it ends, the client sees that it has ended; there is nobody else to tell.
        let _ = self.converse(&stop).await;
    }

    async fn converse(&mut self, stop: &CancellationToken) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut deadline = Instant::now() + self.idle_timeout;
        loop {
            let received = tokio::select! {
                biased;
                received = timeout_at(deadline, self.stream.read_buf(&mut self.received)) => received??,
                () = stop.cancelled() => return self.answer_received().await.map(drop),
            };
            let answered = self.answer_received().await?;
            if received == 0 {
                // The client has sent all; it may still be reading (RFC 7766 §6.2.1).
                return self.stream.shutdown().await;
            }
            if answered {
                deadline = Instant::now() + self.idle_timeout;
                self.last_query.store(self.began.elapsed().as_micros() as u64, Ordering::Relaxed);
            }
        }
    }

    /// Answers the whole messages among the received bytes; says whether there were any.
    async fn answer_received(&mut self) -> io::Result<bool> {
        let mut out = Vec::new();
        let mut response = Vec::new();
        let mut taken = 0;
        while let Some((len, rest)) = self.received[taken..].split_first_chunk::<2>() {
            let Some(message) = rest.get(..usize::from(u16::from_be_bytes(*len))) else {
                break;
            };
            taken += 2 + message.len();
            let serving = self.current.load();
            if respond(message, Transport::Stream, &serving, &mut self.rng, &mut response) {
                out.extend((response.len() as u16).to_be_bytes());
                out.extend(&response);
            }
            drop(serving);
            if out.len() >= SEND_SIZE {
                self.send(&mut out).await?;
            }
        }
        self.received.drain(..taken);
        self.send(&mut out).await?;
        Ok(taken > 0)
    }

    async fn send(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        timeout(self.idle_timeout, self.stream.write_all(out)).await??;
        out.clear();
        Ok(())
    }
}
