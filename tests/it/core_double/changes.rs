//! Files that change before, while and after they are scanned.

use std::path::Path;

use evenkeel_client::{Cluster, Error, Source};
use serde_json::json;

use super::scan;
use crate::support::cluster::Wait;
use crate::support::core_double::CoreDouble;
use crate::support::fake_core_process::eicar;
use crate::support::wait_until;

/// `cp -p`, `rsync -a` and `tar` keep size and modification time.
#[test]
fn a_file_that_replaces_another_of_the_same_size_and_time_is_scanned() {
    let double = CoreDouble::start(&[]);
    let folder = tempfile::tempdir().expect("the test can create a directory");
    let (file, journal) = (folder.path().join("a.bin"), folder.path().join("journal"));
    std::fs::write(&file, vec![b'x'; eicar().len()]).expect("the test can write its directory");
    let modified = std::fs::metadata(&file).and_then(|metadata| metadata.modified()).expect("the file exists");
    let options = ["--resume", journal.to_str().expect("the path is text")];
    let verdict = || scan(&double, &file, &options).1["a.bin"].clone();
    assert_eq!((verdict().as_str(), verdict().as_str(), double.counter("uploads")), ("allowed", "allowed", 1));
    // Written in place, and moved to its place.
    for replace in [true, false] {
        let other = if replace { folder.path().join("other") } else { file.clone() };
        let content = if replace { eicar() } else { vec![b'y'; eicar().len()] };
        std::fs::write(&other, content).expect("the test can write its directory");
        let opened = std::fs::File::options().write(true).open(&other).expect("the file exists");
        opened.set_modified(modified).expect("the time can be set");
        if replace {
            std::fs::rename(&other, &file).expect("the test can write its directory");
        }
        assert_eq!(verdict(), if replace { "blocked" } else { "allowed" });
    }
    assert_eq!(double.counter("uploads"), 3);
}

/// Each way to change a file after its upload has begun.
#[test]
fn a_file_that_changes_while_it_is_scanned_is_never_allowed() {
    let double = CoreDouble::start(&["--scan-seconds", "1"]);
    let changes: [fn(&Path); 4] = [
        |file| {
            let mut file = std::fs::File::options().append(true).open(file).expect("the file exists");
            std::io::Write::write_all(&mut file, b"more").expect("the test can write its directory");
        },
        |file| std::fs::write(file, eicar()).expect("the test can write its directory"),
        |file| {
            let other = file.with_extension("new");
            std::fs::write(&other, eicar()).expect("the test can write its directory");
            std::fs::rename(&other, file).expect("the test can write its directory");
        },
        |file| std::fs::remove_file(file).expect("the test can write its directory"),
    ];
    for options in [&[][..], &["--batch"]] {
        for (at, change) in changes.iter().enumerate() {
            let folder = tempfile::tempdir().expect("the test can create a directory");
            let file = folder.path().join("a.bin");
            std::fs::write(&file, vec![b'x'; eicar().len()]).expect("the test can write its directory");
            let uploads = double.counter("uploads");
            let (code, verdicts, lines) = std::thread::scope(|scope| {
                let scan = scope.spawn(|| scan(&double, &file, options));
                wait_until("the file is sent", || double.counter("uploads") > uploads);
                change(&file);
                scan.join().expect("the scan does not panic")
            });
            assert_eq!((code, verdicts["a.bin"].as_str()), (Some(1), "failed"), "{at} {options:?}: {lines:?}");
            assert!(lines[0]["reason"].as_str().is_some_and(|reason| reason.contains("changed")), "{lines:?}");
        }
    }
}

/// The caller gets no session, so the library ends the scan that the node has started.
#[test]
fn a_file_that_changes_during_its_upload_leaves_no_scan_behind() {
    let double = CoreDouble::start(&[]);
    let folder = tempfile::tempdir().expect("the test can create a directory");
    let file = folder.path().join("a.bin");
    std::fs::write(&file, "SLOW-600").expect("the test can write its directory");
    double.set_faults(&json!({ "stall": "after-body", "seconds": 1, "path": "/file", "method": "POST", "count": 1 }));
    let cluster = Cluster::new(&double.url()).expect("the URL is valid");
    let changed = std::thread::scope(|scope| {
        let scan = scope.spawn(|| cluster.scan(&mut Source::path(&file)).wait());
        wait_until("the file is sent", || double.counter("uploads") == 1);
        std::fs::write(&file, "changed!").expect("the test can write its directory");
        scan.join().expect("the scan does not panic").expect_err("the file has changed")
    });
    assert!(matches!(changed, Error::SourceChanged { .. }), "{changed}");
    assert_eq!(double.counter("cancelled"), 1);
}

/// `touch -d tomorrow`: programs can set the modification time to one in the future.
#[test]
fn a_file_from_the_future_is_remembered() {
    let double = CoreDouble::start(&[]);
    let folder = tempfile::tempdir().expect("the test can create a directory");
    let (file, journal) = (folder.path().join("a.bin"), folder.path().join("journal"));
    std::fs::write(&file, "harmless").expect("the test can write its directory");
    let opened = std::fs::File::options().write(true).open(&file).expect("the file exists");
    let tomorrow = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400);
    opened.set_modified(tomorrow).expect("the time can be set");
    let options = ["--resume", journal.to_str().expect("the path is text")];
    for _ in 0..2 {
        assert_eq!(scan(&double, &file, &options).0, Some(0));
    }
    assert_eq!(double.counter("uploads"), 1, "the second run shows the recorded verdict");
}
