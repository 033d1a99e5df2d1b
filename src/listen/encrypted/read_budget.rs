//! Ends connections that send much without a query.
//!
//! HTTP/2 has frames that cost work and need no query: PING, SETTINGS, PRIORITY, empty DATA, and
//! HEADERS that a RST_STREAM follows. All of them take bytes, so the bytes that a connection may
//! send between two responses are limited.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that a connection may send until the next response: enough for all queries that can be in
/// progress, of usual length, and for the handshake.
const BUDGET: usize = 128 * 1024;

/// The bytes that a connection may still send; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct ReadBudget(Arc<AtomicUsize>);

impl ReadBudget {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(BUDGET)))
    }

    /// Fills up the budget, after a response.
    pub(super) fn refill(&self) {
        self.0.store(BUDGET, Ordering::Relaxed);
    }

    /// Takes bytes that were read.
    fn take(&self, bytes: usize) {
        // Only the reader of the connection takes. If a refill comes in between, it can be lost;
        // the next response repeats it.
        self.0.store(self.left().saturating_sub(bytes), Ordering::Relaxed);
    }

    fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream whose reads fail once the budget is used up.
pub(super) struct Budgeted<S> {
    stream: S,
    budget: ReadBudget,
}

impl<S> Budgeted<S> {
    pub(super) fn new(stream: S, budget: ReadBudget) -> Self {
        Self { stream, budget }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Budgeted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.budget.left() == 0 {
            return Poll::Ready(Err(io::Error::other("too many bytes without a query")));
        }
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buf);
        self.budget.take(buf.filled().len() - before);
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Budgeted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn reads_fail_once_the_budget_is_used_up() {
        let budget = ReadBudget::new();
        let mut stream = Budgeted::new(tokio::io::repeat(7), budget.clone());
        let mut buf = vec![0; BUDGET];
        stream.read_exact(&mut buf).await.unwrap();
        assert!(stream.read_u8().await.is_err());
        budget.refill();
        assert_eq!(stream.read_u8().await.unwrap(), 7);
    }
}
