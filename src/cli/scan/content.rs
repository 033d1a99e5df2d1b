//! What happens to the content of a file besides its upload: the hash before it, and the sanitized
//! copy after it.
//!
//! The scan of single files calls it, if the command line asks for either.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use evenkeel_client::{Cluster, Error, Report};
use ring::digest::{Context, SHA256, digest};

use super::files::Content;
use super::results::hex;

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
/// its path, or `None` if the node has no sanitized copy.
///
/// # Errors
/// Describes why the copy cannot be downloaded or written.
pub(super) async fn save_sanitized(
    cluster: &Cluster,
    report: &Report,
    folder: &Path,
    name: &str,
) -> Result<Option<PathBuf>, String> {
    let mut copy = match cluster.sanitized(report).await {
        Ok(copy) => copy,
        Err(Error::NotSanitized(_)) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let path = folder.join(format!("{}-{name}", report.data_id));
    let unwritable = |error: io::Error| format!("{} cannot be written: {error}", path.display());
    let temporary = folder.join(format!("{}.part", report.data_id));
    let mut download = async || {
        let mut file = File::create(&temporary).map_err(unwritable)?;
        while let Some(chunk) = copy.chunk().await.map_err(|error| error.to_string())? {
            file.write_all(&chunk).map_err(unwritable)?;
        }
        fs::rename(&temporary, &path).map_err(unwritable)
    };
    if let Err(reason) = download().await {
        // A part of a copy is of no use.
        let _ = fs::remove_file(&temporary);
        return Err(reason);
    }
    Ok(Some(path))
}
