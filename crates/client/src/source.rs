//! What is sent to be scanned: a file, bytes, or a reader with a known length.
//!
//! Callers create sources; [`exchange`](crate::exchange) turns each attempt to send one into a
//! request body. Failures to open or read are `Error::SourceUnreadable`.

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::body::{self, BodyState, OneTimeReader, SizedBody};
use crate::error::Error;
use crate::file_chunks::{self, CHUNK, FileChunks};
use crate::file_version::FileVersion;

/// Something to scan. Every source knows its length, because MetaDefender Core requires a
/// `Content-Length`.
#[derive(Debug)]
pub struct Source {
    name: String,
    content: Content,
    /// Length in bytes of the latest body.
    len: u64,
    body: BodyState,
    /// The version of the file when the latest body was made.
    version: Option<FileVersion>,
}

enum Content {
    Path(PathBuf),
    File(Arc<File>),
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
        Self { name, content, len: 0, body: BodyState::default(), version: None }
    }

    /// The file at a path, under its file name. It is read while it is sent.
    pub fn path(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self::new(name, Content::Path(path))
    }

    /// An open file, from its start, under a name. This file is sent even if its path leads to
    /// another one by then.
    pub fn file(name: impl Into<String>, file: File) -> Self {
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

    /// Returns true if each attempt to send it reads it anew.
    pub(crate) fn is_reopenable(&self) -> bool {
        !matches!(self.content, Content::Reader { .. })
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

    /// Checks that the file is the one of the latest body, so that a verdict is about its content.
    ///
    /// # Errors
    /// The file has changed since, or another file is at its path.
    pub(crate) async fn check_unchanged(&self) -> Result<(), Error> {
        let metadata = match &self.content {
            Content::Path(path) => tokio::fs::metadata(path).await,
            Content::File(file) => file.metadata(),
            Content::Bytes(_) | Content::Reader { .. } => return Ok(()),
        };
        let version = metadata.map(|metadata| FileVersion::of(&metadata)).map_err(|error| self.unreadable(error))?;
        if self.version == Some(version) {
            return Ok(());
        }
        Err(Error::SourceChanged { name: self.shown_name() })
    }

    /// The path of the file, or else the name.
    fn shown_name(&self) -> String {
        match &self.content {
            Content::Path(path) => path.display().to_string(),
            _ => self.name.clone(),
        }
    }

    fn unreadable(&self, error: io::Error) -> Error {
        Error::SourceUnreadable { name: self.shown_name(), error }
    }

    /// Opens the file of the source on a thread that may block.
    async fn open(&self, open: impl FnOnce() -> io::Result<Arc<File>> + Send + 'static) -> Result<OpenedFile, Error> {
        let opened = tokio::task::spawn_blocking(move || open().and_then(read_start)).await;
        opened.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| self.unreadable(error))
    }

    /// A request body of the source, from its start, and the length of that body.
    ///
    /// # Errors
    /// The source cannot be opened, or is not a regular file.
    pub(crate) async fn body(&mut self) -> Result<(reqwest::Body, u64), Error> {
        self.body.reset();
        let (content, len, version) = match &self.content {
            Content::Path(path) => {
                let path = path.clone();
                self.open(move || open(&path)).await?
            }
            Content::File(file) => {
                let file = Arc::clone(file);
                self.open(move || Ok(file)).await?
            }
            Content::Bytes(bytes) => (body::Content::Bytes(bytes.clone()), bytes.len() as u64, None),
            Content::Reader { len, reader } => (body::Content::OneTime(reader.clone()), *len, None),
        };
        self.version = version;
        self.len = len;
        Ok((reqwest::Body::wrap(SizedBody::new(content, len, self.body.clone())), len))
    }
}

/// A file that is sent, its length in bytes, and its version.
type OpenedFile = (body::Content, u64, Option<FileVersion>);

/// Opens a file.
fn open(path: &Path) -> io::Result<Arc<File>> {
    // Checked before it is opened as well: opening a pipe waits for a writer.
    version_of(&std::fs::metadata(path)?)?;
    Ok(Arc::new(File::open(path)?))
}

/// The content and the version of an open file. Blocks.
fn read_start(file: Arc<File>) -> io::Result<OpenedFile> {
    version_of(&file.metadata()?)?;
    let version = FileVersion::wait_until_settled(&file)?;
    let content = if version.size <= CHUNK as u64 {
        body::Content::Bytes(file_chunks::read(&file, 0, version.size as usize)?)
    } else {
        body::Content::File(FileChunks::new(file))
    };
    Ok((content, version.size, Some(version)))
}

/// The version of a regular file.
fn version_of(metadata: &Metadata) -> io::Result<FileVersion> {
    match metadata.file_type() {
        kind if kind.is_file() => Ok(FileVersion::of(metadata)),
        kind if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::other("not a regular file, so its length is unknown")),
    }
}
