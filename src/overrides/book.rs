//! Where overrides are kept: one file in `state_dir`, written before anything is acknowledged.

use std::io;
use std::path::{Path, PathBuf};

use super::Overrides;
use crate::state::{self, Found};

/// Name of the file in `state_dir`.
const FILE: &str = "overrides.json";

/// The overrides, and their file.
#[derive(Debug)]
pub struct Book {
    /// Without one, overrides last as long as the process.
    directory: Option<PathBuf>,
    overrides: Overrides,
}

/// A book, and what was odd with its file.
#[derive(Debug)]
pub struct Opened {
    /// The book.
    pub book: Book,
    /// A file that is none of ours, or torn: where it was put.
    pub set_aside: Option<String>,
}

impl Book {
    /// Opens the book of a directory, which is made when it is missing.
    ///
    /// # Errors
    /// The directory or the file cannot be used. A file that cannot be understood is no error: it is put aside.
    pub fn open(directory: Option<&Path>) -> io::Result<Opened> {
        let mut book = Self { directory: directory.map(Path::to_owned), overrides: Overrides::default() };
        let mut set_aside = None;
        if let Some(directory) = directory {
            match state::read(directory, FILE)? {
                Found::Written(overrides) => book.overrides = overrides,
                Found::Nothing => {}
                Found::SetAside(what) => set_aside = Some(what),
            }
        }
        Ok(Opened { book, set_aside })
    }

    /// What is said of all nodes.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Whether overrides survive the process.
    pub fn is_kept(&self) -> bool {
        self.directory.is_some()
    }

    /// Changes what is said. When this returns, the disk has it.
    ///
    /// # Errors
    /// The system's; then nothing has changed.
    pub fn change(&mut self, change: impl FnOnce(&mut Overrides)) -> io::Result<()> {
        let mut overrides = self.overrides.clone();
        change(&mut overrides);
        if let Some(directory) = &self.directory {
            state::write(directory, FILE, &overrides)?;
        }
        self.overrides = overrides;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::overrides::{Ended, Override};
    use crate::pool::Word;

    fn drain(why: &str) -> Override {
        Override { word: Word::Drain, by: "ops".into(), why: why.into(), at: 5, until: Some(9) }
    }

    #[test]
    fn what_is_set_is_there_when_the_book_is_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let mut book = Book::open(Some(&path)).unwrap().book;
        let both = |overrides: &mut Overrides| {
            overrides.set("core/a", Some(drain("x")));
            overrides.set("core/b", Some(drain("y")));
        };
        book.change(both).unwrap();
        book.change(|overrides| overrides.set("core/b", None)).unwrap();
        let again = Book::open(Some(&path)).unwrap();
        assert_eq!(again.set_aside, None);
        assert_eq!(again.book.overrides(), book.overrides());
        assert_eq!(again.book.overrides().get("core/a"), Some(&drain("x")));
        let mut overrides = again.book.overrides().clone();
        assert_eq!(overrides.end(8), Ended::default());
        assert_eq!(overrides.end(9).words, ["core/a"]);
        assert_eq!(overrides, Overrides::default());
    }

    #[test]
    fn a_torn_or_foreign_file_is_set_aside_and_not_lost() {
        for text in
            ["", "{", "[1, {\"a/b\":{}}]", "[1, {}]", "[2, {\"words\":{},\"nominations\":{}}]", "[1]", "\u{0}\u{0}"]
        {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(FILE), text).unwrap();
            let opened = Book::open(Some(directory.path())).unwrap();
            assert!(opened.set_aside.is_some(), "{text}");
            let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert_eq!(names.len(), 1);
            assert_eq!(fs::read_to_string(&names[0]).unwrap(), text);
        }
    }

    #[test]
    fn what_cannot_be_written_has_not_happened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let mut book = Book::open(Some(&path)).unwrap().book;
        fs::remove_dir(&path).unwrap();
        assert!(book.change(|overrides| overrides.set("core/a", Some(drain("x")))).is_err());
        assert_eq!(book.overrides(), &Overrides::default());
    }
}
