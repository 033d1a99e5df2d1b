//! Connections that those who answer on them can reset.

use std::hash::{Hash, Hasher};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection, for those who answer on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection(Arc<Reset>);

#[derive(Debug, Default)]
struct Reset {
    is_wanted: AtomicBool,
    reader: AtomicWaker,
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Connection {}

impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Connection {
    /// Resets it: whoever is at its other end learns no more.
    pub(crate) fn reset(&self) {
        self.0.is_wanted.store(true, Ordering::Release);
        self.0.reader.wake();
    }
}

/// A stream that can be reset by those who answer on it.
pub(crate) struct Resettable {
    pub(crate) stream: TcpStream,
    pub(crate) connection: Connection,
}

impl Resettable {
    /// The end of it, if it is wanted.
    fn end(&self) -> Option<io::Error> {
        self.connection.0.is_wanted.load(Ordering::Acquire).then(|| {
            // An option that cannot be set leaves an orderly end, which is one all the same.
            let _ = self.stream.set_zero_linger();
            io::ErrorKind::ConnectionReset.into()
        })
    }
}

impl AsyncRead for Resettable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.connection.0.reader.register(cx.waker());
        match self.end() {
            Some(end) => Poll::Ready(Err(end)),
            None => Pin::new(&mut self.stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.end() {
            Some(end) => Poll::Ready(Err(end)),
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
