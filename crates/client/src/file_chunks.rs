//! Reads a file in chunks, on threads that may block.
//!
//! The body of a request takes the chunks. The next one is read while the latest is sent. A read
//! error ends the body.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::task::JoinHandle;

/// Bytes per read and per chunk. Files up to this length are read at once.
pub(crate) const CHUNK: usize = 256 * 1024;

/// The chunks of a file, from an offset on.
pub(crate) struct FileChunks {
    file: Arc<File>,
    offset: u64,
    /// The read that runs, or whose result has not been taken.
    next: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileChunks {
    /// The chunks of a file, from its start.
    pub(crate) fn new(file: Arc<File>) -> Self {
        Self { file, offset: 0, next: None }
    }

    /// The next chunk, of at most `remaining` bytes. It is empty at the end of the file.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>, remaining: u64) -> Poll<io::Result<Bytes>> {
        let next = self.next.get_or_insert_with(|| read_chunk(&self.file, self.offset, remaining));
        let chunk = ready!(Pin::new(next).poll(cx)).unwrap_or_else(|panic| Err(io::Error::other(panic)))?;
        self.offset += chunk.len() as u64;
        let remaining = remaining.saturating_sub(chunk.len() as u64);
        self.next = (remaining > 0 && !chunk.is_empty()).then(|| read_chunk(&self.file, self.offset, remaining));
        Poll::Ready(Ok(chunk))
    }
}

fn read_chunk(file: &Arc<File>, offset: u64, remaining: u64) -> JoinHandle<io::Result<Bytes>> {
    let (file, len) = (Arc::clone(file), usize::try_from(remaining).unwrap_or(CHUNK).min(CHUNK));
    tokio::task::spawn_blocking(move || read(&file, offset, len))
}

/// Reads up to `len` bytes at an offset; fewer at the end of the file.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn read(file: &File, offset: u64, len: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match read_at(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(buffer.into())
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}
