//! Batches: several pages, closing, and uploads that break.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_client::{Cluster, Error, ResumedSession, Source, Ticket, Verdict};
use serde_json::json;

use super::{clean_and_infected, scan};
use crate::support::cluster::Wait;
use crate::support::core_double::CoreDouble;
use crate::support::fake_core_process::eicar;

#[test]
fn a_batch_of_several_pages_has_the_right_verdict_for_each_file() {
    let double = CoreDouble::start(&[]);
    let folder = tempfile::tempdir().expect("the test can create a directory");
    let mut expected = BTreeMap::new();
    for i in 0..200 {
        let name = format!("{i:03}.bin");
        let is_infected = i % 50 == 7;
        let content = match i {
            _ if is_infected => eicar(),
            // The last page is slow, and so is a file on the first.
            3 | 190..200 => format!("SLOW-2 {i}").into_bytes(),
            _ => format!("harmless {i}").into_bytes(),
        };
        std::fs::write(folder.path().join(&name), content).expect("the test can write its directory");
        expected.insert(name, if is_infected { "blocked" } else { "allowed" }.to_owned());
    }
    for options in [&["--batch"][..], &["--batch", "--concurrency", "32"], &[]] {
        let (code, verdicts, _) = scan(&double, folder.path(), options);
        assert_eq!((code, &verdicts), (Some(2), &expected), "{options:?}");
    }
    assert_eq!(double.counter("cancelled"), 0);
}

#[test]
fn the_status_of_a_batch_lists_the_files_of_all_pages() {
    let double = CoreDouble::start(&[]);
    let cluster = Cluster::new(&double.url()).expect("the URL is valid");
    let batch = cluster.open_batch().wait().expect("the double accepts the batch");
    assert_eq!(batch.status().wait().expect("the double knows the batch").files, [], "an empty batch has no list");
    let sources = (0..120).map(|i| Source::bytes(format!("{i}"), format!("harmless {i}")));
    let sent: BTreeSet<String> =
        batch.send_all(sources, 8).wait().into_iter().map(|sent| sent.expect("the double accepts the file")).collect();
    assert_eq!(sent.len(), 120);
    let closed = batch.close().wait().expect("the double closes the batch");
    let results = closed.results().wait().expect("the double knows the batch");
    assert_eq!(results.files.iter().map(|file| file.data_id.clone()).collect::<BTreeSet<_>>(), sent);
    assert!(results.is_closed && results.verdict == Some(Verdict::Allowed), "{results:?}");
    assert!(closed.signed_result().wait().expect("the batch is closed").contains("certificate"));
}

/// One upload of a batch breaks, and the node lives.
#[test]
fn a_broken_upload_does_not_give_up_a_batch() {
    let double = CoreDouble::start(&[]);
    let folder = tempfile::tempdir().expect("the test can create a directory");
    for i in 0..60 {
        std::fs::write(folder.path().join(format!("{i}")), format!("harmless {i}")).expect("the test can write there");
    }
    double.set_faults(&json!({ "reset": "after-body", "path": "/file", "method": "POST", "count": 3 }));
    let (code, verdicts, lines) = scan(&double, folder.path(), &["--batch"]);
    assert_eq!((code, verdicts.values().filter(|verdict| *verdict == "allowed").count()), (Some(0), 60), "{lines:?}");
}

/// One status that cannot be read does not discard the verdicts.
#[test]
fn a_batch_survives_errors_of_its_status() {
    let double = CoreDouble::start(&["--scan-seconds", "0.4"]);
    let folder = clean_and_infected();
    for status in [500, 502, 503, 599] {
        let refusal = json!({ "status": status, "err": "Failed" });
        double.set_faults(&json!({ "refuse": refusal, "path": "/file/batch", "method": "GET", "count": 2 }));
        let (code, verdicts, lines) = scan(&double, folder.path(), &["--batch"]);
        assert_eq!((code, verdicts["clean.txt"].as_str()), (Some(2), "allowed"), "{status}: {lines:?}");
        assert_eq!(lines[2]["verdict"], "blocked", "{lines:?}");
    }
}

/// The files of a batch have results even if the batch has none.
#[test]
fn the_verdicts_of_files_do_not_depend_on_the_status_of_their_batch() {
    let double = CoreDouble::start(&["--scan-seconds", "0"]);
    let folder = clean_and_infected();
    let refusal = json!({ "status": 500, "err": "Failed" });
    double.set_faults(&json!({ "refuse": refusal, "path": "/file/batch", "method": "GET" }));
    let (code, verdicts, lines) = scan(&double, folder.path(), &["--batch"]);
    assert_eq!((code, verdicts["clean.txt"].as_str(), verdicts["virus.com"].as_str()), (Some(2), "allowed", "blocked"));
    assert!(lines[2]["verdict"] == "failed" && lines[2]["batch_id"].is_string(), "{lines:?}");
    assert!(lines[2]["reason"].as_str().is_some_and(|reason| reason.contains("cannot be read")), "{lines:?}");
}

/// A node that denies access to the batch is not asked for `result_timeout`.
#[test]
fn a_batch_that_the_node_denies_or_never_closes_is_an_error() {
    let double = CoreDouble::start(&[]);
    let folder = clean_and_infected();
    for (status, reason) in [(403, "denied access"), (400, "status 400")] {
        let refusal = json!({ "status": status, "err": "Access denied" });
        double.set_faults(&json!({ "refuse": refusal, "path": "/file/batch/", "method": "POST" }));
        let (code, verdicts, lines) = scan(&double, folder.path(), &["--batch"]);
        double.set_faults(&json!({ "clear": true }));
        assert_eq!((code, verdicts.values().filter(|verdict| *verdict == "failed").count()), (Some(1), 2));
        assert!(lines[0]["reason"].as_str().is_some_and(|text| text.contains(reason)), "{lines:?}");
    }
}

/// A node that does not know a batch is told apart from one that has no signed result of it.
#[test]
fn unknown_sessions_and_missing_signed_results_have_their_own_errors() {
    let double = CoreDouble::start(&["--signing", "off"]);
    let cluster = Cluster::new(&double.url()).expect("the URL is valid");
    let batch = cluster.open_batch().wait().expect("the double accepts the batch");
    batch.send(&mut Source::bytes("a", "harmless")).wait().expect("the double accepts the file");
    let closed = batch.close().wait().expect("the double closes the batch");
    let unsigned = closed.signed_result().wait().expect_err("the double does not sign");
    assert!(matches!(unsigned, Error::NotSigned(_)), "{unsigned}");
    let resume = |kind: &str| {
        let ticket: Ticket = format!("{kind} {} 0123", double.address).parse().expect("the ticket is valid");
        cluster.resume(&ticket).expect("the node is the one of the cluster")
    };
    let ResumedSession::ClosedBatch(unknown) = resume("closed-batch") else { panic!("the ticket is of a batch") };
    let signed = unknown.signed_result().wait().expect_err("the double does not know the batch");
    let ResumedSession::OpenBatch(unknown) = resume("batch") else { panic!("the ticket is of a batch") };
    let cancelled = unknown.cancel().wait().expect_err("the double does not know the batch");
    let ResumedSession::File(unknown) = resume("file") else { panic!("the ticket is of a file") };
    let file = unknown.cancel().wait().expect_err("the double does not know the file");
    for error in [signed, cancelled, file] {
        assert!(matches!(error, Error::UnknownSession(_)), "{error}");
    }
}
