//! The program of an `exec` monitor, which behaves as it is told to.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::behaviour::{Behaviour, Turning, follow};

/// Counts the probe when it knows what to do, so that whoever waits for it changes only the next one.
const SCRIPT: &str = "cd \"$1\" && word=$(cat word) && echo >> probes\n\
                      case $word in\n\
                      Well) exit 0 ;;\n\
                      Slow) exec sleep 5 ;;\n\
                      HangsUp) kill -KILL $$ ;;\n\
                      *) echo queue is full; exit 1 ;;\n\
                      esac\n";

/// A program in a directory of its own.
pub(super) struct Program {
    directory: TempDir,
}

impl Program {
    pub(super) fn new(node: &Arc<Turning>) -> Self {
        let program = Self { directory: tempfile::tempdir().expect("a directory for the program") };
        let directory = program.directory.path().to_owned();
        std::fs::write(directory.join("script"), SCRIPT).expect("a script for the test");
        symlink("/bin/sh", shell(&directory)).expect("a link for the test");
        let probes = directory.join("probes");
        let probes = move || Some(std::fs::metadata(&probes).map_or(0, |file| file.len()));
        follow(node, probes, move |behaviour| behave(&directory, behaviour));
        program
    }

    /// The `command` of the monitor.
    pub(super) fn command(&self) -> String {
        let directory = self.directory.path();
        format!("[{:?}, {:?}, {directory:?}]", shell(directory), directory.join("script"))
    }
}

/// A name of the shell that can be taken away.
fn shell(directory: &Path) -> PathBuf {
    directory.join("program")
}

fn behave(directory: &Path, behaviour: Behaviour) {
    if behaviour == Behaviour::Refuses {
        std::fs::remove_file(shell(directory)).expect("it was there");
        return;
    }
    // At once, for a probe that is just reading it.
    let new = directory.join("new");
    std::fs::write(&new, format!("{behaviour:?}")).expect("a file for the test");
    std::fs::rename(new, directory.join("word")).expect("a file for the test");
}
