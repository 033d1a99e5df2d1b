//! What was done, in a file, for another run to go on from: a line for every session that began and every one that ended.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::client::Ticket;

/// A line.
#[derive(Debug, Deserialize, Serialize)]
struct Line {
    path: PathBuf,
    /// The session of a file that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    /// Whether there is a verdict on it.
    is_done: bool,
}

/// What an earlier run has left of a file.
#[derive(Clone, Debug)]
pub(super) enum Earlier {
    /// There is a verdict.
    Done,
    /// It was sent.
    Sent(Ticket),
}

/// The file, if there is one.
#[derive(Debug, Default)]
pub(super) struct Journal(Option<Mutex<File>>);

impl Journal {
    /// Opens the file, and tells what is in it. A last line that was cut short counts for nothing.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<(Self, HashMap<PathBuf, Earlier>)> {
        let Some(path) = path else { return Ok((Self(None), HashMap::new())) };
        // Tickets may hold cookies, which are nobody else's.
        let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
        let file = opened.with_context(|| format!("{} cannot be opened", path.display()))?;
        let mut earlier = HashMap::new();
        for line in BufReader::new(&file).lines() {
            let line = line.with_context(|| format!("{} cannot be read", path.display()))?;
            let Ok(Line { path, ticket, is_done }) = serde_json::from_str(&line) else { continue };
            match ticket.and_then(|ticket| ticket.parse().ok()) {
                _ if is_done => drop(earlier.insert(path, Earlier::Done)),
                Some(ticket) => drop(earlier.insert(path, Earlier::Sent(ticket))),
                None => drop(earlier.remove(&path)),
            }
        }
        Ok((Self(Some(Mutex::new(file))), earlier))
    }

    /// A file has been sent.
    pub(super) fn sent(&self, path: &Path, ticket: &Ticket) -> io::Result<()> {
        self.write(&Line { path: path.to_owned(), ticket: Some(ticket.to_string()), is_done: false })
    }

    /// There is a verdict on it, or, when it has failed, nothing to go on from.
    pub(super) fn ended(&self, path: &Path, is_done: bool) -> io::Result<()> {
        self.write(&Line { path: path.to_owned(), ticket: None, is_done })
    }

    fn write(&self, line: &Line) -> io::Result<()> {
        let Some(file) = &self.0 else { return Ok(()) };
        let text = serde_json::to_string(line)? + "\n";
        // In one piece: several sessions write.
        file.lock().map_err(|_| io::Error::other("a writer has panicked"))?.write_all(text.as_bytes())
    }
}
