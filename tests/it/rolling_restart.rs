//! A rolling restart under load: nodes are drained, stopped, started and resumed, one after the
//! other. No client gets the address of a stopped node.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::commands::{config_with_nodes, run, status};
use crate::support::nodes::Nodes;
use crate::support::packet::ipv4_addresses;
use crate::support::program::required;
use crate::support::server::Server;
use crate::support::wait_until;

const NODES: u8 = 10;

/// TTL of the shared name.
const TTL: Duration = Duration::from_secs(1);

/// What clients and the operator know about the nodes.
struct State {
    began: Instant,
    /// Per node: the time at which the last answer that contains it expires, in milliseconds since
    /// `began`.
    /// The TTL counts from the query, because a busy client can read the response late.
    held_until: [AtomicU64; NODES as usize],
    stopped: [AtomicBool; NODES as usize],
    /// Number of answers.
    answers: AtomicU64,
    is_over: AtomicBool,
}

impl State {
    /// Milliseconds since `began`.
    fn millis(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Sends queries until `is_over`. An answer must not have a node that was stopped before the
    /// query.
    fn load(&self, ask: impl Fn() -> Vec<Ipv4Addr>) {
        while !self.is_over.load(Ordering::SeqCst) {
            let stopped = self.stopped.each_ref().map(|stopped| stopped.load(Ordering::SeqCst));
            let queried = self.millis();
            let answer = ask();
            assert!(!answer.is_empty());
            for address in answer {
                let node = usize::from(address.octets()[3] - 1);
                assert!(!stopped[node], "core-{} is stopped", node + 1);
                self.held_until[node].fetch_max(queried + TTL.as_millis() as u64, Ordering::SeqCst);
            }
            self.answers.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Ends the load when it is dropped, even if the test fails.
struct EndOfLoad<'c>(&'c State);

impl Drop for EndOfLoad<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

/// Returns true if the status says that a node is up.
fn is_up(server: &Server, node: u8) -> bool {
    let status = status(server);
    status["pools"][0]["nodes"][usize::from(node)]["addresses"][0]["health"] == "up"
}

#[test]
fn no_answer_has_a_stopped_node_during_a_rolling_restart() {
    required("dig", "bind9-dnsutils");
    let mut nodes = Nodes::start(NODES);
    let mut text =
        config_with_nodes(0).replace("[pools.core]\nnodes = [\n", "[pools.core]\nmonitors = [\"ready\"]\nnodes = [\n");
    text = text.replace("nodes = [\n", &format!("nodes = [\n{}", nodes.as_config()));
    text += &format!(
        "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\n",
        nodes.port
    );
    let server = Server::start(&text);
    let state = State {
        began: Instant::now(),
        held_until: Default::default(),
        stopped: Default::default(),
        answers: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let _over = EndOfLoad(&state);
        scope.spawn(|| {
            let client = server.client();
            state.load(|| {
                // Limits the load, so that other tests can run.
                std::thread::sleep(Duration::from_micros(500));
                ipv4_addresses(&client.ask("core.lb.example", 1))
            });
        });
        scope.spawn(|| {
            state.load(|| {
                let short = server.dig("core.lb.example A +short +tries=1");
                short.lines().map(|line| line.parse().unwrap_or_else(|_| panic!("not an address: {short}"))).collect()
            });
        });
        for node in 0..NODES {
            let name = format!("core/core-{}", node + 1);
            let held = &state.held_until[usize::from(node)];
            wait_until("a client has an answer with the node", || held.load(Ordering::SeqCst) > state.millis());
            run(&server, &format!("drain {name} --why restart --wait"));
            assert!(
                state.millis() >= held.load(Ordering::SeqCst),
                "{name} is idle, but a client still has a valid answer with it"
            );
            nodes.stop(node);
            state.stopped[usize::from(node)].store(true, Ordering::SeqCst);
            wait_until("the node is down", || !is_up(&server, node));
            nodes.restart(node);
            state.stopped[usize::from(node)].store(false, Ordering::SeqCst);
            wait_until("the node is up again", || is_up(&server, node));
            run(&server, &format!("resume {name}"));
        }
    });
    assert!(state.answers.load(Ordering::SeqCst) > 1000);
}
