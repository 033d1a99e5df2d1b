//! What was done, in a file, for another run to go on from: a line for every session that began and every one that ended.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::files::{File, Version};
use super::summary::Done;
use evenkeel_client::Ticket;

/// A line.
#[derive(Debug, Deserialize, Serialize)]
struct Line {
    /// URL of the cluster: another one may judge otherwise.
    cluster: String,
    /// The absolute path, if it is text; otherwise its bytes.
    path: String,
    size: u64,
    /// Nanoseconds since 1970.
    modified: String,
    #[serde(flatten)]
    what: What,
}

/// What happened to a file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// It was sent: the session.
    Sent(String),
    /// There is a verdict on it.
    Done(Done),
    /// It failed, and there is nothing to go on from.
    Failed(String),
}

/// What an earlier run has left of a file.
#[derive(Clone, Debug)]
pub(super) enum Earlier {
    /// There is a verdict.
    Done(Done),
    /// It was sent.
    Sent(Ticket),
}

/// What earlier runs have left of all files, for as long as they are as they were.
#[derive(Debug, Default)]
pub(super) struct Past(HashMap<String, (Version, Earlier)>);

/// The file, if there is one.
#[derive(Debug, Default)]
pub(super) struct Journal {
    file: Option<Mutex<Flock<std::fs::File>>>,
    cluster: String,
    has_failed: AtomicBool,
}

impl Past {
    /// What is left of a file; nothing when it has changed since.
    pub(super) fn of(&self, file: &File) -> Option<&Earlier> {
        let (version, earlier) = self.0.get(&key(&file.path))?;
        (*version == file.version).then_some(earlier)
    }
}

impl Journal {
    /// Opens the file, and tells what is in it. A last line that was cut short counts for nothing.
    ///
    /// # Errors
    /// It cannot be read or written, is another kind of file, or another scan is writing it.
    pub(super) fn open(path: Option<&Path>, cluster: &str) -> anyhow::Result<(Self, Past)> {
        let Some(path) = path else { return Ok(Default::default()) };
        let at = || format!("--resume: {}", path.display());
        if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            bail!("{} is no file", at());
        }
        // Tickets may hold cookies, which are nobody else's.
        let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
        let mut file = match Flock::lock(opened.with_context(at)?, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => bail!("{}: another scan is writing it", at()),
            Err((_, error)) => return Err(error).with_context(at),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(at)?;
        let past = read(&bytes, cluster).with_context(at)?;
        // What was cut short must not swallow the line that comes next.
        let ended = if bytes.last().is_some_and(|&byte| byte != b'\n') { file.write_all(b"\n") } else { Ok(()) };
        let (cluster, has_failed) = (cluster.to_owned(), AtomicBool::new(false));
        let journal = Self { file: Some(Mutex::new(file)), cluster, has_failed };
        match ended {
            Ok(()) => Ok((journal, past)),
            Err(error) => {
                journal.warn(&error);
                Ok((Self::default(), past))
            }
        }
    }

    /// A file has been sent.
    pub(super) fn sent(&self, file: &File, ticket: &Ticket) {
        self.note(file, What::Sent(ticket.to_string()));
    }

    /// There is a verdict on it.
    pub(super) fn done(&self, file: &File, done: &Done) {
        self.note(file, What::Done(done.clone()));
    }

    /// It has failed.
    pub(super) fn failed(&self, file: &File, why: &str) {
        self.note(file, What::Failed(why.to_owned()));
    }

    /// A journal that cannot be written is worth a word, and no reason to stop.
    fn note(&self, file: &File, what: What) {
        let Version { size, modified } = file.version;
        let (cluster, path, modified) = (self.cluster.clone(), key(&file.path), modified.to_string());
        if let Err(error) = self.write(&Line { cluster, path, size, modified, what }) {
            self.warn(&error);
        }
    }

    fn warn(&self, error: &io::Error) {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            let _ =
                writeln!(io::stderr(), "evenkeel: the file of --resume cannot be written: {error}; going on without");
        }
    }

    fn write(&self, line: &Line) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let text = serde_json::to_string(line)? + "\n";
        // In one piece: several sessions write.
        file.lock().map_err(|_| io::Error::other("a writer has panicked"))?.write_all(text.as_bytes())
    }
}

/// Reads what is in the file.
///
/// # Errors
/// It holds something else.
fn read(bytes: &[u8], of: &str) -> anyhow::Result<Past> {
    let mut past = HashMap::new();
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut understood = 0;
    for line in &lines {
        let Ok(Line { cluster, path, size, modified, what }) = serde_json::from_slice(line) else { continue };
        understood += 1;
        if cluster != of {
            continue;
        }
        let version = Version { size, modified: modified.parse().unwrap_or_default() };
        let earlier = match what {
            What::Done(done) => Some(Earlier::Done(done)),
            What::Sent(ticket) => ticket.parse().ok().map(Earlier::Sent),
            What::Failed(_) => None,
        };
        match earlier {
            Some(earlier) => drop(past.insert(path, (version, earlier))),
            None => drop(past.remove(&path)),
        }
    }
    // A first line that was cut short is one all the same.
    let is_ours = understood > 0 || lines.len() <= 1 && bytes.first().is_none_or(|&byte| byte == b'{');
    if is_ours { Ok(Past(past)) } else { bail!("it holds something else than what a scan has noted") }
}

/// A path as a line has it: which file it is, wherever the scan is run.
fn key(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    path.to_str().map_or_else(|| hex(path.as_os_str().as_encoded_bytes()), str::to_owned)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("bytes ".to_owned(), |mut text, byte| {
        // A String takes all that is written.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::super::summary::Outcome;
    use super::*;

    const CLUSTER: &str = "http://core.lb.example:8008";

    fn file(name: &str, size: u64) -> File {
        File { path: PathBuf::from(name), version: Version { size, modified: 1_700_000_000_123_456_789 } }
    }

    fn done(name: &str) -> Done {
        let outcome = Outcome::Blocked("Infected".to_owned());
        Done { outcome, ..Done::failed(PathBuf::from(name), String::new()) }
    }

    #[test]
    fn what_is_noted_is_found_again_while_the_file_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (journal, past) = Journal::open(Some(&path), CLUSTER).unwrap();
        assert!(past.of(&file("a", 1)).is_none());
        assert!(Journal::open(Some(&path), CLUSTER).unwrap_err().to_string().ends_with("another scan is writing it"));
        journal.sent(&file("a", 1), &"file 10.0.0.11:8008 3f2a".parse().unwrap());
        journal.sent(&file("b", 1), &"file 10.0.0.11:8008 77b1".parse().unwrap());
        journal.done(&file("b", 1), &done("b"));
        journal.sent(&file("c", 1), &"file 10.0.0.11:8008 0815".parse().unwrap());
        journal.failed(&file("c", 1), "its node is gone");
        drop(journal);
        let (_, past) = Journal::open(Some(&path), CLUSTER).unwrap();
        assert!(matches!(past.of(&file("a", 1)), Some(Earlier::Sent(_))));
        assert!(matches!(past.of(&file("b", 1)), Some(Earlier::Done(b)) if b.outcome == done("b").outcome));
        assert!(past.of(&file("c", 1)).is_none());
        assert!(past.of(&file("a", 2)).is_none() && past.of(&file("b", 2)).is_none(), "they have changed");
    }

    #[test]
    fn a_line_that_was_cut_short_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let note = |name: &str| {
            let (journal, _) = Journal::open(Some(&path), CLUSTER).unwrap();
            journal.done(&file(name, 1), &done(name));
        };
        note("ä");
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            note("b");
            let (_, past) = Journal::open(Some(&path), CLUSTER).unwrap();
            assert!(past.of(&file("b", 1)).is_some(), "cut at {cut}");
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "my notes\nand more\n").unwrap();
        let refused = Journal::open(Some(&path), CLUSTER).unwrap_err();
        assert!(format!("{refused:#}").contains("notes.txt: it holds something else"), "{refused:#}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes\nand more\n");
        assert!(Journal::open(Some(Path::new("/dev/full")), CLUSTER).is_err());
    }
}
