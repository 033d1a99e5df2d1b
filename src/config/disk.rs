//! Reads the configuration and the files that it names from the file system.

use std::io;
use std::path::{Path, PathBuf};

use evenkeel_core::diagnostic::Source;
use evenkeel_core::zone::ReadIncluded;

/// The file system, for zone files with `$INCLUDE`.
pub(super) struct Disk;

impl ReadIncluded for Disk {
    fn read(&self, path: &Path) -> io::Result<Source> {
        read_regular(path)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }
}

/// Reads a whole regular file. Reading from a pipe would wait for its writer, and reading from a
/// device might never end.
///
/// # Errors
/// The file cannot be read, or is not a regular file.
pub(super) fn read_regular(path: &Path) -> io::Result<Source> {
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::other("not a regular file"));
    }
    read(path)
}

/// Reads a whole file, which may be standard input.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(path: &Path) -> io::Result<Source> {
    std::fs::read(path).map(|text| Source::from_text(&path.display().to_string(), text))
}
