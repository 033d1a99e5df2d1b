//! Signals of the process, caught once and then waited for.
//!
//! The server waits for [`Signals`]. `scan` and `fake-core` wait for [`EndSignals`], because they
//! do not reload. A signal that arrives before the wait is not lost. Catching fails only if the
//! system refuses a signal handler.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGHUP, SIGTERM and SIGINT, caught from the moment this is created.
#[derive(Debug)]
pub struct Signals {
    /// SIGHUP.
    pub hangup: Signal,
    /// SIGTERM and SIGINT.
    pub end: EndSignals,
}

/// SIGTERM and SIGINT, caught from the moment this is created.
#[derive(Debug)]
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches SIGHUP, SIGTERM and SIGINT.
    ///
    /// # Errors
    /// The system refuses a signal handler.
    pub fn catch() -> io::Result<Self> {
        Ok(Self { hangup: signal(SignalKind::hangup())?, end: EndSignals::catch()? })
    }
}

impl EndSignals {
    /// Catches SIGTERM and SIGINT.
    ///
    /// # Errors
    /// The system refuses a signal handler.
    pub fn catch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for SIGTERM or SIGINT and returns its name.
    pub async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
