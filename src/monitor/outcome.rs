//! The outcome of a probe: separates failures of the node from faults of this machine.
//!
//! The kinds return [`ProbeError`]; [`super::Probe`] turns it into a [`ProbeOutcome`].

use std::io;

use evenkeel_core::health::{ProbeFailure, ProbeNotRun, ProbeResult, ProbeSuccess};
use nix::errno::Errno;

use crate::error_cause::innermost;

/// A result, or the reason why the probe did not run.
pub type ProbeOutcome = Result<ProbeResult, ProbeNotRun>;

/// Why a probe did not succeed.
#[derive(Debug)]
pub(super) enum ProbeError {
    /// The node failed the probe.
    Failed(ProbeFailure),
    /// A fault of this machine. It says nothing about the node.
    NotRun(ProbeNotRun),
}

impl ProbeError {
    /// The connection ended before the reply was complete.
    pub(super) fn closed_early() -> Self {
        Self::Failed(ProbeFailure::Connection("connection closed before message completed".to_owned()))
    }

    /// The TLS handshake failed.
    pub(super) fn handshake(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Self::of_system(Errno::from_raw(code)),
            None => Self::Failed(ProbeFailure::Connection(innermost(error).to_string())),
        }
    }

    /// An error of the system, with the text of the system.
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
            | Errno::EAGAIN => Self::NotRun(ProbeNotRun(text)),
            _ => Self::Failed(ProbeFailure::Connection(text)),
        }
    }
}

impl From<ProbeFailure> for ProbeError {
    fn from(failure: ProbeFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for ProbeError {
    fn from(error: io::Error) -> Self {
        match (error.raw_os_error(), error.kind()) {
            (Some(code), _) => Self::of_system(Errno::from_raw(code)),
            // TLS that ended without close_notify. The text of rustls has a link, which is not for
            // `evenkeel status`.
            (None, io::ErrorKind::UnexpectedEof) => Self::closed_early(),
            (None, _) => Self::Failed(ProbeFailure::Connection(innermost(&error).to_string())),
        }
    }
}

/// The outcome of an attempt.
pub(super) fn outcome(attempt: Result<ProbeSuccess, ProbeError>) -> ProbeOutcome {
    match attempt {
        Ok(success) => Ok(Ok(success)),
        Err(ProbeError::Failed(failure)) => Ok(Err(failure)),
        Err(ProbeError::NotRun(why)) => Err(why),
    }
}
