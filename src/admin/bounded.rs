//! Listeners with a bound on the number and the duration of connections.
//!
//! Without it, idle clients of the API could use up the file descriptors that DNS needs. A
//! connection that lasts too long fails with a timeout.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::timeouts::CONNECTION;

/// Connections of a listener at the same time. Further ones wait in the accept queue of the kernel.
pub const MAX_CONNECTIONS: usize = 64;

/// A listener with at most [`MAX_CONNECTIONS`] connections.
#[derive(Debug)]
pub(super) struct Bounded<L> {
    listener: L,
    permits: Arc<Semaphore>,
}

/// A connection that lasts at most [`CONNECTION`].
#[derive(Debug)]
pub(super) struct Connection<C> {
    stream: C,
    end: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl<L> Bounded<L> {
    /// Bounds a listener.
    pub(super) fn new(listener: L) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }
}

impl<L: Listener> Listener for Bounded<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let (stream, address) = self.listener.accept().await;
        (Connection { stream, end: Box::pin(sleep(CONNECTION)), _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Connection<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Connection<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_keeps_its_place_for_a_bounded_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let mut bounded = Bounded::new(UnixListener::bind(&path).unwrap());
        let mut clients = Vec::new();
        let mut served = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            clients.push(UnixStream::connect(&path).await.unwrap());
            served.push(bounded.accept().await.0);
        }
        clients.push(UnixStream::connect(&path).await.unwrap());
        assert!(timeout(Duration::from_secs(1), bounded.accept()).await.is_err(), "all places are taken");
        let began = Instant::now();
        let error = served[0].read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() <= CONNECTION);
        assert!(served[0].write_all(b"x").await.is_err());
        served.remove(0);
        assert!(timeout(Duration::from_secs(1), bounded.accept()).await.is_ok(), "its place is free");
    }
}
