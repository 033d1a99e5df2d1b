//! The files to scan: those named on the command line, and those below the folders named there.
//!
//! What cannot be read is listed with the reason; it does not stop the rest.

use std::collections::HashSet;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use evenkeel_client::{Bytes, FileVersion, Source};
use walkdir::WalkDir;

/// A file to scan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ListedFile {
    /// The path under which it was named or found.
    pub(super) path: PathBuf,
    pub(super) version: FileVersion,
}

/// Largest file that is read at once, in bytes.
const SMALL: u64 = 256 * 1024;

/// The content of an open file.
#[derive(Debug)]
pub(super) enum Content {
    /// A small file, which has been read.
    Small(Bytes),
    /// A file that is read while it is sent.
    Large(fs::File),
}

impl Content {
    /// Reads a small regular file; leaves all others to the client library.
    fn read(mut file: fs::File, size: u64) -> io::Result<Self> {
        if !file.metadata()?.is_file() || size > SMALL {
            return Ok(Self::Large(file));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        (&mut file).take(size).read_to_end(&mut bytes)?;
        Ok(Self::Small(bytes.into()))
    }

    /// Converts the content to a source, which the client library can send.
    ///
    /// # Errors
    /// The system has no file descriptor left.
    pub(super) fn source(&self, name: String) -> io::Result<Source> {
        Ok(match self {
            Self::Small(bytes) => Source::bytes(name, bytes.clone()),
            Self::Large(file) => Source::file(name, file.try_clone()?),
        })
    }
}

/// The files below the paths that were named.
#[derive(Debug, Default)]
pub(super) struct FileList {
    /// Each file once, sorted by path.
    pub(super) files: Vec<ListedFile>,
    /// Paths that cannot be scanned, with the reason.
    pub(super) unreadable: Vec<(PathBuf, String)>,
}

impl ListedFile {
    /// Opens the file; returns it with its current version, which may differ from the listed one,
    /// and its content.
    ///
    /// # Errors
    /// The file cannot be opened or read, or keeps changing.
    pub(super) async fn open(&self) -> io::Result<(Self, Content)> {
        let path = self.path.clone();
        let open = move || {
            // Non-blocking: if the path now leads to a pipe, opening it would wait for a writer.
            let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path)?;
            let version = FileVersion::wait_until_settled(&file)?;
            let content = Content::read(file, version.size)?;
            Ok((Self { path, version }, content))
        };
        tokio::task::spawn_blocking(open).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    /// Returns true if the same content is still at the path. The file has just been read, so the
    /// system has its metadata in memory.
    pub(super) fn is_unchanged(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| FileVersion::of(&metadata) == self.version)
    }

    /// The last part of the path.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Lists all files. Links in folders are not followed; pipes and devices in folders are left out.
pub(super) fn list(named_paths: &[PathBuf]) -> FileList {
    let mut list = FileList::default();
    let mut seen = HashSet::new();
    for named in named_paths {
        for entry in WalkDir::new(named).sort_by_file_name() {
            let (path, version) = match entry {
                // A path that was named may be a link.
                Ok(entry) if entry.depth() == 0 => (entry.into_path(), version_of_named(named)),
                Ok(entry) => {
                    let version_of = |metadata: Metadata| metadata.is_file().then(|| FileVersion::of(&metadata));
                    let version = entry.metadata().map_err(io::Error::from).map(version_of);
                    (entry.into_path(), version)
                }
                Err(error) => {
                    let path = error.path().unwrap_or(named).to_owned();
                    let text = error.to_string();
                    // The error of the system, without the path that walkdir adds.
                    let reason = error.into_io_error().map_or(text, |error| error.to_string());
                    list.unreadable.push((path, reason));
                    continue;
                }
            };
            match version {
                Ok(Some(version)) if seen.insert(std::path::absolute(&path).unwrap_or_default()) => {
                    list.files.push(ListedFile { path, version });
                }
                Ok(_) => {}
                Err(error) => list.unreadable.push((path, error.to_string())),
            }
        }
    }
    list.files.sort_by(|a, b| a.path.cmp(&b.path));
    list
}

/// The version of a path that was named; none for a folder.
fn version_of_named(path: &Path) -> io::Result<Option<FileVersion>> {
    let metadata = fs::metadata(path)?;
    match metadata.file_type() {
        kind if kind.is_dir() => Ok(None),
        kind if kind.is_file() => Ok(Some(FileVersion::of(&metadata))),
        _ => Err(io::Error::other("neither a regular file nor a folder")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_listed_once_and_unreadable_paths_are_listed_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("below")).unwrap();
        fs::write(at("b"), "b").unwrap();
        fs::write(at("below/a"), "long").unwrap();
        std::os::unix::fs::symlink(at("b"), at("link")).unwrap();
        std::os::unix::fs::symlink(folder.path(), at("loop")).unwrap();
        let listed = list(&[folder.path().to_owned(), at("./b"), at("missing"), PathBuf::from("/dev/null")]);
        let paths: Vec<_> = listed.files.iter().map(|file| (file.path.clone(), file.version.size)).collect();
        assert_eq!(paths, [(at("b"), 1), (at("below/a"), 4)]);
        let unreadable: Vec<_> = listed.unreadable.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(unreadable, [at("missing"), PathBuf::from("/dev/null")]);
        assert!(listed.unreadable[0].1.starts_with("No such file"), "{listed:?}");
        assert_eq!(list(&[at("link")]).files.len(), 1, "a link that was named is followed");
    }
}
