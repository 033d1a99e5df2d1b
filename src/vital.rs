//! Work without which the server would look fine and not be: when it panics, the process ends, for its supervisor to
//! start it again.
//!
//! A UDP worker that is gone leaves its share of the clients without answers; a probe that is gone freezes what is
//! known of an address.

use std::pin::pin;

/// Ends the process when it is dropped by a panic, which has been reported on standard error by then.
struct EndProcess;

impl Drop for EndProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// Runs vital work.
pub(crate) fn call<T>(work: impl FnOnce() -> T) -> T {
    let _guard = EndProcess;
    work()
}

/// Makes a future vital. Only its own panics count: it may be dropped while something else panics.
pub(crate) async fn task<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context| call(|| future.as_mut().poll(context))).await
}
