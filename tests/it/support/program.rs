//! Programs of Debian's packages, and processes that end with the test.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Which tests need which programs: `tests/run --without PROGRAM` leaves tests out by this table.
pub(crate) const NEEDS: &str = include_str!("../../needs");

/// Path of a program that `tests/needs` lists for the current test.
///
/// # Panics
/// The program is missing, or is not listed. Such a test fails; it is not skipped.
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

/// Checks that `tests/needs` lists a program for the current test.
///
/// Only threads of the test harness have the name of a test. The check is left out in a thread that
/// the test started, and if tests run one at a time.
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

/// Builds a program of `crates/bench-tools` and returns its path.
///
/// Cargo builds the programs of the tested package alone before its tests run. This build uses the
/// target directory and the profile of the tests; it is quick unless the program has changed.
#[track_caller]
pub(crate) fn bench_tool(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("this program has a path");
    let directory = tests.parent().and_then(Path::parent).expect("TARGET/PROFILE/deps/it");
    // The profile of the directory `debug` is called `dev`; others are called as their directory.
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
