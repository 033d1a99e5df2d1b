//! Programs of Debian's packages, and processes that end with the test.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Path of a program.
///
/// # Panics
/// Names the Debian package when the program is missing: such a test fails, it is not skipped.
#[track_caller]
pub(crate) fn required(program: &str, package: &str) -> PathBuf {
    let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"]
        .iter()
        .map(|directory| Path::new(directory).join(program))
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{program} is not installed: apt-get install {package}"))
}

/// A process that is killed when the test ends, with its whole group if it has one of its own.
pub(crate) struct Running(pub(crate) Child, bool);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}")), false)
    }

    /// Starts a program that starts others.
    pub(crate) fn start_group(command: &mut Command) -> Self {
        let mut running = Self::start(command.process_group(0));
        running.1 = true;
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.1 {
            let _ = Command::new("/bin/sh").arg("-c").arg(format!("kill -KILL -{}", self.0.id())).status();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command to its end and gives its standard output.
#[track_caller]
pub(crate) fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Path of an example that cargo has built beside the tests.
///
/// # Panics
/// It has not: only a part of the tests was asked for.
#[track_caller]
pub(crate) fn example(name: &str) -> String {
    let tests = std::env::current_exe().expect("this program has a path");
    let target = tests.parent().and_then(Path::parent).expect("target/debug/deps");
    let example = target.join("examples").join(name);
    assert!(
        example.exists(),
        "example {name} is not built: run `cargo test --workspace` without `--test`, or `cargo build --workspace --examples`"
    );
    example.to_str().expect("a path of cargo's").to_owned()
}
