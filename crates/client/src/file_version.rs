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

/// Wait for a file that has just changed, a little longer than [`CLOCK_TICK`].
const SETTLING: Duration = Duration::from_millis(25);

/// The version of a file. Times are in nanoseconds since 1970 and can be negative.
///
/// On Unix, programs can set the modification time, but not the change time. Elsewhere, `device`,
/// `inode` and `changed` are 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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

    /// The metadata of an open file. If the file has just changed, waits a moment first, so that a
    /// later change of the content changes the version, too. Blocks.
    ///
    /// # Errors
    /// Returns the error of the system.
    pub fn settled(file: &File) -> io::Result<Metadata> {
        let metadata = file.metadata()?;
        if Self::of(&metadata).is_settled() {
            return Ok(metadata);
        }
        std::thread::sleep(SETTLING);
        file.metadata()
    }

    /// Returns true if a later change of the content changes the version, too. A file that changed
    /// within the latest tick of the clock can change again without a trace.
    pub fn is_settled(&self) -> bool {
        self.is_settled_at(SystemTime::now())
    }

    fn is_settled_at(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        self.changed.max(self.modified) + CLOCK_TICK.as_nanos() as i128 <= now
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
