//! The fake Core node and the double of `tests/core_double` against `tests/core_api/openapi.yaml`,
//! the description of the REST API of Core nodes.
//!
//! schemathesis generates requests from the description, with a fixed seed, and checks each response
//! by it. `flows.py` takes both servers through the flows of clients, and compares them.

use std::path::PathBuf;
use std::process::Command;

use crate::support::core_double::CoreDouble;
use crate::support::fake_core_process::FakeCoreProcess;
use crate::support::program::{from_pypi, output_of};
use crate::support::repository;

/// Both servers at the start of a flow.
struct Servers {
    fake: FakeCoreProcess,
    double: CoreDouble,
}

impl Servers {
    fn start(fake: &[&str], double: &[&str]) -> Self {
        // The description says what the body of `/readyz` is; no document says when it is left out.
        Self {
            fake: FakeCoreProcess::start(fake),
            double: CoreDouble::start(&[&["--readyz-body", "always"], double].concat()),
        }
    }

    /// Runs one kind of flow on both servers; each response has the same status.
    #[track_caller]
    fn agree(&self, kind: &str) {
        let flow = |url: &str| {
            let mut python = Command::new(from_pypi("schemathesis").with_file_name("python"));
            run(python.arg(file("flows.py")).args([url, kind]))
        };
        let (fake, double) = (flow(&self.fake.url), flow(&self.double.url()));
        assert!(!fake.is_empty());
        assert_eq!(fake, double);
    }
}

/// Sends generated requests, and checks each response by the description.
#[track_caller]
fn check_generated_requests(url: &str) {
    let mut schemathesis = Command::new(from_pypi("schemathesis"));
    schemathesis.arg("--config-file").arg(file("schemathesis.toml"));
    run(schemathesis.arg("run").arg(file("openapi.yaml")).args(["--no-color", "--url", url]));
}

/// A file of `tests/core_api`.
fn file(name: &str) -> PathBuf {
    repository::root().join("tests/core_api").join(name)
}

/// Runs a command, which must succeed, in a directory for the files that it leaves. Returns its
/// output.
#[track_caller]
fn run(command: &mut Command) -> String {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    output_of(command.current_dir(directory.path()))
}

#[test]
fn generated_requests_to_the_fake_node_have_described_responses() {
    let node = FakeCoreProcess::start(&["--faults", "{\"scan_ms\": 0}"]);
    check_generated_requests(&node.url);
}

#[test]
fn generated_requests_to_the_double_have_described_responses() {
    let double = CoreDouble::start(&["--readyz-body", "always", "--scan-seconds", "0"]);
    check_generated_requests(&double.url());
}

#[test]
fn scans_and_batches_are_as_described_and_alike() {
    Servers::start(&["--faults", "{\"scan_ms\": 0}"], &["--scan-seconds", "0"]).agree("quick");
}

#[test]
fn scans_in_progress_are_as_described_and_alike() {
    Servers::start(&["--faults", "{\"scan_ms\": 600000}"], &["--scan-seconds", "600"]).agree("slow");
}

#[test]
fn licenses_and_hot_backups_are_as_described_and_alike() {
    Servers::start(&["--backup"], &["--role", "backup"]).agree("backup");
}
