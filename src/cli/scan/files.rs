//! The files of what was named: files themselves, and all below folders.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::bail;
use walkdir::WalkDir;

/// A file, and its size in bytes.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) size: u64,
}

/// Lists all files, each once. Links in folders are not followed; pipes and devices are left out.
///
/// # Errors
/// A path that was named is not there, or a folder cannot be read.
pub(super) fn list(paths: &[PathBuf]) -> anyhow::Result<Vec<File>> {
    let mut files = BTreeSet::new();
    for named in paths {
        for entry in WalkDir::new(named) {
            let entry = entry?;
            // One that was named may be a link.
            let metadata = if entry.depth() == 0 { std::fs::metadata(entry.path())? } else { entry.metadata()? };
            if metadata.is_file() {
                files.insert(File { path: entry.into_path(), size: metadata.len() });
            }
        }
    }
    if files.is_empty() {
        bail!("there is no file in what was named");
    }
    Ok(files.into_iter().collect())
}
