//! What happens to the content of a file besides its upload: the hash before it, and the sanitized
//! copy after it.
//!
//! The scan of single files calls it, if the command line asks for either.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use evenkeel_client::{Error, FileScan, Report};
use ring::digest::{Context, SHA256, digest};

use super::files::Content;
use super::results::hex;

/// Longest name of a file on common file systems, in bytes.
const MAX_NAME: usize = 255;

/// Longest extension that a shortened name keeps, with its dot, in bytes.
const MAX_EXTENSION: usize = 16;

/// The number of copies whose download has begun.
static COPIES: AtomicU64 = AtomicU64::new(0);

/// The SHA-256 of some content, in hexadecimal.
///
/// # Errors
/// The file cannot be read.
pub(super) async fn sha256(content: &Content) -> io::Result<String> {
    let mut file = match content {
        Content::Small(bytes) => return Ok(hex(digest(&SHA256, bytes).as_ref())),
        Content::Large(file) => file.try_clone()?,
    };
    let hash = move || {
        let (mut context, mut buffer) = (Context::new(&SHA256), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(hex(context.finish().as_ref())),
                Ok(read) => context.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    tokio::task::spawn_blocking(hash).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

/// Downloads the sanitized copy of a file into a folder, under its `data_id` and its name. Returns
/// its path, or `None` if the node has made no sanitized copy. If the future is dropped, no part of
/// the copy stays.
///
/// # Errors
/// Describes why the copy cannot be downloaded or written.
pub(super) async fn save_sanitized(
    scan: &FileScan,
    report: &Report,
    folder: &Path,
    name: &str,
) -> Result<Option<PathBuf>, String> {
    let mut copy = match scan.sanitized().await {
        Ok(copy) => copy,
        // Nodes of old versions do not report which actions ran, so they are asked in any case.
        Err(Error::NotSanitized(_)) if !report.is_sanitized() => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let path = folder.join(file_name(&report.data_id, name));
    let unwritable = |error: io::Error| format!("{} cannot be written: {error}", path.display());
    // Two files with the same content can have the same known result, and be saved at the same
    // time.
    let number = COPIES.fetch_add(1, Ordering::Relaxed);
    let temporary = PartialCopy(folder.join(format!("{}.{number}.part", report.data_id)));
    let mut file = File::create(&temporary.0).map_err(unwritable)?;
    while let Some(chunk) = copy.chunk().await.map_err(|error| error.to_string())? {
        file.write_all(&chunk).map_err(unwritable)?;
    }
    fs::rename(&temporary.0, &path).map_err(unwritable)?;
    Ok(Some(path))
}

/// A copy that is being written; removed when it is dropped, unless it has been renamed by then.
struct PartialCopy(PathBuf);

impl Drop for PartialCopy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The name of a copy: the `data_id`, a hyphen, and the name of the file, shortened to what file
/// systems accept. The extension is kept: it says what opens the copy.
fn file_name(data_id: &str, name: &str) -> String {
    let room = MAX_NAME.saturating_sub(data_id.len() + 1);
    if name.len() <= room {
        return format!("{data_id}-{name}");
    }
    let extension = name.rfind('.').map_or("", |at| &name[at..]);
    let extension = if extension.len() <= MAX_EXTENSION { extension } else { "" };
    let stem = &name[..boundary(name, room.saturating_sub(extension.len()))];
    format!("{data_id}-{stem}{extension}")
}

/// The last boundary between two characters at or before an index.
fn boundary(text: &str, index: usize) -> usize {
    (0..=index).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_copies_fit_into_file_systems_and_keep_their_extension() {
        assert_eq!(file_name("3f2a", "a.pdf"), "3f2a-a.pdf");
        let id = "0".repeat(32);
        for name in ["x".repeat(255), "ä".repeat(127), format!("{}.docx", "木".repeat(83)), "a.".repeat(127) + "b"] {
            let copy = file_name(&id, &name);
            assert!((253..=255).contains(&copy.len()), "{copy}: {}", copy.len());
            assert!(name.ends_with(".docx") == copy.ends_with(".docx"), "{copy}");
        }
        assert_eq!(file_name(&id, &"x".repeat(222)).len(), 255);
    }
}
