//! The program of an `exec` monitor.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::behaviour::{Behaviour, ChangingNode, apply_behaviours};

/// Reads the file `behaviour` before it counts the probe in the file `probes`. A change after that
/// affects only the next probe.
const SCRIPT: &str = "cd \"$1\" && behaviour=$(cat behaviour) && echo >> probes\n\
                      case $behaviour in\n\
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
    /// Creates a program that behaves as the node.
    pub(super) fn new(node: &Arc<ChangingNode>) -> Self {
        let program = Self { directory: tempfile::tempdir().expect("the test can create a directory") };
        let directory = program.directory.path().to_owned();
        std::fs::write(directory.join("script"), SCRIPT).expect("the test can write its directory");
        symlink("/bin/sh", shell(&directory)).expect("the test can write its directory");
        let probes = directory.join("probes");
        let probes = move || Some(std::fs::metadata(&probes).map_or(0, |file| file.len()));
        apply_behaviours(node, probes, move |behaviour| behave(&directory, behaviour));
        program
    }

    /// The `command` of the monitor.
    pub(super) fn command(&self) -> String {
        let directory = self.directory.path();
        format!("[{:?}, {:?}, {directory:?}]", shell(directory), directory.join("script"))
    }
}

/// The link to the shell. Without it, the program cannot be started.
fn shell(directory: &Path) -> PathBuf {
    directory.join("program")
}

/// Changes the behaviour of the program.
fn behave(directory: &Path, behaviour: Behaviour) {
    if behaviour == Behaviour::Refuses {
        std::fs::remove_file(shell(directory)).expect("the link exists");
        return;
    }
    // A rename is atomic for a probe that reads the file.
    let new = directory.join("new");
    std::fs::write(&new, format!("{behaviour:?}")).expect("the test can write its directory");
    std::fs::rename(new, directory.join("behaviour")).expect("the test can write its directory");
}
