//! Programs of Debian packages and of this workspace, and processes that end with the test.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::repository;

/// The table of programs that tests need. `tests/run --without PROGRAM` skips tests by it.
pub(crate) const NEEDS: &str = include_str!("../../needs");

/// Path of a program that `tests/needs` lists for the current test.
///
/// # Panics
/// Panics if the program is missing or not listed. So the test fails; it is never skipped.
#[track_caller]
pub(crate) fn required(program: &str, package: &str) -> PathBuf {
    assert_listed(program);
    installed(program, package).unwrap_or_else(|message| panic!("{message}"))
}

/// Path of a program, or a message that names its Debian package.
pub(crate) fn installed(program: &str, package: &str) -> Result<PathBuf, String> {
    let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"]
        .iter()
        .map(|directory| Path::new(directory).join(program))
        .find(|path| path.exists());
    found.ok_or_else(|| format!("{program} is not installed: apt-get install {package}"))
}

/// Path of a program that `tests/needs` lists for the current test, and that `tests/run` installs
/// from PyPI, in the listed version.
///
/// # Panics
/// As [`required`] does, and also if another version is installed.
#[track_caller]
pub(crate) fn from_pypi(program: &str) -> PathBuf {
    assert_listed(program);
    let lines = NEEDS.lines().filter_map(|line| line.strip_prefix("pypi ")?.split_once(' '));
    let version = lines.filter(|(name, _)| *name == program).map(|(_, version)| version).next();
    let version = version.unwrap_or_else(|| panic!("tests/needs has no version of {program}"));
    let environment = repository::root().join("target/pypi").join(format!("{program}-{version}"));
    let path = environment.join("bin").join(program);
    assert!(path.exists(), "{program} {version} is not installed: run tests/run, which installs it from PyPI");
    path
}

/// Checks that `tests/needs` lists a program for the current test.
///
/// Only threads of the test harness have the name of a test. Threads that the test started are not
/// checked, and neither are tests that run one at a time.
#[track_caller]
pub(crate) fn assert_listed(program: &str) {
    let current = std::thread::current();
    let Some(test) = current.name().filter(|name| name.contains("::")) else { return };
    let mut lines = NEEDS.lines().filter_map(|line| line.strip_prefix("test "));
    let is_listed = lines.any(|line| {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        (name == test || name.ends_with("::") && test.starts_with(name)) && words.any(|word| word == program)
    });
    assert!(is_listed, "{test} needs {program}: add that to its line in tests/needs");
}

/// A process that is killed when the test ends.
pub(crate) struct Process {
    pub(crate) child: Child,
    /// The process leads a process group, which is killed with it.
    has_group: bool,
}

impl Process {
    /// Starts a program that starts no other programs.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self { child, has_group: false }
    }

    /// Starts a program in a process group of its own. Drop then kills all programs that it
    /// started.
    pub(crate) fn start_group(command: &mut Command) -> Self {
        let mut process = Self::start(command.process_group(0));
        process.has_group = true;
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.has_group {
            let _ = Command::new("/bin/sh").arg("-c").arg(format!("kill -KILL -{}", self.child.id())).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process, by the name of the signal, for example `HUP`.
#[track_caller]
pub(crate) fn signal(name: &str, process: u32) {
    output_of(Command::new("/bin/sh").arg("-c").arg(format!("kill -{name} {process}")));
}

/// Runs a command, which must succeed; returns its standard output.
#[track_caller]
pub(crate) fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    text
}

/// Builds a program of `crates/bench-tools` and returns its path.
///
/// Before the tests of a package, cargo builds only the programs of that package. This build uses
/// the target directory and the profile of the tests, and is quick unless the program has changed.
#[track_caller]
pub(crate) fn bench_tool(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("the test program has a path");
    let directory = tests.parent().and_then(Path::parent).expect("the path ends in PROFILE/deps/it");
    // The directory of the profile `dev` is `debug`; other profiles have directories of their name.
    let profile = directory.file_name().filter(|name| *name != "debug").unwrap_or_else(|| "dev".as_ref());
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--message-format=json", "--package=evenkeel-bench-tools"]);
    cargo.args(["--bin", name, "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    cargo.arg("--profile").arg(profile).arg("--target-dir").arg(directory.with_file_name(""));
    let messages = output_of(&mut cargo);
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == name).then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    messages.lines().find_map(executable).unwrap_or_else(|| panic!("cargo built no {name}:\n{messages}"))
}

/// Path of an example, which cargo builds before all tests.
///
/// # Panics
/// Panics if the example is not built. This happens if cargo builds only some of the tests.
#[track_caller]
pub(crate) fn example(name: &str) -> String {
    let tests = std::env::current_exe().expect("the test program has a path");
    let target = tests.parent().and_then(Path::parent).expect("the path ends in PROFILE/deps/it");
    let example = target.join("examples").join(name);
    assert!(
        example.exists(),
        "example {name} is not built: run `cargo test --workspace` without `--test`, or `cargo build --workspace --examples`"
    );
    example.to_str().expect("cargo builds below a path of text").to_owned()
}
