//! What is sent: a file, bytes, or anything that can be read and whose length is known.

use std::fmt;
use std::fs::Metadata;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncSeekExt, ReadBuf};

use super::Error;

/// Bytes that are read and sent at a time.
const CHUNK: usize = 256 * 1024;

/// Something to be scanned. Core nodes want its length before its content, so every source knows it.
#[derive(Debug)]
pub struct Source {
    name: String,
    content: Content,
    /// Length in bytes of the last body that was made of it, and what has been sent of that.
    len: u64,
    sent: Arc<AtomicU64>,
    /// Why reading it broke off, which whoever sends it cannot tell from a node that is gone.
    failure: Arc<Mutex<Option<io::Error>>>,
}

type Reader = Box<dyn AsyncRead + Send + Sync + Unpin>;

enum Content {
    Path(PathBuf),
    File(Arc<std::fs::File>),
    Bytes(Bytes),
    /// There until something of it is read.
    Reader {
        len: u64,
        reader: Arc<Mutex<Option<Reader>>>,
    },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::File(file) => file.fmt(f),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Reader { len, .. } => write!(f, "a reader of {len} bytes"),
        }
    }
}

impl Source {
    fn new(name: String, content: Content) -> Self {
        Self { name, content, len: 0, sent: Arc::default(), failure: Arc::default() }
    }

    /// A file, read while it is sent.
    pub fn path(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self::new(name, Content::Path(path))
    }

    /// An open file, from its beginning, under a name: this one, whatever is at its path by then.
    pub fn file(name: impl Into<String>, file: std::fs::File) -> Self {
        Self::new(name.into(), Content::File(Arc::new(file)))
    }

    /// Bytes under a name.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::new(name.into(), Content::Bytes(bytes.into()))
    }

    /// Something that can be read once and has `len` bytes. Once something of it has been read, it cannot be sent to a
    /// second node.
    pub fn reader(name: impl Into<String>, len: u64, reader: impl AsyncRead + Send + Sync + Unpin + 'static) -> Self {
        let reader: Reader = Box::new(reader);
        Self::new(name.into(), Content::Reader { len, reader: Arc::new(Mutex::new(Some(reader))) })
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
        match &self.content {
            Content::Path(_) | Content::File(_) | Content::Bytes(_) => true,
            Content::Reader { reader, .. } => locked(reader).is_some(),
        }
    }

    /// Whether its last byte has been sent, so that the node may have begun with it.
    pub(super) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed) == self.len
    }

    /// The error of reading it, if that is why the last request broke off.
    pub(super) fn take_failure(&self) -> Option<Error> {
        locked(&self.failure).take().map(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> Error {
        let name = match &self.content {
            Content::Path(path) => path.display().to_string(),
            _ => self.name.clone(),
        };
        Error::Source { name, error }
    }

    /// The body of a request and its length.
    pub(super) async fn body(&mut self) -> Result<(reqwest::Body, u64), Error> {
        self.sent.store(0, Ordering::Relaxed);
        *locked(&self.failure) = None;
        let (len, content) = match &self.content {
            Content::Bytes(bytes) => (bytes.len() as u64, Reading::Begun(Box::new(Cursor::new(bytes.clone())))),
            Content::Path(path) => {
                let (file, len) = open(path).await.map_err(|error| self.failed(error))?;
                (len, Reading::Begun(Box::new(file)))
            }
            Content::File(file) => {
                let (file, len) = again(file).await.map_err(|error| self.failed(error))?;
                (len, Reading::Begun(Box::new(file)))
            }
            Content::Reader { len, reader } => (*len, Reading::Once(Arc::clone(reader))),
        };
        self.len = len;
        let (sent, failure) = (self.sent(), Arc::clone(&self.failure));
        Ok((
            reqwest::Body::wrap(Sized { content, left: len, buffer: BytesMut::new(), pause: None, sent, failure }),
            len,
        ))
    }
}

/// Opens a file; gives its length in bytes.
async fn open(path: &Path) -> io::Result<(tokio::fs::File, u64)> {
    // Before it is opened: that of a pipe waits for a writer.
    len_of(&tokio::fs::metadata(path).await?)?;
    let file = tokio::fs::File::open(path).await?;
    let len = len_of(&file.metadata().await?)?;
    Ok((file, len))
}

/// An open file from its beginning, and its length in bytes.
async fn again(file: &std::fs::File) -> io::Result<(tokio::fs::File, u64)> {
    let mut file = tokio::fs::File::from_std(file.try_clone()?);
    let len = len_of(&file.metadata().await?)?;
    file.rewind().await?;
    Ok((file, len))
}

/// Length of what has one.
fn len_of(metadata: &Metadata) -> io::Result<u64> {
    match metadata.file_type() {
        kind if kind.is_file() => Ok(metadata.len()),
        kind if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::other("neither a file nor a link to one, so its length is not known")),
    }
}

/// Plain values: a panic elsewhere cannot have left them half set.
fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a body is read from.
enum Reading {
    Begun(Reader),
    /// Nothing has been read of it yet, and it can be read once.
    Once(Arc<Mutex<Option<Reader>>>),
}

impl Reading {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Self::Once(reader) = self {
            let reader = locked(reader).take();
            *self = Self::Begun(reader.ok_or_else(|| io::Error::other("it has been read once already"))?);
        }
        match self {
            Self::Begun(reader) => Pin::new(reader).poll_read(cx, buffer),
            Self::Once(_) => Poll::Ready(Ok(())),
        }
    }
}

/// A body of a known length, never more than a chunk of which is in memory.
struct Sized {
    content: Reading,
    left: u64,
    buffer: BytesMut,
    /// Before every chunk but the first the runtime looks at its sockets: the connection reads a refusal that is there
    /// before it writes more to a node that has stopped reading.
    pause: Option<Pause>,
    sent: Arc<AtomicU64>,
    failure: Arc<Mutex<Option<io::Error>>>,
}

type Pause = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

impl Sized {
    /// The next chunk.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let room = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        self.buffer.resize(room, 0);
        let mut read = ReadBuf::new(&mut self.buffer);
        ready!(self.content.poll_read(cx, &mut read))?;
        let len = read.filled().len();
        if len == 0 {
            // The node must not take it for whole.
            let why = format!("it ended {} bytes early", self.left);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
        }
        self.pause = Some(Box::pin(tokio::task::yield_now()));
        self.left -= len as u64;
        self.sent.fetch_add(len as u64, Ordering::Relaxed);
        Poll::Ready(Ok(self.buffer.split_to(len).freeze()))
    }
}

impl Body for Sized {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let body = self.get_mut();
        if body.left == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(ready!(body.poll_chunk(cx)).map(Frame::data).map_err(|error| {
            let kind = error.kind();
            *locked(&body.failure) = Some(error);
            kind.into()
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
