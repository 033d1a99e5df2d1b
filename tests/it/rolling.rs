//! A rolling restart under load: drained, stopped, started, resumed, one node after the other, and nobody notices.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::nodes::Nodes;
use crate::support::operator::{config, done, start, status};
use crate::support::packet::v4;
use crate::support::program::required;
use crate::support::server::Server;
use crate::support::wait_until;

const NODES: u8 = 10;

/// TTL of the name.
const TTL: Duration = Duration::from_secs(1);

/// What clients hold, and what runs.
struct Cluster {
    began: Instant,
    /// By node: when the last answer that named it has expired, in milliseconds after the beginning. Counted from the
    /// question: when the answer came to be looked at says how busy the machine is.
    held_until: [AtomicU64; NODES as usize],
    stopped: [AtomicBool; NODES as usize],
    answers: AtomicU64,
    is_over: AtomicBool,
}

impl Cluster {
    fn millis(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Asks until it is over. No answer to a question that was asked after a node had stopped may name it.
    fn load(&self, ask: impl Fn() -> Vec<Ipv4Addr>) {
        while !self.is_over.load(Ordering::SeqCst) {
            let stopped = self.stopped.each_ref().map(|stopped| stopped.load(Ordering::SeqCst));
            let asked = self.millis();
            let answer = ask();
            assert!(!answer.is_empty());
            for address in answer {
                let node = usize::from(address.octets()[3] - 1);
                assert!(!stopped[node], "core-{} does not serve", node + 1);
                self.held_until[node].fetch_max(asked + TTL.as_millis() as u64, Ordering::SeqCst);
            }
            self.answers.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Ends the load also when the test fails.
struct Over<'c>(&'c Cluster);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

fn is_up(server: &Server, node: u8) -> bool {
    let status = status(server);
    status["pools"][0]["nodes"][usize::from(node)]["addresses"][0]["health"] == "up"
}

#[test]
fn ten_nodes_are_restarted_under_load_and_no_answer_names_one_that_does_not_serve() {
    required("dig", "bind9-dnsutils");
    let mut nodes = Nodes::start(NODES);
    let mut text = config(0).replace("[pools.core]\nnodes = [\n", "[pools.core]\nmonitors = [\"ready\"]\nnodes = [\n");
    text = text.replace("nodes = [\n", &format!("nodes = [\n{}", nodes.as_config()));
    text += &format!(
        "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\n",
        nodes.port
    );
    let server = start(&text);
    let cluster = Cluster {
        began: Instant::now(),
        held_until: Default::default(),
        stopped: Default::default(),
        answers: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let _over = Over(&cluster);
        scope.spawn(|| {
            let client = server.client();
            cluster.load(|| {
                std::thread::sleep(Duration::from_micros(500)); // room for the other tests
                v4(&client.ask("core.lb.example", 1))
            });
        });
        scope.spawn(|| {
            cluster.load(|| {
                let short = server.dig("core.lb.example A +short +tries=1");
                short.lines().map(|line| line.parse().unwrap_or_else(|_| panic!("no address: {short}"))).collect()
            });
        });
        for node in 0..NODES {
            let name = format!("core/core-{}", node + 1);
            let held = &cluster.held_until[usize::from(node)];
            wait_until("a client holds it", || held.load(Ordering::SeqCst) > cluster.millis());
            done(&server, &format!("drain {name} --why restart --wait"));
            assert!(cluster.millis() >= held.load(Ordering::SeqCst), "{name} is idle, and a client still holds it");
            nodes.kill(node);
            cluster.stopped[usize::from(node)].store(true, Ordering::SeqCst);
            wait_until("the monitor has noticed", || !is_up(&server, node));
            nodes.revive(node);
            cluster.stopped[usize::from(node)].store(false, Ordering::SeqCst);
            wait_until("it is up again", || is_up(&server, node));
            done(&server, &format!("resume {name}"));
        }
    });
    assert!(cluster.answers.load(Ordering::SeqCst) > 1000);
}
