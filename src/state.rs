//! Files in `state_dir`: JSON, written aside, synced, and put in place by a rename, so that a file is either the old one or
//! the new one, and what was written survives whatever ends the process.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::overrides::now;

/// Version of all files.
const VERSION: u32 = 1;

/// What a file holds.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// What was written there last.
    Written(T),
    /// Nothing was ever written.
    Nothing,
    /// A file that is torn or none of ours; it was put aside, and this says where and why.
    SetAside(String),
}

/// Makes a directory this process's own for as long as the file is open; it is made when it is missing.
///
/// # Errors
/// The directory cannot be used, or another server uses it: each would undo what the other writes.
pub(crate) fn lock(directory: &Path) -> io::Result<Flock<File>> {
    fs::create_dir_all(directory)?;
    let file = File::create(directory.join("lock"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => io::Error::new(io::ErrorKind::ResourceBusy, "another server uses it"),
        other => other.into(),
    })
}

/// Reads a file of a directory, which is made when it is missing.
///
/// # Errors
/// The directory or the file cannot be used.
pub(crate) fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> io::Result<Found<T>> {
    fs::create_dir_all(directory)?;
    let path = directory.join(name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let why = match serde_json::from_slice::<(u32, T)>(&text) {
        Ok((VERSION, content)) => return Ok(Found::Written(content)),
        Ok((version, _)) => format!("it is of version {version}, not {VERSION}"),
        Err(error) => error.to_string(),
    };
    let mut moment = now();
    let aside = loop {
        let aside = directory.join(format!("{name}.set-aside-{moment}"));
        if !aside.exists() {
            break aside;
        }
        moment += 1;
    };
    fs::rename(&path, &aside)?;
    let (path, aside) = (path.display(), aside.display());
    Ok(Found::SetAside(format!("{path} is not what was written there: {why}; it is now {aside}")))
}

/// Writes a file of a directory. When this returns, the disk has it.
///
/// # Errors
/// The system's; then the file is as it was.
pub(crate) fn write(directory: &Path, name: &str, content: &impl Serialize) -> io::Result<()> {
    let (aside, path) = (directory.join(format!("{name}.new")), directory.join(name));
    let mut file = File::create(&aside)?;
    serde_json::to_writer_pretty(&mut file, &(VERSION, content))?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&aside, &path)?;
    // The rename itself is in the directory.
    File::open(directory)?.sync_all()
}
