//! Signals that arrive while a reload waits for probes.

use crate::signals::Signals;

/// A signal that interrupts a reload.
#[derive(Clone, Copy, Debug)]
pub(super) enum Interrupt {
    /// SIGHUP: there is a newer configuration.
    Reload,
    /// SIGTERM or SIGINT, by name.
    End(&'static str),
}

/// Waits for the next signal.
pub(super) async fn interrupt(signals: &mut Signals) -> Interrupt {
    tokio::select! {
        _ = signals.hangup.recv() => Interrupt::Reload,
        name = signals.end.recv() => Interrupt::End(name),
    }
}
