//! The files of what was named: files themselves, and all below folders.

use std::collections::HashSet;
use std::fs::{Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// A file, by the path under which it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) version: Version,
}

/// What tells a file from the one that is at its place later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Version {
    /// In bytes.
    pub(super) size: u64,
    /// Nanoseconds since 1970, or before it, as far as the file system keeps them.
    pub(super) modified: i128,
}

/// What was named.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Each once, in the order of their paths.
    pub(super) files: Vec<File>,
    /// What should be scanned and cannot be, and why.
    pub(super) unreadable: Vec<(PathBuf, String)>,
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { size: metadata.len(), modified }
    }
}

impl File {
    /// Opens it as it is by now, which may be another one than was listed.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(&self) -> io::Result<(Self, std::fs::File)> {
        // What has become a pipe must not wait for its writer.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&self.path)?;
        Ok((Self { path: self.path.clone(), version: Version::of(&file.metadata()?) }, file))
    }

    /// Its own name.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Lists all files. Links in folders are not followed; pipes and devices in them are left out.
pub(super) fn list(named: &[PathBuf]) -> Listed {
    let mut listed = Listed::default();
    let mut seen = HashSet::new();
    for named in named {
        for entry in WalkDir::new(named).sort_by_file_name() {
            let found = match entry {
                // One that was named may be a link.
                Ok(entry) if entry.depth() == 0 => version_of(named).map(|version| (named.clone(), version)),
                Ok(entry) => entry.metadata().map_err(io::Error::from).map(|metadata| {
                    let version = metadata.is_file().then(|| Version::of(&metadata));
                    (entry.into_path(), version)
                }),
                Err(error) => {
                    let path = error.path().unwrap_or(named).to_owned();
                    let why = error.to_string();
                    let why = error.into_io_error().map_or(why, |error| error.to_string());
                    listed.unreadable.push((path, why));
                    continue;
                }
            };
            match found {
                Ok((path, Some(version))) if seen.insert(std::path::absolute(&path).unwrap_or_default()) => {
                    listed.files.push(File { path, version });
                }
                Ok(_) => {}
                Err(error) => listed.unreadable.push((named.clone(), error.to_string())),
            }
        }
    }
    listed.files.sort_by(|a, b| a.path.cmp(&b.path));
    listed
}

/// Of a path that was named; nothing for a folder.
fn version_of(named: &Path) -> io::Result<Option<Version>> {
    let metadata = std::fs::metadata(named)?;
    match metadata.file_type() {
        kind if kind.is_dir() => Ok(None),
        kind if kind.is_file() => Ok(Some(Version::of(&metadata))),
        _ => Err(io::Error::other("neither a file nor a folder")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_listed_once_and_what_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("below")).unwrap();
        std::fs::write(at("b"), "b").unwrap();
        std::fs::write(at("below/a"), "long").unwrap();
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
