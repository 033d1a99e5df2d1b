//! What is sent: a file, bytes, or anything that can be read and whose length is known.

use std::fmt;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};

use super::Error;

/// Bytes that are read and sent at a time.
const CHUNK: usize = 256 * 1024;

/// Something to be scanned. Core nodes want its length before its content, so every source knows it.
#[derive(Debug)]
pub struct Source {
    name: String,
    content: Content,
    sent: Arc<AtomicU64>,
}

enum Content {
    Path(PathBuf),
    Bytes(Bytes),
    Reader { len: u64, reader: Option<Box<dyn AsyncRead + Send + Sync + Unpin>> },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Reader { len, .. } => write!(f, "a reader of {len} bytes"),
        }
    }
}

impl Source {
    /// A file, read while it is sent.
    pub fn path(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { name, content: Content::Path(path), sent: Arc::default() }
    }

    /// Bytes under a name.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self { name: name.into(), content: Content::Bytes(bytes.into()), sent: Arc::default() }
    }

    /// Something that can be read once and has `len` bytes. It cannot be sent to a second node when the first one refuses
    /// it.
    pub fn reader(name: impl Into<String>, len: u64, reader: impl AsyncRead + Send + Sync + Unpin + 'static) -> Self {
        let content = Content::Reader { len, reader: Some(Box::new(reader)) };
        Self { name: name.into(), content, sent: Arc::default() }
    }

    /// What the node shows as its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of it that have been sent, while it is sent.
    pub fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    /// Whether it can be sent again.
    pub(super) fn is_repeatable(&self) -> bool {
        !matches!(&self.content, Content::Reader { reader: None, .. })
    }

    /// The body of a request and its length.
    pub(super) async fn body(&mut self) -> Result<(reqwest::Body, u64), Error> {
        let (buffer, sent) = (BytesMut::new(), self.sent());
        sent.store(0, Ordering::Relaxed);
        match &mut self.content {
            Content::Bytes(bytes) => {
                let (reader, left) = (Cursor::new(bytes.clone()), bytes.len() as u64);
                Ok((reqwest::Body::wrap(Sized { reader, left, buffer, sent }), left))
            }
            Content::Path(path) => {
                let failed = |error| Error::Source { path: path.clone(), error };
                let file = tokio::fs::File::open(&path).await.map_err(failed)?;
                let metadata = file.metadata().await.map_err(failed)?;
                if metadata.is_dir() {
                    return Err(failed(std::io::ErrorKind::IsADirectory.into()));
                }
                let left = metadata.len();
                Ok((reqwest::Body::wrap(Sized { reader: file, left, buffer, sent }), left))
            }
            Content::Reader { len, reader } => {
                let gone = || Error::Setup("a reader can be sent once only".to_owned());
                let reader = reader.take().ok_or_else(gone)?;
                Ok((reqwest::Body::wrap(Sized { reader, left: *len, buffer, sent }), *len))
            }
        }
    }
}

/// A body of a known length, never more than a chunk of which is in memory.
struct Sized<R> {
    reader: R,
    left: u64,
    buffer: BytesMut,
    sent: Arc<AtomicU64>,
}

impl<R: AsyncRead + Unpin> Body for Sized<R> {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Self { reader, left, buffer, sent } = self.get_mut();
        if *left == 0 {
            return Poll::Ready(None);
        }
        let room = usize::try_from(*left).unwrap_or(CHUNK).min(CHUNK);
        buffer.resize(room, 0);
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(reader).poll_read(cx, &mut read))?;
        let len = read.filled().len();
        if len == 0 {
            // Shorter than it was said to be: the node must not take it for whole.
            return Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())));
        }
        *left -= len as u64;
        sent.fetch_add(len as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(buffer.split_to(len).freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
