//! TCP streams that can be reset from outside.
//!
//! `server` wraps every accepted stream; a handler resets the stream on which its request arrived.

use std::hash::{Hash, Hasher};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Identifies an open connection and resets it. Clones are equal; other connections are not.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionHandle(Arc<ResetRequest>);

/// Shared by a [`ResettableStream`] and its handles.
#[derive(Debug, Default)]
struct ResetRequest {
    is_requested: AtomicBool,
    /// The task that waits for data: a reset has to wake it.
    reader: AtomicWaker,
}

impl PartialEq for ConnectionHandle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ConnectionHandle {}

impl Hash for ConnectionHandle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl ConnectionHandle {
    /// Resets the connection: the client gets a TCP RST and no response.
    pub(crate) fn reset(&self) {
        self.0.is_requested.store(true, Ordering::Release);
        self.0.reader.wake();
    }
}

/// A stream that fails all reads and writes once its handle has requested a reset.
pub(crate) struct ResettableStream {
    stream: TcpStream,
    handle: ConnectionHandle,
}

impl ResettableStream {
    /// Wraps an accepted stream.
    pub(crate) fn new(stream: TcpStream, handle: ConnectionHandle) -> Self {
        Self { stream, handle }
    }

    /// Returns the error that ends the stream if a reset was requested.
    fn reset_error(&self) -> Option<io::Error> {
        self.handle.0.is_requested.load(Ordering::Acquire).then(|| {
            // Without this option the stream is closed by FIN. The client still
            // loses its connection, so the error is ignored.
            let _ = self.stream.set_zero_linger();
            io::ErrorKind::ConnectionReset.into()
        })
    }
}

impl AsyncRead for ResettableStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Registered before the flag is read: a reset in between wakes this task.
        self.handle.0.reader.register(cx.waker());
        match self.reset_error() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for ResettableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.reset_error() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
