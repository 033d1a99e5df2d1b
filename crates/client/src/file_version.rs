//! The version of a file: what distinguishes its content from an earlier or a later one.
//!
//! [`Source`](crate::Source) compares versions to notice a file that changes while it is sent.
//! Programs can store one to know later whether a verdict still holds.

use std::fs::{File, Metadata};
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Two changes within this time can leave the same change time: kernels count it in ticks of up to
/// 10 ms.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// Wait between two looks at a file that has just changed, a little longer than [`CLOCK_TICK`].
const SETTLING: Duration = Duration::from_millis(25);

/// How many times a file is looked at again; one that changes each time is given up, after a
/// second.
const MAX_LOOKS: u32 = 40;

/// The version of a file. Times are in nanoseconds since 1970 and can be negative.
///
/// On Unix, programs can set the modification time, but not the change time. Elsewhere, `device`,
/// `inode` and `changed` are 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileVersion {
    /// The device that holds the file.
    pub device: u64,
    /// The number of the file on its device.
    pub inode: u64,
    /// Length in bytes.
    pub size: u64,
    /// Modification time (mtime).
    pub modified: i128,
    /// Change time (ctime).
    pub changed: i128,
}

impl FileVersion {
    /// The version of the file that has this metadata.
    #[cfg(unix)]
    pub fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The version of the file that has this metadata.
    #[cfg(not(unix))]
    pub fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        let modified = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        Self { device: 0, inode: 0, size: metadata.len(), modified, changed: 0 }
    }

    /// Waits until a later change of an open file would change its version, too; returns the
    /// version from then on. Takes 25 ms if the file has just changed, and no time otherwise.
    /// Blocks.
    ///
    /// # Errors
    /// The file changes all the time, for a second; or the system fails to look at it.
    pub fn wait_until_settled(file: &File) -> io::Result<Self> {
        let mut version = Self::of(&file.metadata()?);
        if version.is_settled() {
            return Ok(version);
        }
        version.settle(|| {
            std::thread::sleep(SETTLING);
            Ok(Self::of(&file.metadata()?))
        })?;
        Ok(version)
    }

    /// Looks again until the version is the same twice. The clock of a file server can differ from
    /// that of this machine; a version that stays the same for more than a tick is settled by any
    /// clock.
    fn settle(&mut self, mut look_again: impl FnMut() -> io::Result<Self>) -> io::Result<()> {
        for _ in 0..MAX_LOOKS {
            let previous = std::mem::replace(self, look_again()?);
            if *self == previous {
                return Ok(());
            }
        }
        Err(io::Error::other("it keeps changing"))
    }

    /// Returns true if a later change of the content changes the version, too. A file that changed
    /// within the latest tick of the clock can change again without a trace.
    pub fn is_settled(&self) -> bool {
        self.is_settled_at(SystemTime::now())
    }

    fn is_settled_at(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        // Programs can set the modification time, also to one in the future.
        let changed = if cfg!(unix) { self.changed } else { self.modified };
        changed + CLOCK_TICK.as_nanos() as i128 <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_just_changed_is_not_settled() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = file.as_file().metadata().unwrap();
        let (version, changed) = (FileVersion::of(&metadata), metadata.modified().unwrap());
        assert!(!version.is_settled_at(changed + Duration::from_millis(3)));
        assert!(!version.is_settled_at(changed - Duration::from_secs(3)), "the clock was set back");
        assert!(version.is_settled_at(changed + Duration::from_millis(30)));
    }

    #[cfg(unix)]
    #[test]
    fn a_modification_time_in_the_future_does_not_keep_a_file_from_settling() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let changed = file.as_file().metadata().unwrap().modified().unwrap();
        file.as_file().set_modified(changed + Duration::from_secs(86_400)).unwrap();
        let version = FileVersion::of(&file.as_file().metadata().unwrap());
        assert!(version.is_settled_at(changed + Duration::from_secs(1)));
    }

    /// Two writes within a tick can leave one version, so a file that is written all the time must
    /// not be read.
    #[test]
    fn a_file_that_keeps_changing_is_an_error_until_it_stops() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut version = FileVersion::of(&file.as_file().metadata().unwrap());
        let mut next = version;
        let mut change = |last: i128| {
            next.changed = (next.changed + 1).min(last);
            Ok(next)
        };
        assert_eq!(version.settle(|| change(i128::MAX)).unwrap_err().to_string(), "it keeps changing");
        let last = version.changed + 7;
        version.settle(|| change(last)).unwrap();
        assert_eq!(version.changed, last);
        // A file that has just changed is looked at more than once.
        std::fs::write(file.path(), "x").unwrap();
        let settled = FileVersion::wait_until_settled(file.as_file()).unwrap();
        assert!(settled.is_settled() && settled == FileVersion::of(&file.as_file().metadata().unwrap()));
    }

    /// `cp -p`, `rsync -a` and `tar` set the modification time.
    #[cfg(unix)]
    #[test]
    fn a_file_with_the_size_and_the_modification_time_of_another_has_another_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "clean").unwrap();
        let before = std::fs::metadata(&path).unwrap();
        std::thread::sleep(CLOCK_TICK);
        std::fs::write(&path, "virus").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(before.modified().unwrap()).unwrap();
        let after = std::fs::metadata(&path).unwrap();
        assert_eq!((before.len(), before.modified().unwrap()), (after.len(), after.modified().unwrap()));
        assert_ne!(FileVersion::of(&before), FileVersion::of(&after));
    }
}
