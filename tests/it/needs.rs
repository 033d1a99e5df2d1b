//! `tests/needs` and `tests/run`: the table lists what the tests use, and the script goes by it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::program::NEEDS;

/// The words of the table's lines of a kind.
fn lines(kind: &str) -> Vec<Vec<&'static str>> {
    let words = NEEDS.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    words.filter(|words| words[0] == kind).map(|words| words[1..].to_vec()).collect()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory of the repository") {
        let path = entry.expect("a file of the repository").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_program_that_the_tests_require_is_in_the_table() {
    let mut required = BTreeSet::new();
    for path in sources(&repository().join("tests/it")) {
        let text = fs::read_to_string(&path).expect("a file of the repository");
        for call in ["required(\"", "installed(\""].iter().flat_map(|function| text.split(function).skip(1)) {
            let mut quoted = call.split('"');
            let pair = (quoted.next(), quoted.nth(1));
            required.insert((pair.0.expect("a program").to_owned(), pair.1.expect("a package").to_owned()));
        }
    }
    let listed: BTreeSet<_> = lines("program").iter().map(|words| (words[0].to_owned(), words[1].to_owned())).collect();
    assert!(required.is_subset(&listed), "tests/needs lacks {:?}", required.difference(&listed));
    // The compiler's, and modules of Python and Node.js.
    let apart = ["cc", "httpx", "requests", "undici"];
    let unused = listed.difference(&required).filter(|(program, _)| !apart.contains(&program.as_str()));
    assert_eq!(unused.collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "no test requires it");
}

#[test]
fn every_test_in_the_table_exists_and_needs_programs_of_the_table() {
    let programs: Vec<_> = lines("program").iter().map(|words| words[0]).collect();
    let others: BTreeSet<String> = ["src", "crates"]
        .iter()
        .flat_map(|top| sources(&repository().join(top)))
        .collect::<Vec<_>>()
        .iter()
        .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        .collect();
    for words in lines("test") {
        let (module, name) = words[0].rsplit_once("::").expect("the name of a test has a module");
        let path = repository().join("tests/it").join(module.replace("::", "/"));
        let file = [path.with_extension("rs"), path.join("mod.rs")].into_iter().find(|file| file.exists());
        let file = file.unwrap_or_else(|| panic!("there is no module {module}"));
        let text = fs::read_to_string(file).expect("a file of the repository");
        assert!(name.is_empty() || text.contains(&format!("fn {name}()")), "there is no test {}", words[0]);
        // The harness takes names for parts of names.
        assert!(!name.is_empty() || !others.contains(module), "{module} is also a module of the sources");
        assert!(words.len() > 1 && words[1..].iter().all(|program| programs.contains(program)), "{words:?}");
    }
}

/// Runs `tests/run` on a system that has the programs of the table, or none of them, and where cargo
/// prints its arguments and fails.
fn run(has_programs: bool, has_apt_get: bool, arguments: &[&str]) -> Output {
    let programs = tempfile::tempdir().expect("a directory for the test");
    let stub = |name: &str, script: &str| {
        let path = programs.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file for the test");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    };
    for tool in ["cat", "cut", "dirname", "grep", "sort"] {
        let path = ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(tool));
        let found = path.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{tool} is not installed"));
        symlink(found, programs.path().join(tool)).expect("a link for the test");
    }
    if has_programs {
        lines("program").iter().for_each(|words| stub(words[0], ""));
    }
    if has_apt_get {
        stub("apt-get", "");
    }
    stub("cargo", "echo \"cargo $*\"; exit 7");
    let mut command = Command::new("/bin/sh");
    command.arg(repository().join("tests/run")).args(arguments).env("PATH", programs.path());
    // Python and Node.js themselves are asked for these.
    for module in ["httpx", "requests", "undici"] {
        command.args(["--without", module]);
    }
    command.output().expect("the shell starts")
}

#[test]
fn tests_that_need_a_program_are_left_out_and_named() {
    let output = run(true, true, &["--without", "nginx", "--without=haproxy", "some_test"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(7), "cargo's own: {output:?}");
    let (cargo, summary) = text.split_once('\n').expect("lines");
    assert!(cargo.starts_with("cargo test --locked --workspace some_test -- --skip cookie::"), "{cargo}");
    assert!(cargo.contains(" --skip recipes:: ") && !cargo.contains("peers::"), "{cargo}");
    for expected in ["NOT RUN without nginx:\n    recipes::\n    verdicts::", "NOT RUN without haproxy:\n    cookie::"]
    {
        assert!(summary.contains(expected), "{summary}");
    }
    let output = run(true, true, &["--", "some_test", "--nocapture"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = "cargo test --locked --workspace -- some_test --nocapture --skip recipes::fetch_scans_single_files ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn what_is_missing_is_named_where_it_cannot_be_installed() {
    // Where the system keeps servers, the script looks, too.
    let is_there = |program: &str| ["/usr/sbin", "/sbin"].iter().any(|sbin| Path::new(sbin).join(program).exists());
    let modules = ["httpx", "nginx", "requests", "undici"];
    let (there, missing): (Vec<_>, Vec<_>) =
        lines("program").into_iter().filter(|words| !modules.contains(&words[0])).partition(|words| is_there(words[0]));
    assert!(!missing.is_empty(), "no system keeps all of them there: {there:?}");
    let output = run(false, false, &["--without", "nginx"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    for words in missing {
        assert!(text.contains(&format!("\n    {:12} {}\n", words[0], words[1])), "{words:?}: {text}");
        assert!(text.contains(&format!(" --without {}", words[0])), "{words:?}: {text}");
    }
    assert!(!text.contains("nginx"), "{text}");
}

#[test]
fn nothing_is_left_out_for_a_program_that_is_not_in_the_table() {
    for arguments in [&["--without", "gcc-99"][..], &["--without=cc"]] {
        let output = run(true, true, arguments);
        assert!(output.status.code() == Some(64) && output.stdout.is_empty(), "{output:?}");
    }
}
