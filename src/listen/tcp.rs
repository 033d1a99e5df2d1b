//! TCP (RFC 7766): pipelined queries, answered in their order.
//!
//! A connection may be silent, or take its time over one message or one response, no longer than the idle timeout.
//! When as many are open as may be, a new one takes the place of the one that was last accepted or answered longest ago, so that
//! silent connections cannot keep clients out.

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

use super::shared_responder::SharedResponder;
use crate::config::TcpLimits;
use crate::log_throttle::LogThrottle;
use evenkeel_core::snapshot::CurrentSnapshot;

/// How long nothing is accepted after an error: most go away by themselves (no memory, no file descriptors).
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// How long connections may take to end once the listener is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// How long a connection without a query is kept then.
const FIRST_QUERY: Duration = Duration::from_millis(200);

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
    /// Microseconds since its listener began.
    accepted: u64,
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

    /// Makes room for a new connection: the idlest goes. When more than half of `limit` never had a query answered, it is
    /// the idlest of these, so that a flood of silent connections displaces itself and not those that are in use.
    fn close_idlest(&mut self, limit: usize) {
        let unused = self.open.values().filter(|open| open.is_unused()).count();
        let candidates = self.open.iter().filter(|(_, open)| unused <= limit / 2 || open.is_unused());
        let idlest = candidates.min_by_key(|(_, open)| open.idle_since()).map(|(&id, _)| id);
        if let Some(open) = idlest.and_then(|id| self.open.remove(&id)) {
            open.handle.abort();
        }
    }
}

impl Open {
    fn is_unused(&self) -> bool {
        self.last_query.load(Ordering::Relaxed) == 0
    }

    /// The order of arrival decides between connections of the same microsecond.
    fn idle_since(&self) -> (u64, u64) {
        (self.accepted.max(self.last_query.load(Ordering::Relaxed)), self.arrival)
    }
}

/// Accepts and answers until `stop`; then answers what has arrived, and returns.
pub(super) async fn serve(
    listener: TcpListener,
    current: CurrentSnapshot,
    responder: SharedResponder,
    limits: TcpLimits,
    stop: CancellationToken,
) {
    let mut log = LogThrottle::default();
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
            responder: responder.clone(),
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
                    connections.close_idlest(limits.connections.get());
                }
                connections.accepted += 1;
                let (connection, last_query) = connection(stream);
                let accepted = began.elapsed().as_micros() as u64;
                let handle = connections.tasks.spawn(connection.run(stop.clone()));
                connections
                    .open
                    .insert(handle.id(), Open { last_query, accepted, arrival: connections.accepted, handle });
            }
            Err(error) => {
                if log.is_due() {
                    let address =
                        listener.local_addr().map_or_else(|_| "TCP".to_owned(), |address| address.to_string());
                    warn!("{address}: cannot accept a connection: {error}");
                }
                if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                    connections.close_idlest(limits.connections.get());
                }
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
    // Clients that have connected before the end get their answer, too.
    while let Ok(Ok((stream, _))) = timeout(Duration::ZERO, listener.accept()).await {
        connections.tasks.spawn(connection(stream).0.run(stop.clone()));
    }
    // Another listener of the same address gets the clients from now on.
    drop(listener);
    // Whoever does not take its answers by then is cut off.
    let ended = async { while connections.tasks.join_next().await.is_some() {} };
    let _ = timeout(STOP_GRACE, ended).await;
}

struct Connection {
    stream: TcpStream,
    current: CurrentSnapshot,
    idle_timeout: Duration,
    began: Instant,
    last_query: LastQuery,
    /// Bytes that make no whole message yet.
    received: Vec<u8>,
    responder: SharedResponder,
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
                () = stop.cancelled() => return self.answer_last(deadline).await,
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

    /// Answers what has arrived by the end. A client that has just connected may not have got round to asking yet.
    async fn answer_last(&mut self, deadline: Instant) -> io::Result<()> {
        if !self.answer_received().await? && self.last_query.load(Ordering::Relaxed) == 0 {
            let deadline = deadline.min(Instant::now() + FIRST_QUERY);
            timeout_at(deadline, self.stream.read_buf(&mut self.received)).await??;
            self.answer_received().await?;
        }
        self.stream.shutdown().await
    }

    /// Answers the whole messages among the received bytes; says whether any had an answer.
    async fn answer_received(&mut self) -> io::Result<bool> {
        let mut out = Vec::new();
        let mut response = Vec::new();
        let mut taken = 0;
        let mut answered = false;
        while let Some((len, rest)) = self.received[taken..].split_first_chunk::<2>() {
            let Some(message) = rest.get(..usize::from(u16::from_be_bytes(*len))) else {
                break;
            };
            taken += 2 + message.len();
            let snapshot = self.current.load();
            if self.responder.respond(message, &snapshot, &mut response) {
                out.extend((response.len() as u16).to_be_bytes());
                out.extend(&response);
                answered = true;
            }
            drop(snapshot);
            if out.len() >= SEND_SIZE {
                self.send(&mut out).await?;
            }
        }
        self.received.drain(..taken);
        self.send(&mut out).await?;
        Ok(answered)
    }

    async fn send(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        timeout(self.idle_timeout, self.stream.write_all(out)).await??;
        out.clear();
        Ok(())
    }
}
