//! What is sent to be scanned: a file, bytes, or a reader with a known length.
//!
//! Callers create sources; [`exchange`](crate::exchange) turns each attempt to send one into a
//! request body. Failures to open or read are `Error::SourceUnreadable`.

use std::fmt;
use std::fs::Metadata;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncSeekExt};

use crate::body::{self, BodyState, OneTimeReader, SizedBody};
use crate::error::Error;

/// Something to scan. Every source knows its length, because MetaDefender Core requires a
/// `Content-Length`.
#[derive(Debug)]
pub struct Source {
    name: String,
    content: Content,
    /// Length in bytes of the latest body.
    len: u64,
    body: BodyState,
}

enum Content {
    Path(PathBuf),
    File(Arc<std::fs::File>),
    Bytes(Bytes),
    Reader { len: u64, reader: OneTimeReader },
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
        Self { name, content, len: 0, body: BodyState::default() }
    }

    /// The file at a path, under its file name. It is read while it is sent.
    pub fn path(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self::new(name, Content::Path(path))
    }

    /// An open file, from its start, under a name. This file is sent even if its path leads to
    /// another one by then.
    pub fn file(name: impl Into<String>, file: std::fs::File) -> Self {
        Self::new(name.into(), Content::File(Arc::new(file)))
    }

    /// Bytes under a name.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::new(name.into(), Content::Bytes(bytes.into()))
    }

    /// A reader of `len` bytes under a name. It can be read once: after the first read it cannot be
    /// sent to another node.
    pub fn reader(name: impl Into<String>, len: u64, reader: impl AsyncRead + Send + Sync + Unpin + 'static) -> Self {
        let reader = OneTimeReader::new(Box::new(reader));
        Self::new(name.into(), Content::Reader { len, reader })
    }

    /// The name that the node shows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of bytes sent by the current attempt; a progress bar can read it while the source
    /// is sent.
    pub fn bytes_sent(&self) -> Arc<AtomicU64> {
        self.body.bytes_sent()
    }

    /// Returns true if the source can be sent again.
    pub(crate) fn is_repeatable(&self) -> bool {
        match &self.content {
            Content::Path(_) | Content::File(_) | Content::Bytes(_) => true,
            Content::Reader { reader, .. } => reader.is_unread(),
        }
    }

    /// Returns true if the last byte has been sent, so that the node may have started a scan.
    pub(crate) fn is_fully_sent(&self) -> bool {
        self.bytes_sent().load(Ordering::Relaxed) == self.len
    }

    /// The error of reading the source, if that ended the latest request.
    pub(crate) fn take_read_error(&self) -> Option<Error> {
        self.body.take_error().map(|error| self.unreadable(error))
    }

    fn unreadable(&self, error: io::Error) -> Error {
        let name = match &self.content {
            Content::Path(path) => path.display().to_string(),
            _ => self.name.clone(),
        };
        Error::SourceUnreadable { name, error }
    }

    /// A request body of the source, from its start, and the length of that body.
    ///
    /// # Errors
    /// The source cannot be opened, or is not a regular file.
    pub(crate) async fn body(&mut self) -> Result<(reqwest::Body, u64), Error> {
        self.body.reset();
        let (content, len) = match &self.content {
            Content::Bytes(bytes) => (body::Content::Open(Box::new(Cursor::new(bytes.clone()))), bytes.len() as u64),
            Content::Path(path) => {
                let (file, len) = open(path).await.map_err(|error| self.unreadable(error))?;
                (body::Content::Open(Box::new(file)), len)
            }
            Content::File(file) => {
                let (file, len) = rewind(file).await.map_err(|error| self.unreadable(error))?;
                (body::Content::Open(Box::new(file)), len)
            }
            Content::Reader { len, reader } => (body::Content::OneTime(reader.clone()), *len),
        };
        self.len = len;
        Ok((reqwest::Body::wrap(SizedBody::new(content, len, self.body.clone())), len))
    }
}

/// Opens a file; also returns its length in bytes.
async fn open(path: &Path) -> io::Result<(tokio::fs::File, u64)> {
    // Checked before it is opened as well: opening a pipe waits for a writer.
    len_of(&tokio::fs::metadata(path).await?)?;
    let file = tokio::fs::File::open(path).await?;
    let len = len_of(&file.metadata().await?)?;
    Ok((file, len))
}

/// An open file at its start, and its length in bytes.
async fn rewind(file: &std::fs::File) -> io::Result<(tokio::fs::File, u64)> {
    let mut file = tokio::fs::File::from_std(file.try_clone()?);
    let len = len_of(&file.metadata().await?)?;
    file.rewind().await?;
    Ok((file, len))
}

/// The length of a regular file.
fn len_of(metadata: &Metadata) -> io::Result<u64> {
    match metadata.file_type() {
        kind if kind.is_file() => Ok(metadata.len()),
        kind if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::other("not a regular file, so its length is unknown")),
    }
}
