//! Reads the configuration and the files that it names from the file system.

use std::io;
use std::path::{Path, PathBuf};

use evenkeel_core::diagnostic::Source;
use evenkeel_core::zone::ReadIncluded;

/// The file system, for zone files with `$INCLUDE`.
pub(super) struct Disk;

impl ReadIncluded for Disk {
    fn read(&self, path: &Path) -> io::Result<Source> {
        read(path)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }
}

/// Reads a whole file.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(path: &Path) -> io::Result<Source> {
    std::fs::read(path).map(|text| Source::from_text(&path.display().to_string(), text))
}
