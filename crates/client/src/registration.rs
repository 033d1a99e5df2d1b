//! The time that a node needs until it knows a session that it has accepted.
//!
//! Sessions ask with [`Registration::ask`] what they need to know about a file or a batch right
//! after it was sent. Past that time, an unknown session is an error.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::{Backoff, POLL_DELAYS};
use crate::error::Error;

/// Nodes may need this time until they know a file that they have accepted.
const REGISTRATION: Duration = Duration::from_secs(2);

/// Until when a node may not know yet what it has accepted.
#[derive(Debug)]
pub(crate) struct Registration(Mutex<Instant>);

impl Registration {
    /// Of a session that has just started.
    pub(crate) fn started() -> Self {
        Self(Mutex::new(Instant::now() + REGISTRATION))
    }

    /// Of a session that started a while ago.
    pub(crate) fn complete() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Starts again: the node has just accepted something more.
    pub(crate) fn restart(&self) {
        *self.end() = Instant::now() + REGISTRATION;
    }

    /// Returns true if the node may not know the session yet.
    pub(crate) fn is_pending(&self) -> bool {
        Instant::now() < *self.end()
    }

    /// Sends a request, again while the node may not know the session yet.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, Error>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, Error> {
        let end = *self.end();
        let mut polls = Backoff::until(end, POLL_DELAYS);
        loop {
            match request().await {
                Err(Error::UnknownSession(_)) if polls.wait().await => {}
                outcome => return outcome,
            }
        }
    }

    /// A time stays valid after a panic, so lock poisoning is ignored.
    fn end(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::error::SessionRef;

    fn unknown() -> Error {
        Error::UnknownSession(SessionRef { node: ([10, 0, 0, 11], 8008).into(), id: None })
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_session_is_asked_for_again_only_after_its_start() {
        let asked = AtomicU32::new(0);
        let ask = || async {
            match asked.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Err(unknown()),
                _ => Ok(()),
            }
        };
        let registration = Registration::started();
        assert!(registration.ask(ask).await.is_ok() && registration.is_pending());
        assert_eq!(asked.swap(0, Ordering::Relaxed), 3);
        let registration = Registration::complete();
        assert!(registration.ask(ask).await.is_err() && !registration.is_pending());
        registration.restart();
        assert!(registration.ask(ask).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_stays_unknown_is_an_error() {
        let began = Instant::now();
        let outcome = Registration::started().ask(|| async { Err::<(), _>(unknown()) }).await;
        assert!(matches!(outcome, Err(Error::UnknownSession(_))));
        assert_eq!(began.elapsed(), REGISTRATION);
    }
}
