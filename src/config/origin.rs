//! Where a configuration comes from, and the files that it names.

use std::io;
use std::path::{Path, PathBuf};

use evenkeel_core::diagnostic::{Diagnostic, Source};

use super::disk;

/// The configuration file of `serve` and `check`, unless the command line names another.
pub const DEFAULT_PATH: &str = "/etc/evenkeel/evenkeel.toml";

/// Where a configuration comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file. Paths in it are relative to its directory.
    File(PathBuf),
    /// Texts inside the program, by name: the configuration first, then the files that it names.
    Embedded(&'static [(&'static str, &'static str)]),
}

impl Origin {
    /// Reads the configuration itself.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn root(&self) -> Result<Source, Diagnostic> {
        match self {
            Self::File(path) => disk::read(path)
                .map_err(|error| Diagnostic::unreadable(path, &error).with_hint("name another file with --config")),
            Self::Embedded(texts) => Ok(Source::from_text(texts[0].0, texts[0].1)),
        }
    }

    /// The path of a file that the configuration names.
    pub(super) fn path(&self, named: &str) -> PathBuf {
        match self {
            Self::File(path) => path.with_file_name(named),
            Self::Embedded(_) => named.into(),
        }
    }

    /// Reads a file that the configuration names.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(&self, named: &str) -> io::Result<Source> {
        match self {
            Self::File(_) => disk::read_regular(&self.path(named)),
            Self::Embedded(texts) => match texts.iter().find(|(name, _)| *name == named) {
                Some((name, text)) => Ok(Source::from_text(name, *text)),
                None => disk::read_regular(Path::new(named)),
            },
        }
    }
}
