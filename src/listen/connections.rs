//! The open connections of one listener, and which one makes room for a new one.
//!
//! A listener adds each connection that it accepts. If the limit is reached, the new connection
//! replaces one that is open:
//!
//! 1. If one client has more than a quarter of the limit, one of the client that has the most
//!    connections. So one client cannot take the connections of others.
//! 2. If more than half of these have never had a response, one of them. So a flood of silent
//!    connections displaces itself, and not the connections that are in use.
//! 3. Among those that remain, the one that has been idle for the longest time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use super::last_response::LastResponse;

/// How long connections may take to end once the listener is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The network of a client: an IPv4 address, or an IPv6 network of 64 bits, in which one host can
/// have any number of addresses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct ClientNetwork(IpAddr);

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self(address),
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & !0 << 64).into()),
        }
    }
}

/// The connections of one listener. Their tasks are aborted when this is dropped.
pub(super) struct Connections {
    /// Connections that may be open at the same time.
    limit: NonZeroUsize,
    started: Instant,
    open: HashMap<Id, Open>,
    /// The number of open connections per client.
    clients: HashMap<ClientNetwork, usize>,
    tasks: JoinSet<()>,
    /// Connections accepted so far.
    accepted: u64,
}

/// An open connection.
struct Open {
    client: ClientNetwork,
    last_response: LastResponse,
    /// The position in the order of arrival, which decides between connections of the same time.
    arrival: u64,
    task: AbortHandle,
}

impl Connections {
    pub(super) fn new(limit: NonZeroUsize) -> Self {
        Self {
            limit,
            started: Instant::now(),
            open: HashMap::new(),
            clients: HashMap::new(),
            tasks: JoinSet::new(),
            accepted: 0,
        }
    }

    /// Returns true if a new connection replaces another one.
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= self.limit.get()
    }

    /// Serves a new connection in a task, if necessary in place of another one.
    pub(super) fn add<F>(&mut self, client: IpAddr, serve: impl FnOnce(LastResponse) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
        if self.is_full() {
            self.close_idlest();
        }
        let (client, last_response) = (ClientNetwork::from(client), LastResponse::new(self.started));
        let task = self.tasks.spawn(serve(last_response.clone()));
        self.accepted += 1;
        *self.clients.entry(client).or_default() += 1;
        self.open.insert(task.id(), Open { client, last_response, arrival: self.accepted, task });
    }

    /// Changes the limit, and closes connections until it holds.
    pub(super) async fn set_limit(&mut self, limit: NonZeroUsize) {
        self.limit = limit;
        self.close_down_to(limit.get()).await;
    }

    /// Closes connections until there is room for a new one. Meanwhile, the connections that were
    /// added last can read their queries.
    pub(super) async fn make_room(&mut self) {
        self.close_down_to(self.limit.get() - 1).await;
    }

    /// Closes connections until at most `count` are left, and waits until the descriptors of all
    /// others are released.
    async fn close_down_to(&mut self, count: usize) {
        while self.tasks.len() > count {
            if self.open.len() > count {
                self.close_idlest();
            }
            self.ended().await;
        }
    }

    /// Waits until a connection has ended. Returns `None` if there is none.
    pub(super) async fn ended(&mut self) -> Option<()> {
        let ended = self.tasks.join_next_with_id().await?;
        self.forget(ended);
        Some(())
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        self.remove(ended.map_or_else(|error| error.id(), |(id, ())| id));
    }

    fn remove(&mut self, id: Id) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(count) = self.clients.get_mut(&open.client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&open.client);
            }
        }
        Some(open)
    }

    /// Closes the connection that makes room for a new one.
    pub(super) fn close_idlest(&mut self) {
        let most = self.clients.iter().max_by_key(|(_, count)| **count);
        let greedy = most.filter(|(_, count)| **count > self.limit.get() / 4).map(|(client, _)| *client);
        let of_client = |open: &&Open| greedy.is_none_or(|greedy| greedy == open.client);
        let (mut all, mut unused) = (0, 0);
        for open in self.open.values().filter(of_client) {
            all += 1;
            unused += usize::from(open.last_response.is_none());
        }
        let only_unused = unused > all / 2;
        let candidates = self.open.iter().filter(|(_, open)| of_client(open));
        let candidates = candidates.filter(|(_, open)| !only_unused || open.last_response.is_none());
        let idlest = candidates.min_by_key(|(_, open)| (open.last_response.idle_since(), open.arrival));
        if let Some(open) = idlest.map(|(&id, _)| id).and_then(|id| self.remove(id)) {
            open.task.abort();
        }
    }

    /// Waits until all connections have ended. Connections whose clients do not take their
    /// responses in time are cut.
    pub(super) async fn end(mut self) {
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(STOP_GRACE, all_ended).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// Adds a connection that stays open, and returns its last response.
    fn add(connections: &mut Connections, client: &str) -> LastResponse {
        let mut last = None;
        connections.add(client.parse().unwrap(), |last_response| {
            last = Some(last_response);
            pending()
        });
        last.unwrap()
    }

    fn count(connections: &Connections, client: &str) -> usize {
        connections.clients.get(&ClientNetwork::from(client.parse::<IpAddr>().unwrap())).copied().unwrap_or(0)
    }

    #[tokio::test]
    async fn a_client_with_many_connections_makes_room_for_others() {
        let mut connections = Connections::new(NonZeroUsize::new(8).unwrap());
        let others = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
        others.iter().for_each(|client| add(&mut connections, client).set_now());
        for host in 1..100 {
            // One host with many addresses, whose connections are all in use.
            add(&mut connections, &format!("2001:db8::{host:x}")).set_now();
        }
        assert_eq!(connections.open.len(), 8);
        assert_eq!(count(&connections, "2001:db8::ffff"), 5);
        assert!(others.iter().all(|client| count(&connections, client) == 1));
        add(&mut connections, "192.0.2.4");
        assert_eq!((count(&connections, "2001:db8::ffff"), count(&connections, "192.0.2.4")), (4, 1));
    }

    #[tokio::test]
    async fn silent_connections_are_closed_first_if_they_are_the_majority() {
        let mut connections = Connections::new(NonZeroUsize::new(4).unwrap());
        add(&mut connections, "192.0.2.1").set_now();
        for _ in 0..20 {
            add(&mut connections, "192.0.2.1");
        }
        assert_eq!(connections.open.values().filter(|open| !open.last_response.is_none()).count(), 1);
    }
}
