//! Ends the process if vital work panics, so that the service manager starts it again.
//!
//! Otherwise the server would continue and look healthy. If one UDP worker ends, its clients get no
//! responses. If the task of a target ends, the health of an address no longer changes.

use std::pin::pin;

/// Ends the process if it is dropped by a panic. The panic is on standard error by then.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// Runs vital work.
pub(crate) fn call<T>(work: impl FnOnce() -> T) -> T {
    let _guard = AbortOnPanic;
    work()
}

/// Runs a vital future. Only its own panics count: another panic may drop it.
pub(crate) async fn task<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context| call(|| future.as_mut().poll(context))).await
}
