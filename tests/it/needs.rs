//! `tests/needs` and `tests/run`: the table lists the programs that tests use, and the script uses
//! the table.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::support::program::NEEDS;
use crate::support::repository::{self, files_below};

/// The words of the lines of a kind, `program` or `test`, without the kind.
fn lines(kind: &str) -> Vec<Vec<&'static str>> {
    let words = NEEDS.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    words.filter(|words| words[0] == kind).map(|words| words[1..].to_vec()).collect()
}

#[test]
fn every_program_that_the_tests_require_is_in_the_table() {
    let mut required = BTreeSet::new();
    for path in files_below(&repository::root().join("tests/it"), "rs") {
        let text = fs::read_to_string(&path).expect("the repository can be read");
        for call in ["required(\"", "installed(\""].iter().flat_map(|function| text.split(function).skip(1)) {
            let mut quoted = call.split('"');
            let pair = (quoted.next(), quoted.nth(1));
            required.insert((
                pair.0.expect("the call names a program").to_owned(),
                pair.1.expect("the call names a package").to_owned(),
            ));
        }
    }
    let listed: BTreeSet<_> = lines("program").iter().map(|words| (words[0].to_owned(), words[1].to_owned())).collect();
    assert!(required.is_subset(&listed), "tests/needs lacks {:?}", required.difference(&listed));
    // The C compiler is needed to build, and the others are modules of Python and Node.js.
    let not_started = ["cc", "h2", "httpx", "requests", "undici"];
    let unused = listed.difference(&required).filter(|(program, _)| !not_started.contains(&program.as_str()));
    assert_eq!(unused.collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "no test requires these programs");
}

#[test]
fn every_program_from_pypi_has_one_exact_version() {
    for words in lines("pypi") {
        let [program, version] = words[..] else { panic!("{words:?} is not a name and a version") };
        assert!(version.split('.').all(|number| number.parse::<u32>().is_ok()), "{program} {version}");
        assert_eq!(lines("pypi").iter().filter(|words| words[0] == program).count(), 1, "{program}");
    }
}

#[test]
fn every_test_in_the_table_exists_and_needs_programs_of_the_table() {
    let programs: Vec<_> = [lines("program"), lines("pypi")].concat().iter().map(|words| words[0]).collect();
    let source_modules: BTreeSet<String> = ["src", "crates"]
        .iter()
        .flat_map(|top| files_below(&repository::root().join(top), "rs"))
        .collect::<Vec<_>>()
        .iter()
        .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        .collect();
    for words in lines("test") {
        let (module, name) = words[0].rsplit_once("::").expect("the name of a test has a module");
        let path = repository::root().join("tests/it").join(module.replace("::", "/"));
        let file = [path.with_extension("rs"), path.join("mod.rs")].into_iter().find(|file| file.exists());
        let file = file.unwrap_or_else(|| panic!("there is no module {module}"));
        let text = fs::read_to_string(file).expect("the repository can be read");
        assert!(name.is_empty() || text.contains(&format!("fn {name}()")), "there is no test {}", words[0]);
        // The harness matches parts of names, so `module::` also matches a module of the sources.
        assert!(!name.is_empty() || !source_modules.contains(module), "{module} is also a module of the sources");
        assert!(words.len() > 1 && words[1..].iter().all(|program| programs.contains(program)), "{words:?}");
    }
}

/// Which programs of the table are installed.
#[derive(PartialEq)]
enum Installed {
    All,
    None,
}

/// The package manager of the system.
#[derive(PartialEq)]
enum PackageManager {
    Apt,
    None,
}

/// Runs `tests/run` with a cargo that prints its arguments and fails with code 7.
fn tests_run(installed: Installed, package_manager: PackageManager, arguments: &[&str]) -> Output {
    let programs = tempfile::tempdir().expect("the test can create a directory");
    let stub = |name: &str, script: &str| {
        let path = programs.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("the test can write its directory");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the test owns the file");
    };
    for tool in ["cat", "cut", "dirname", "grep", "sort"] {
        let path = ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(tool));
        let found = path.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{tool} is not installed"));
        symlink(found, programs.path().join(tool)).expect("the test can write its directory");
    }
    if installed == Installed::All {
        lines("program").iter().for_each(|words| stub(words[0], ""));
    }
    if package_manager == PackageManager::Apt {
        stub("apt-get", "");
    }
    stub("cargo", "echo \"cargo $*\"; exit 7");
    let mut command = Command::new("/bin/sh");
    command.arg(repository::root().join("tests/run")).args(arguments).env("PATH", programs.path());
    // The script looks for these in Python, Node.js and the target directory, which are not replaced.
    for module in ["h2", "httpx", "requests", "schemathesis", "undici"] {
        command.args(["--without", module]);
    }
    command.output().expect("the shell starts")
}

#[test]
fn without_skips_the_tests_that_need_a_program_and_lists_them() {
    let output =
        tests_run(Installed::All, PackageManager::Apt, &["--without", "nginx", "--without=haproxy", "some_test"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(7), "the exit code is that of cargo: {output:?}");
    let (cargo, summary) = text.split_once('\n').expect("the script prints several lines");
    assert!(cargo.starts_with("cargo test --locked --workspace some_test -- --skip agent_checks::"), "{cargo}");
    assert!(cargo.contains(" --skip recipes:: ") && !cargo.contains("peers::"), "{cargo}");
    for expected in
        ["NOT RUN without nginx:\n    recipes::\n    verdicts::", "NOT RUN without haproxy:\n    agent_checks::"]
    {
        assert!(summary.contains(expected), "{summary}");
    }
    let output = tests_run(Installed::All, PackageManager::Apt, &["--", "some_test", "--nocapture"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = "cargo test --locked --workspace -- some_test --nocapture --skip core_api:: --skip dns_over_https::httpx_queries_over_both_versions_of_http ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn missing_programs_are_listed_if_they_cannot_be_installed() {
    // The script also looks in these directories, where systems keep servers.
    let exists = |program: &str| ["/usr/sbin", "/sbin"].iter().any(|sbin| Path::new(sbin).join(program).exists());
    let modules = ["h2", "httpx", "nginx", "requests", "undici"];
    let (present, missing): (Vec<_>, Vec<_>) =
        lines("program").into_iter().filter(|words| !modules.contains(&words[0])).partition(|words| exists(words[0]));
    assert!(!missing.is_empty(), "all programs are in /usr/sbin: {present:?}");
    let output = tests_run(Installed::None, PackageManager::None, &["--without", "nginx"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    for words in missing {
        assert!(text.contains(&format!("\n    {:12} {}\n", words[0], words[1])), "{words:?}: {text}");
        assert!(text.contains(&format!(" --without {}", words[0])), "{words:?}: {text}");
    }
    assert!(!text.contains("nginx"), "{text}");
}

#[test]
fn without_refuses_a_program_that_no_test_needs() {
    for arguments in [&["--without", "gcc-99"][..], &["--without=cc"]] {
        let output = tests_run(Installed::All, PackageManager::Apt, arguments);
        assert!(output.status.code() == Some(64) && output.stdout.is_empty(), "{output:?}");
    }
}
