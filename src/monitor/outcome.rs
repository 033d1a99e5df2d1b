//! What becomes of a probe: a result for the node, or a fault of this machine.

use std::io;

use evenkeel_core::health::{ProbeFailure, ProbeNotRun, ProbeResult, ProbeSuccess};
use nix::errno::Errno;

use crate::error_cause::innermost;

/// A result, or the reason why the probe did not run.
pub type ProbeOutcome = Result<ProbeResult, ProbeNotRun>;

/// Why a probe did not succeed.
#[derive(Debug)]
pub(super) enum Broken {
    /// The node failed it.
    Node(ProbeFailure),
    /// A fault of this machine, which says nothing of the node.
    Machine(String),
}

impl Broken {
    /// A connection that ended before the node said all that it was expected to say.
    pub(super) fn closed_early() -> Self {
        Self::Node(ProbeFailure::Connection("connection closed before message completed".to_owned()))
    }

    /// A TLS handshake that failed.
    pub(super) fn handshake(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Self::of_system(Errno::from_raw(code)),
            None => Self::Node(ProbeFailure::Connection(innermost(error).to_string())),
        }
    }

    /// An error of the system, in its words.
    fn of_system(errno: Errno) -> Self {
        let text = errno.desc().to_lowercase();
        match errno {
            // No file descriptor, memory or process is left, or the kernel does not allow it.
            Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOBUFS
            | Errno::ENOMEM
            | Errno::EACCES
            | Errno::EPERM
            | Errno::EAGAIN => Self::Machine(text),
            _ => Self::Node(ProbeFailure::Connection(text)),
        }
    }
}

impl From<ProbeFailure> for Broken {
    fn from(failure: ProbeFailure) -> Self {
        Self::Node(failure)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match (error.raw_os_error(), error.kind()) {
            (Some(code), _) => Self::of_system(Errno::from_raw(code)),
            // TLS without a closing message. Its own text names an address to read more at.
            (None, io::ErrorKind::UnexpectedEof) => Self::closed_early(),
            (None, _) => Self::Node(ProbeFailure::Connection(innermost(&error).to_string())),
        }
    }
}

/// Turns what a kind of probe returns into an outcome.
pub(super) fn outcome(attempt: Result<ProbeSuccess, Broken>) -> ProbeOutcome {
    match attempt {
        Ok(success) => Ok(Ok(success)),
        Err(Broken::Node(failure)) => Ok(Err(failure)),
        Err(Broken::Machine(why)) => Err(ProbeNotRun(why)),
    }
}
