//! How nodes behave, and the moment at which they begin to.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What a probe meets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Behaviour {
    /// Answers as it should.
    Well,
    /// Nobody listens.
    Refuses,
    /// Packets get no reply.
    Blackholed,
    /// Accepts, and never says a word.
    HalfOpen,
    /// Says the right words, slower than the timeout.
    Slow,
    /// Says something else.
    Wrong,
    /// Hangs up without a word.
    HangsUp,
    /// Is well at every second probe.
    Flaps,
}

/// In the order of the documented columns.
pub(super) const BEHAVIOURS: [Behaviour; 8] = [
    Behaviour::Well,
    Behaviour::Refuses,
    Behaviour::Blackholed,
    Behaviour::HalfOpen,
    Behaviour::Slow,
    Behaviour::Wrong,
    Behaviour::HangsUp,
    Behaviour::Flaps,
];

/// A node that behaves one way until it is told to turn, and another way from the end of the next probe on: what takes
/// longest to be noticed.
pub(super) struct Turning {
    pub(super) begins_well: bool,
    pub(super) to: Behaviour,
    may_turn: AtomicBool,
    turned: OnceLock<Instant>,
    /// Probes that have ended since then.
    probes: AtomicU64,
}

impl Turning {
    pub(super) fn new(begins_well: bool, to: Behaviour) -> Self {
        Self { begins_well, to, may_turn: AtomicBool::new(false), turned: OnceLock::new(), probes: AtomicU64::new(0) }
    }

    /// Lets it turn.
    pub(super) fn allow(&self) {
        self.may_turn.store(true, Ordering::SeqCst);
    }

    /// When it turned, if it has.
    pub(super) fn turned(&self) -> Option<Instant> {
        self.turned.get().copied()
    }

    pub(super) fn probes(&self) -> u64 {
        self.probes.load(Ordering::SeqCst)
    }

    /// What the next probe is to meet.
    pub(super) fn now(&self) -> Behaviour {
        let one_of_two = |is_well| if is_well { Behaviour::Well } else { Behaviour::Wrong };
        match (self.turned(), self.to) {
            (None, _) => one_of_two(self.begins_well),
            (Some(_), Behaviour::Flaps) => one_of_two(self.begins_well == (self.probes() % 2 == 1)),
            (Some(_), to) => to,
        }
    }

    /// Counts a probe that has ended.
    pub(super) fn probed(&self) {
        if self.turned().is_some() {
            self.probes.fetch_add(1, Ordering::SeqCst);
        } else if self.may_turn.load(Ordering::SeqCst) {
            self.turned.get_or_init(Instant::now);
        }
    }
}

/// Makes a node that has no hand in its probes become what the next one is to meet, as often as their number grows; for
/// as long as somebody else holds the node.
pub(super) fn follow(
    node: &Arc<Turning>,
    probes: impl Fn() -> Option<u64> + Send + 'static,
    become_so: impl Fn(Behaviour) + Send + 'static,
) {
    become_so(node.now());
    let node = Arc::downgrade(node);
    std::thread::spawn(move || {
        let mut seen = probes();
        while let Some(node) = node.upgrade() {
            let count = probes();
            if count > seen {
                seen = count;
                let before = node.now();
                node.probed();
                if node.now() != before {
                    become_so(node.now());
                }
            }
            drop(node);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}
