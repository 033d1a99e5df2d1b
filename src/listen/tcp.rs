//! The TCP listener (RFC 7766): accepts connections and bounds them.
//!
//! [`super::endpoint`] runs [`serve`] as a task. A connection may be silent, or take time over one
//! message or one response, for at most the idle timeout. If the limit of connections is reached, a
//! new connection replaces the idlest one, so that silent connections cannot keep clients out.
//! Errors of `accept` are logged, and accepting goes on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::stream_responder::StreamResponder;
use super::tcp_connection::{Connection, LastResponse};
use crate::config::TcpLimits;
use crate::log_throttle::LogThrottle;
use evenkeel_core::snapshot::CurrentSnapshot;

/// Pause after an error of `accept`. Most errors go away by themselves: no memory, no file
/// descriptors.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// How long connections may take to end once the listener is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Accepts and answers until `stop`. Then answers the queries that have arrived, and returns.
pub(super) async fn serve(
    listener: TcpListener,
    current: CurrentSnapshot,
    responder: StreamResponder,
    limits: TcpLimits,
    stop: CancellationToken,
) {
    let mut log = LogThrottle::default();
    let mut connections = Connections {
        current,
        responder,
        limits,
        started: Instant::now(),
        open: HashMap::new(),
        tasks: JoinSet::new(),
        accepted: 0,
    };
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connections.add(stream, &stop),
                Err(error) => {
                    if log.is_due() {
                        warn!("{}: cannot accept a connection: {error}", name_of(&listener));
                    }
                    if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                        connections.close_idlest();
                    }
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            },
            Some(ended) = connections.tasks.join_next_with_id() => connections.forget(ended),
            () = stop.cancelled() => break,
        }
    }
    // Clients that connected before the stop get their responses, too.
    while let Ok(Ok((stream, _))) = timeout(Duration::ZERO, listener.accept()).await {
        connections.spawn(stream, &stop);
    }
    // From now on, new connections go to another listener on the same address, if there is one.
    drop(listener);
    connections.end().await;
}

fn name_of(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|_| "TCP".to_owned(), |address| address.to_string())
}

/// The connections of one listener.
struct Connections {
    current: CurrentSnapshot,
    responder: StreamResponder,
    limits: TcpLimits,
    started: Instant,
    open: HashMap<Id, Open>,
    tasks: JoinSet<()>,
    /// Connections accepted so far.
    accepted: u64,
}

/// An open connection.
struct Open {
    last_response: LastResponse,
    /// Microseconds from the start of the listener.
    accepted_at: u64,
    /// The position in the order of arrival.
    arrival: u64,
    task: AbortHandle,
}

impl Connections {
    /// Serves a new connection, if necessary in place of the idlest one.
    fn add(&mut self, stream: TcpStream, stop: &CancellationToken) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
        if self.open.len() >= self.limits.connections.get() {
            self.close_idlest();
        }
        self.accepted += 1;
        let accepted_at = self.started.elapsed().as_micros() as u64;
        let (task, last_response) = self.spawn(stream, stop);
        let open = Open { last_response, accepted_at, arrival: self.accepted, task };
        self.open.insert(open.task.id(), open);
    }

    fn spawn(&mut self, stream: TcpStream, stop: &CancellationToken) -> (AbortHandle, LastResponse) {
        let last_response = LastResponse::new(self.started);
        let connection = Connection::new(
            stream,
            Arc::clone(&self.current),
            self.responder.clone(),
            self.limits.idle_timeout,
            last_response.clone(),
        );
        (self.tasks.spawn(connection.run(stop.clone())), last_response)
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.open.remove(&id);
    }

    /// Closes the connection that has been idle for the longest time.
    ///
    /// If more than half of the limit have never had a response, it is one of these. So a flood of
    /// silent connections displaces itself, and not the connections that are in use.
    fn close_idlest(&mut self) {
        let unused = self.open.values().filter(|open| open.is_unused()).count();
        let only_unused = unused > self.limits.connections.get() / 2;
        let candidates = self.open.iter().filter(|(_, open)| !only_unused || open.is_unused());
        let idlest = candidates.min_by_key(|(_, open)| open.idle_since()).map(|(&id, _)| id);
        if let Some(open) = idlest.and_then(|id| self.open.remove(&id)) {
            open.task.abort();
        }
    }

    /// Waits until all connections have ended. Connections whose clients do not take their
    /// responses in time are cut.
    async fn end(mut self) {
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(STOP_GRACE, all_ended).await;
    }
}

impl Open {
    fn is_unused(&self) -> bool {
        self.last_response.micros().is_none()
    }

    /// The order of arrival decides between connections of the same microsecond.
    fn idle_since(&self) -> (u64, u64) {
        (self.accepted_at.max(self.last_response.micros().unwrap_or(0)), self.arrival)
    }
}
