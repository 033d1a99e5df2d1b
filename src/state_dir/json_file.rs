//! JSON files that survive crashes: written under another name, synced, and renamed.
//!
//! After a crash, a file is either the old one or the new one. A file that cannot be parsed is set
//! aside under another name, never deleted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::unix_now;

/// Version of the layout of all files.
const VERSION: u32 = 1;

/// What a file holds.
#[derive(Debug)]
pub(super) enum Found<T> {
    /// What was written last.
    Written(T),
    /// There is no file.
    Nothing,
    /// The file could not be parsed and was set aside. The text says where and why.
    SetAside(String),
}

/// Reads a file of a directory. Creates the directory if it is missing.
///
/// # Errors
/// The directory or the file cannot be used.
pub(super) fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> io::Result<Found<T>> {
    fs::create_dir_all(directory)?;
    let path = directory.join(name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let why = match parse(&text) {
        Ok(content) => return Ok(Found::Written(content)),
        Err(why) => why,
    };
    let mut moment = unix_now();
    let aside = loop {
        let aside = directory.join(format!("{name}.set-aside-{moment}"));
        if !aside.exists() {
            break aside;
        }
        moment += 1;
    };
    fs::rename(&path, &aside)?;
    let (path, aside) = (path.display(), aside.display());
    Ok(Found::SetAside(format!("{path} is damaged or foreign ({why}) and was renamed to {aside}")))
}

/// Reads the version before the content: the content of another version can have another layout.
fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let (version, content): (u32, Value) = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if version != VERSION {
        return Err(format!("it is of version {version}, not {VERSION}"));
    }
    serde_json::from_value(content).map_err(|error| error.to_string())
}

/// Writes a file of a directory. When this returns, it is on disk.
///
/// # Errors
/// The file cannot be written. The old one is still there.
pub(super) fn write(directory: &Path, name: &str, content: &impl Serialize) -> io::Result<()> {
    write_with_mode(directory, name, 0o666, content)
}

/// Writes a file of a directory that only the user of the server can read.
///
/// # Errors
/// As for [`write()`].
pub(super) fn write_secret(directory: &Path, name: &str, content: &impl Serialize) -> io::Result<()> {
    write_with_mode(directory, name, 0o600, content)
}

/// Writes a file with these permissions, less those that the process masks.
fn write_with_mode(directory: &Path, name: &str, mode: u32, content: &impl Serialize) -> io::Result<()> {
    let (temporary, path) = (directory.join(format!("{name}.new")), directory.join(name));
    let mut text = serde_json::to_vec_pretty(&(VERSION, content))?;
    text.push(b'\n');
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&temporary, &path)?;
    // The rename is an entry of the directory, which must be synced, too.
    File::open(directory)?.sync_all()
}
