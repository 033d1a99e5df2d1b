//! How a node behaves towards probes, and the moment at which its behaviour changes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The behaviour of a node towards one probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Behaviour {
    /// Responds as the monitor expects.
    Well,
    /// Refuses the connection.
    Refuses,
    /// Packets get no reply.
    Blackholed,
    /// Accepts the connection, and sends nothing.
    Silent,
    /// Responds as the monitor expects, but slower than the timeout.
    Slow,
    /// Responds in another way.
    Wrong,
    /// Closes the connection, and sends nothing.
    HangsUp,
    /// Responds as the monitor expects to every second probe.
    Flaps,
}

/// All behaviours, in the order of the documented columns.
pub(super) const BEHAVIOURS: [Behaviour; 8] = [
    Behaviour::Well,
    Behaviour::Refuses,
    Behaviour::Blackholed,
    Behaviour::Silent,
    Behaviour::Slow,
    Behaviour::Wrong,
    Behaviour::HangsUp,
    Behaviour::Flaps,
];

/// A node whose behaviour changes once, at the end of the first probe after `allow_change`. At this
/// moment, the server takes longest to notice the change.
pub(super) struct ChangingNode {
    /// Before the change, the node is `Well` if this is true, and `Wrong` if it is false.
    pub(super) begins_well: bool,
    /// The behaviour after the change.
    pub(super) to: Behaviour,
    may_change: AtomicBool,
    changed_at: OnceLock<Instant>,
    /// Number of probes since the change.
    probes: AtomicU64,
}

impl ChangingNode {
    pub(super) fn new(begins_well: bool, to: Behaviour) -> Self {
        Self {
            begins_well,
            to,
            may_change: AtomicBool::new(false),
            changed_at: OnceLock::new(),
            probes: AtomicU64::new(0),
        }
    }

    /// Allows the change.
    pub(super) fn allow_change(&self) {
        self.may_change.store(true, Ordering::SeqCst);
    }

    /// The moment of the change, once it has happened.
    pub(super) fn changed_at(&self) -> Option<Instant> {
        self.changed_at.get().copied()
    }

    /// Number of probes since the change.
    pub(super) fn probes(&self) -> u64 {
        self.probes.load(Ordering::SeqCst)
    }

    /// The behaviour towards the next probe.
    pub(super) fn current(&self) -> Behaviour {
        let well_or_wrong = |is_well| if is_well { Behaviour::Well } else { Behaviour::Wrong };
        match (self.changed_at(), self.to) {
            (None, _) => well_or_wrong(self.begins_well),
            (Some(_), Behaviour::Flaps) => well_or_wrong(self.begins_well == (self.probes() % 2 == 1)),
            (Some(_), to) => to,
        }
    }

    /// Counts a probe that has ended, and changes the behaviour if that is allowed.
    pub(super) fn end_probe(&self) {
        if self.changed_at().is_some() {
            self.probes.fetch_add(1, Ordering::SeqCst);
        } else if self.may_change.load(Ordering::SeqCst) {
            self.changed_at.get_or_init(Instant::now);
        }
    }
}

/// Applies the behaviours of a node that does not see its probes itself. A thread watches the
/// number of probes until the test drops the node.
pub(super) fn apply_behaviours(
    node: &Arc<ChangingNode>,
    probes: impl Fn() -> Option<u64> + Send + 'static,
    apply: impl Fn(Behaviour) + Send + 'static,
) {
    apply(node.current());
    let node = Arc::downgrade(node);
    std::thread::spawn(move || {
        let mut seen = probes();
        while let Some(node) = node.upgrade() {
            let count = probes();
            if count > seen {
                seen = count;
                let before = node.current();
                node.end_probe();
                if node.current() != before {
                    apply(node.current());
                }
            }
            drop(node);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}
