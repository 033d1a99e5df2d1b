//! Access to included files. The caller provides it, so that the reader itself does no I/O.

use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::Source;

/// Reads the files that a zone file includes.
pub trait ReadIncluded {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(&self, path: &Path) -> io::Result<Source>;

    /// Returns the same path for all paths to a file, so that a file that includes itself through a
    /// link is detected.
    fn canonical(&self, path: &Path) -> PathBuf;
}

/// Refuses every `$INCLUDE`.
#[derive(Clone, Copy, Debug)]
pub struct NoIncludes;

impl ReadIncluded for NoIncludes {
    fn read(&self, _: &Path) -> io::Result<Source> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}
