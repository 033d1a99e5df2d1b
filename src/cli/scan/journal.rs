//! The journal of `--resume`: a file with one JSON line for every session that started and every
//! one that ended.
//!
//! The next run reads it, continues the sessions that are still open, and shows the verdicts that
//! exist. A journal that cannot be opened is an error; one that cannot be written later is a
//! warning, and the scan continues without it.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use evenkeel_client::{FileVersion, Ticket};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::files::ListedFile;
use super::results::{FileResult, hex};

/// A line of the journal.
#[derive(Debug, Deserialize, Serialize)]
struct Line {
    /// The URL of the cluster; the verdicts of another cluster do not count.
    cluster: String,
    /// The fingerprint of the options; verdicts under other options do not count. Lines of earlier
    /// releases have none.
    #[serde(default)]
    options: String,
    /// The file, as [`path_key`] writes it.
    path: String,
    /// The version of the file. Lines of earlier releases have none; they match no file.
    #[serde(default)]
    version: Option<JournalVersion>,
    #[serde(flatten)]
    entry: Entry,
}

/// The version of a file, as text: JSON numbers can lose precision above 2^53.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct JournalVersion {
    device: String,
    inode: String,
    size: String,
    modified: String,
    changed: String,
}

impl From<FileVersion> for JournalVersion {
    fn from(version: FileVersion) -> Self {
        let FileVersion { device, inode, size, modified, changed, .. } = version;
        Self {
            device: device.to_string(),
            inode: inode.to_string(),
            size: size.to_string(),
            modified: modified.to_string(),
            changed: changed.to_string(),
        }
    }
}

/// What happened to a file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    /// It was sent; holds the ticket of the session.
    Sent(String),
    /// There is a verdict.
    Done(Box<FileResult>),
    /// It failed and has to be sent again; holds the reason.
    Failed(String),
    /// A batch was opened; holds its ticket. The path is empty.
    Batch(String),
    /// It was sent into the latest batch; holds its `data_id`.
    InBatch(String),
    /// The latest batch was cancelled. The path is empty.
    BatchCancelled,
}

/// How far a previous run came with a file.
#[derive(Clone, Debug)]
pub(super) enum PreviousProgress {
    /// There is a verdict.
    Done(FileResult),
    /// The file was sent.
    Sent(Ticket),
}

/// How far previous runs came, by path.
#[derive(Debug, Default)]
pub(super) struct PreviousRuns {
    files: HashMap<String, (JournalVersion, PreviousProgress)>,
    /// The latest batch.
    batch: Option<Ticket>,
    /// The files in it, with the `data_id` of each.
    in_batch: HashMap<String, (Option<JournalVersion>, String)>,
}

/// The journal; without a file it records nothing.
#[derive(Debug, Default)]
pub(super) struct Journal {
    file: Option<Mutex<Flock<std::fs::File>>>,
    cluster: String,
    options: String,
    has_warned: AtomicBool,
}

impl PreviousRuns {
    /// How far previous runs came with a file; none if the file has changed since.
    pub(super) fn progress_of(&self, file: &ListedFile) -> Option<&PreviousProgress> {
        let (version, progress) = self.files.get(&path_key(&file.path))?;
        (*version == file.version.into()).then_some(progress)
    }

    /// The latest batch.
    pub(super) fn batch(&self) -> Option<&Ticket> {
        self.batch.as_ref()
    }

    /// Number of files in the latest batch.
    pub(super) fn files_in_batch(&self) -> usize {
        self.in_batch.len()
    }

    /// The `data_id` of a file in the latest batch; none if the file has changed since.
    pub(super) fn data_id_in_batch(&self, file: &ListedFile) -> Option<&str> {
        let (version, data_id) = self.in_batch.get(&path_key(&file.path))?;
        (version.as_ref() == Some(&file.version.into())).then_some(data_id)
    }
}

impl Journal {
    /// Opens the journal and reads what previous runs recorded for this cluster with the same
    /// options, as their fingerprint says. An incomplete last line is ignored.
    ///
    /// # Errors
    /// The file cannot be read or locked, is not a journal, or another scan uses it.
    pub(super) fn open(path: Option<&Path>, cluster: &str, options: &str) -> anyhow::Result<(Self, PreviousRuns)> {
        let Some(path) = path else { return Ok(Default::default()) };
        let at = || format!("--resume: {}", path.display());
        if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            bail!("{} is not a regular file", at());
        }
        // Tickets may contain cookies, so only the owner may read the file.
        let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
        let mut file = match Flock::lock(opened.with_context(at)?, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => bail!("{}: another scan uses this journal", at()),
            Err((_, error)) => return Err(error).with_context(at),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(at)?;
        let previous = parse(&bytes, cluster, options).with_context(at)?;
        // Ends an incomplete last line, so that the next line is not appended to it.
        let is_incomplete = bytes.last().is_some_and(|&byte| byte != b'\n');
        let ended = if is_incomplete { file.write_all(b"\n") } else { Ok(()) };
        let (file, has_warned) = (Some(Mutex::new(file)), AtomicBool::new(false));
        let journal = Self { file, cluster: cluster.to_owned(), options: options.to_owned(), has_warned };
        match ended {
            Ok(()) => Ok((journal, previous)),
            Err(error) => {
                journal.warn(&error);
                Ok((Self::default(), previous))
            }
        }
    }

    /// Records that a file was sent.
    pub(super) fn sent(&self, file: &ListedFile, ticket: &Ticket) {
        self.record(file, Entry::Sent(ticket.to_string()));
    }

    /// Records the verdict on a file.
    pub(super) fn done(&self, file: &ListedFile, result: &FileResult) {
        self.record(file, Entry::Done(Box::new(result.clone())));
    }

    /// Records that a file failed.
    pub(super) fn failed(&self, file: &ListedFile, reason: &str) {
        self.record(file, Entry::Failed(reason.to_owned()));
    }

    /// Records that a batch was opened. A run that continues a batch must not record it again: the
    /// files in it would no longer be known.
    pub(super) fn batch_opened(&self, ticket: &Ticket) {
        self.add(String::new(), None, Entry::Batch(ticket.to_string()));
    }

    /// Records that the batch was cancelled: no run can continue it.
    pub(super) fn batch_cancelled(&self) {
        self.add(String::new(), None, Entry::BatchCancelled);
    }

    /// Records that a file was sent into the batch.
    pub(super) fn sent_into_batch(&self, file: &ListedFile, data_id: &str) {
        self.record(file, Entry::InBatch(data_id.to_owned()));
    }

    fn record(&self, file: &ListedFile, entry: Entry) {
        // A file whose next change may leave no trace has no version: the next run scans it again.
        let version = file.version.is_settled().then(|| file.version.into());
        self.add(path_key(&file.path), version, entry);
    }

    fn add(&self, path: String, version: Option<JournalVersion>, entry: Entry) {
        if let Err(error) =
            self.write(&Line { cluster: self.cluster.clone(), options: self.options.clone(), path, version, entry })
        {
            self.warn(&error);
        }
    }

    /// Warns once that the journal cannot be written.
    fn warn(&self, error: &io::Error) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            let _ = writeln!(
                io::stderr(),
                "evenkeel: the journal of --resume cannot be written: {error}; the scan continues without it"
            );
        }
    }

    fn write(&self, line: &Line) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let text = serde_json::to_string(line)? + "\n";
        // One write per line: several sessions write.
        file.lock().map_err(|_| io::Error::other("a writer has panicked"))?.write_all(text.as_bytes())
    }
}

/// Parses a journal; lines of other clusters, lines with other options, and lines that cannot be
/// parsed are skipped.
///
/// # Errors
/// The file is not a journal.
fn parse(bytes: &[u8], cluster: &str, options: &str) -> anyhow::Result<PreviousRuns> {
    let mut previous = PreviousRuns::default();
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut parsed = 0;
    for text in &lines {
        let Ok(line) = serde_json::from_slice::<Line>(text) else { continue };
        parsed += 1;
        if line.cluster != cluster || line.options != options {
            continue;
        }
        let progress = match line.entry {
            Entry::Done(result) => Some(PreviousProgress::Done(*result)),
            Entry::Sent(ticket) => ticket.parse().ok().map(PreviousProgress::Sent),
            Entry::Failed(_) => None,
            Entry::Batch(ticket) => {
                previous.batch = ticket.parse().ok();
                previous.in_batch.clear();
                continue;
            }
            Entry::BatchCancelled => {
                previous.batch = None;
                previous.in_batch.clear();
                continue;
            }
            Entry::InBatch(data_id) => {
                previous.in_batch.insert(line.path, (line.version, data_id));
                continue;
            }
        };
        match progress.zip(line.version) {
            Some((progress, version)) => drop(previous.files.insert(line.path, (version, progress))),
            None => drop(previous.files.remove(&line.path)),
        }
    }
    // A journal with nothing but an incomplete first line is accepted.
    let is_journal = parsed > 0 || lines.len() <= 1 && bytes.first().is_none_or(|&byte| byte == b'{');
    if is_journal { Ok(previous) } else { bail!("this is not the journal of a scan") }
}

/// The absolute path as text, so that runs from other folders find the file; its bytes in
/// hexadecimal if the path is not UTF-8.
fn path_key(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    path.to_str().map_or_else(|| format!("bytes {}", hex(path.as_os_str().as_encoded_bytes())), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::results::ScanVerdict;
    use super::*;

    const CLUSTER: &str = "http://core.lb.example:8008";

    fn file(name: &str, size: u64) -> ListedFile {
        let mut version = FileVersion::of(&std::fs::metadata(".").unwrap());
        (version.inode, version.size, version.changed) = (u64::MAX, size, 1_700_000_000_123_456_789);
        ListedFile { path: PathBuf::from(name), version }
    }

    fn result(name: &str) -> FileResult {
        let verdict = ScanVerdict::Blocked("Infected".to_owned());
        FileResult { verdict, ..FileResult::failed(PathBuf::from(name), String::new()) }
    }

    #[test]
    fn entries_are_read_back_while_the_file_is_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (journal, previous) = Journal::open(Some(&path), CLUSTER, "a0").unwrap();
        assert!(previous.progress_of(&file("a", 1)).is_none());
        assert!(
            Journal::open(Some(&path), CLUSTER, "a0")
                .unwrap_err()
                .to_string()
                .ends_with("another scan uses this journal")
        );
        journal.sent(&file("a", 1), &"file 10.0.0.11:8008 3f2a".parse().unwrap());
        journal.sent(&file("b", 1), &"file 10.0.0.11:8008 77b1".parse().unwrap());
        journal.done(&file("b", 1), &result("b"));
        journal.sent(&file("c", 1), &"file 10.0.0.11:8008 0815".parse().unwrap());
        journal.failed(&file("c", 1), "the node is gone");
        drop(journal);
        let (_, previous) = Journal::open(Some(&path), CLUSTER, "a0").unwrap();
        assert!(matches!(previous.progress_of(&file("a", 1)), Some(PreviousProgress::Sent(_))));
        assert!(
            matches!(previous.progress_of(&file("b", 1)), Some(PreviousProgress::Done(b)) if b.verdict == result("b").verdict)
        );
        assert!(previous.progress_of(&file("c", 1)).is_none());
        assert!(
            previous.progress_of(&file("a", 2)).is_none() && previous.progress_of(&file("b", 2)).is_none(),
            "the files have changed"
        );
    }

    #[test]
    fn what_was_recorded_with_other_options_or_for_another_cluster_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let batch = "batch 10.0.0.11:8008 77b1".parse().unwrap();
        let (journal, _) = Journal::open(Some(&path), CLUSTER, "a0").unwrap();
        journal.done(&file("a", 1), &result("a"));
        journal.sent(&file("b", 1), &"file 10.0.0.11:8008 3f2a".parse().unwrap());
        journal.batch_opened(&batch);
        journal.sent_into_batch(&file("c", 1), "0815");
        drop(journal);
        let known = |cluster, options| {
            let (_, previous) = Journal::open(Some(&path), cluster, options).unwrap();
            let files = ["a", "b"].iter().filter(|name| previous.progress_of(&file(name, 1)).is_some()).count();
            (files, previous.batch().is_some(), previous.files_in_batch())
        };
        assert_eq!(known(CLUSTER, "a0"), (2, true, 1));
        assert_eq!(known(CLUSTER, "b1"), (0, false, 0));
        assert_eq!(known("http://other:8008", "a0"), (0, false, 0));
        Journal::open(Some(&path), CLUSTER, "b1").unwrap().0.batch_cancelled();
        assert_eq!(known(CLUSTER, "a0"), (2, true, 1));
        Journal::open(Some(&path), CLUSTER, "a0").unwrap().0.batch_cancelled();
        assert_eq!(known(CLUSTER, "a0"), (2, false, 0));
    }

    #[test]
    fn an_incomplete_line_does_not_affect_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let record = |name: &str| {
            let (journal, _) = Journal::open(Some(&path), CLUSTER, "a0").unwrap();
            journal.done(&file(name, 1), &result(name));
        };
        record("ä");
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            record("b");
            let (_, previous) = Journal::open(Some(&path), CLUSTER, "a0").unwrap();
            assert!(previous.progress_of(&file("b", 1)).is_some(), "cut at {cut}");
        }
    }

    #[test]
    fn files_that_are_not_journals_are_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "my notes\nand more\n").unwrap();
        let refused = Journal::open(Some(&path), CLUSTER, "a0").unwrap_err();
        assert!(format!("{refused:#}").contains("notes.txt: this is not the journal"), "{refused:#}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes\nand more\n");
        assert!(Journal::open(Some(Path::new("/dev/full")), CLUSTER, "a0").is_err());
    }
}
