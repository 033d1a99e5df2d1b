//! The request body of a [`Source`](crate::Source): its length is known, and at most one chunk of
//! it is in memory.
//!
//! reqwest polls it while it sends a request. A read error ends the request. The error is also kept
//! in [`BodyState`], because reqwest reports it like a lost connection.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};

use crate::file_chunks::{CHUNK, FileChunks};

/// Content that is read while it is sent.
pub(crate) type Reader = Box<dyn AsyncRead + Send + Sync + Unpin>;

/// A reader that can be read once: the first body that reads takes it out.
#[derive(Clone)]
pub(crate) struct OneTimeReader(Arc<Mutex<Option<Reader>>>);

impl OneTimeReader {
    pub(crate) fn new(reader: Reader) -> Self {
        Self(Arc::new(Mutex::new(Some(reader))))
    }

    /// Returns true while nothing has been read.
    pub(crate) fn is_unread(&self) -> bool {
        lock(&self.0).is_some()
    }

    fn take(&self) -> io::Result<Reader> {
        lock(&self.0).take().ok_or_else(|| io::Error::other("the reader has been read before"))
    }
}

/// Progress and failure of the latest body, shared with its source.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyState {
    bytes_sent: Arc<AtomicU64>,
    read_error: Arc<Mutex<Option<io::Error>>>,
}

impl BodyState {
    /// The number of bytes sent, which changes while the body is sent.
    pub(crate) fn bytes_sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_sent)
    }

    /// Starts a new body.
    pub(crate) fn reset(&self) {
        self.bytes_sent.store(0, Ordering::Relaxed);
        *lock(&self.read_error) = None;
    }

    /// Takes the error that ended the latest body, if there was one.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        lock(&self.read_error).take()
    }
}

/// Locks a plain value; it stays valid after a panic, so lock poisoning is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a body reads from.
pub(crate) enum Content {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file.
    File(FileChunks),
    /// A reader of this body alone.
    Open(Reader),
    /// A reader that is taken with the first read.
    OneTime(OneTimeReader),
}

impl Content {
    /// The next chunk, of at most `remaining` bytes; it is empty at the end.
    fn poll_chunk(&mut self, cx: &mut Context<'_>, remaining: u64) -> Poll<io::Result<Bytes>> {
        let room = usize::try_from(remaining).unwrap_or(CHUNK).min(CHUNK);
        loop {
            match self {
                Self::Bytes(bytes) => return Poll::Ready(Ok(bytes.split_to(room.min(bytes.len())))),
                Self::File(file) => return file.poll_chunk(cx, remaining),
                Self::Open(reader) => {
                    let mut buffer = BytesMut::zeroed(room);
                    let mut read = ReadBuf::new(&mut buffer);
                    ready!(Pin::new(reader).poll_read(cx, &mut read))?;
                    let len = read.filled().len();
                    return Poll::Ready(Ok(buffer.split_to(len).freeze()));
                }
                Self::OneTime(reader) => *self = Self::Open(reader.take()?),
            }
        }
    }
}

type Yield = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A request body of exactly the announced length.
pub(crate) struct SizedBody {
    content: Content,
    remaining: u64,
    /// The runtime polls its sockets before every chunk but the first. The connection thus reads a
    /// refusal that has arrived before it writes more to a node that has stopped reading.
    pause: Option<Yield>,
    state: BodyState,
}

impl SizedBody {
    /// A body that reads `len` bytes of `content`.
    pub(crate) fn new(content: Content, len: u64, state: BodyState) -> Self {
        Self { content, remaining: len, pause: None, state }
    }

    /// Reads the next chunk.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let chunk = ready!(self.content.poll_chunk(cx, self.remaining))?;
        let len = chunk.len();
        if len == 0 {
            // An error aborts the request, so the node does not take the part for the whole.
            let reason = format!("it ended {} bytes early", self.remaining);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason)));
        }
        self.pause = Some(Box::pin(tokio::task::yield_now()));
        self.remaining -= len as u64;
        self.state.bytes_sent.fetch_add(len as u64, Ordering::Relaxed);
        Poll::Ready(Ok(chunk))
    }
}

impl Body for SizedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let body = self.get_mut();
        if body.remaining == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(ready!(body.poll_chunk(cx)).map(Frame::data).map_err(|error| {
            let kind = error.kind();
            *lock(&body.state.read_error) = Some(error);
            kind.into()
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
