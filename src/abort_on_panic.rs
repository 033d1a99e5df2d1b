//! Ends the process if a panic hits work that the server cannot do without, so that its supervisor restarts it.
//!
//! Without this, the server would look well: a missing UDP worker leaves its share of the clients without
//! answers, and a missing probe freezes the health of an address.

use std::pin::pin;

/// Ends the process if a panic drops it. The panic was reported on standard error before.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// Runs work that must not panic.
pub(crate) fn call<T>(work: impl FnOnce() -> T) -> T {
    let _guard = AbortOnPanic;
    work()
}

/// Runs a future that must not panic. Only its own panics count: it may be dropped during another panic.
pub(crate) async fn task<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context| call(|| future.as_mut().poll(context))).await
}
