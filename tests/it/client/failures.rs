//! Nodes that refuse, are busy, stay silent or die: which error says so, and when another node takes
//! over.

use std::time::Duration;

use evenkeel_client::{Cluster, Error, ResolveError, ScanEvent, SkipReason, Source, Verdict};

use crate::support::certificates::self_signed;
use crate::support::cluster::{Wait, builder, start_server};
use crate::support::nodes::Nodes;

#[test]
fn dead_and_busy_nodes_are_skipped_before_a_session_starts() {
    let mut nodes = Nodes::start(3);
    let server = start_server(&nodes);
    let cluster = builder(&nodes, &server);
    // The server still answers both nodes.
    nodes.stop(0);
    nodes.set_faults(1, r#"{"queue": 0}"#);
    let patient = cluster.clone().build().expect("the options are valid");
    for _ in 0..20 {
        let scan = patient.scan(&mut Source::bytes("a", "x")).wait().expect("the third node accepts the session");
        assert_eq!(scan.node().ip(), nodes.address(2));
    }
    nodes.set_faults(2, r#"{"queue": 0}"#);
    // Long enough for several rounds on a loaded machine.
    let impatient = cluster.deadline(Duration::from_secs(3)).build().expect("the options are valid");
    let busy = impatient.scan(&mut Source::bytes("a", "x")).wait();
    assert!(matches!(&busy, Err(Error::AllNodesBusy { .. })), "{busy:?}");
    assert!(busy.unwrap_err().to_string().contains("Server is too busy. Try again later."));
    nodes.stop(1);
    nodes.stop(2);
    let unreachable = impatient.scan(&mut Source::bytes("a", "x")).wait();
    assert!(
        matches!(&unreachable, Err(Error::NoNodeReachable { skipped, .. }) if !skipped.is_empty()),
        "{unreachable:?}"
    );
}

#[test]
fn a_session_on_a_dead_node_fails_with_the_name_of_the_node() {
    let mut nodes = Nodes::start(2);
    let server = start_server(&nodes);
    (0..2).for_each(|node| nodes.set_faults(node, r#"{"scan_ms": 60000}"#));
    let cluster =
        builder(&nodes, &server).outage_timeout(Duration::from_millis(500)).build().expect("the options are valid");
    let scan = cluster.scan(&mut Source::bytes("a", "x")).wait().expect("a node accepts the session");
    let node = u8::from(scan.node().ip() == nodes.address(1));
    let id = scan.data_id().to_owned();
    nodes.stop(node);
    let lost = scan.result().wait().expect_err("the node is gone");
    assert!(matches!(&lost, Error::NodeGone { session, .. } if session.id.as_deref() == Some(&id)), "{lost}");
    assert_eq!(lost.session().map(|session| session.node), Some(scan.node()));
}

#[test]
fn resubmissions_send_the_file_to_another_node_if_its_node_dies() {
    for times in [0, 1] {
        let mut nodes = Nodes::start(2);
        let server = start_server(&nodes);
        (0..2).for_each(|node| nodes.set_faults(node, r#"{"scan_ms": 60000}"#));
        let cluster = builder(&nodes, &server).outage_timeout(Duration::from_millis(200)).resubmissions(times);
        let cluster = cluster.build().expect("the options are valid");
        let (mut died, mut lost) = (None, 0);
        let mut source = Source::bytes("a", "x");
        let report = cluster.scan_to_end_with_events(&mut source, |event| match event {
            ScanEvent::Started(scan) if died.is_none() => {
                let node = u8::from(scan.node().ip() == nodes.address(1));
                nodes.set_faults(1 - node, r#"{"scan_ms": 0}"#);
                died = Some(node);
                // In a thread: the runtime of a node must not be stopped inside another runtime.
                std::thread::scope(|scope| drop(scope.spawn(|| nodes.stop(node)).join()));
            }
            ScanEvent::Lost(_) => lost += 1,
            _ => {}
        });
        let outcome = report.wait();
        let died = died.expect("a node has accepted the file");
        assert_eq!(lost, times);
        match outcome {
            Ok(report) => assert!(times == 1 && report.node.ip() == nodes.address(1 - died), "{report:?}"),
            Err(error) => assert!(times == 0 && error.is_session_lost(), "{error}"),
        }
        assert_eq!(nodes.requests_at_wrong_node(), 0);
    }
}

/// Short outages are common, and no reason to lose a session.
#[test]
fn a_session_survives_a_short_outage() {
    let nodes = Nodes::start(1);
    let server = start_server(&nodes);
    nodes.set_faults(0, r#"{"scan_ms": 300}"#);
    let cluster =
        builder(&nodes, &server).stall_timeout(Duration::from_secs(2)).build().expect("the options are valid");
    let scan = cluster.scan(&mut Source::bytes("a", "x")).wait().expect("the node accepts the session");
    let batch = cluster.open_batch().wait().expect("the node accepts the session");
    nodes.set_faults(0, r#"{"outage": {"ms": 700}}"#);
    assert_eq!(scan.result().wait().expect("the node has the result").verdict, Verdict::Allowed);
    nodes.set_faults(0, r#"{"outage": {"ms": 700}}"#);
    batch.send(&mut Source::bytes("a", "x")).wait().expect("the node accepts the session");
    nodes.set_faults(0, r#"{"outage": {"ms": 700, "kind": "blackhole"}}"#);
    batch.close().wait().expect("the batch is closed");
}

/// The node refuses before it has read the whole file, and closes the connection.
#[test]
fn a_refusal_of_a_large_upload_is_received() {
    let nodes = Nodes::start(3);
    let server = start_server(&nodes);
    (0..2).for_each(|node| nodes.set_faults(node, r#"{"scan": 503}"#));
    let cluster = builder(&nodes, &server).build().expect("the options are valid");
    let large = vec![0; 8_000_000];
    for _ in 0..10 {
        let scan =
            cluster.scan(&mut Source::bytes("a", large.clone())).wait().expect("the third node accepts the session");
        assert_eq!(scan.node().ip(), nodes.address(2));
    }
    nodes.set_faults(2, r#"{"scan": 403}"#);
    let denied = cluster.scan(&mut Source::bytes("a", large)).wait().expect_err("no node accepts the session");
    assert!(matches!(denied, Error::AccessDenied { .. }), "the refusal is received: {denied}");
}

#[test]
fn each_documented_refusal_has_its_error_variant() {
    let nodes = Nodes::start(1);
    let server = start_server(&nodes);
    let cluster = builder(&nodes, &server).build().expect("the options are valid");
    let empty = cluster.scan(&mut Source::bytes("a", "")).wait();
    assert!(matches!(empty, Err(Error::EmptyFile { message, .. }) if message == "File is empty."));
    for (status, is_expected) in [
        (403, (|error: &Error| matches!(error, Error::AccessDenied { .. })) as fn(&Error) -> bool),
        (411, |error| matches!(error, Error::LengthRequired { .. })),
        (500, |error| matches!(error, Error::ScanFailed { .. })),
        (418, |error| matches!(error, Error::UnexpectedStatus { status: 418, .. })),
    ] {
        nodes.set_faults(0, &format!("{{\"scan\": {status}}}"));
        let refused = cluster.scan(&mut Source::bytes("a", "x")).wait().expect_err("the node refuses the file");
        assert!(is_expected(&refused), "{refused:?}");
    }
    nodes.set_faults(0, r#"{"scan": 200, "license_expired": true}"#);
    let expired = cluster.scan(&mut Source::bytes("a", "x")).wait();
    assert!(matches!(expired, Err(Error::LicenseExpired { message, .. }) if message == "License is expired"));
    nodes.set_faults(0, r#"{"license_expired": false}"#);
    let missing = cluster.scan(&mut Source::path("/nonexistent")).wait().expect_err("the file does not exist");
    assert!(missing.to_string().starts_with("/nonexistent cannot be read: No such file"), "{missing}");
    // The source has fewer bytes than declared. This is an error of the source, not of the node.
    let short = cluster.scan(&mut Source::reader("a.txt", 9, &b"short"[..])).wait().expect_err("the source ends early");
    assert_eq!(short.to_string(), "a.txt cannot be read: it ended 4 bytes early");
    let pipe = server.directory().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("the test can write its directory");
    let pipe = cluster.scan(&mut Source::path(pipe)).wait().expect_err("a pipe cannot be scanned");
    assert!(pipe.to_string().contains("not a regular file"), "{pipe}");
    nodes.set_faults(0, r#"{"hang": true}"#);
    let impatient = builder(&nodes, &server).stall_timeout(Duration::from_secs(2)).deadline(Duration::from_secs(1));
    let impatient = impatient.build().expect("the options are valid");
    let silent = impatient.scan(&mut Source::bytes("a", "x")).wait().expect_err("no node responds");
    assert!(silent.to_string().contains("no data was transferred for 2s"), "{silent}");
}

/// Such a node says that it is ready, and refuses each session.
#[test]
fn nodes_without_a_license_are_skipped_while_another_accepts_sessions() {
    let mut nodes = Nodes::start(3);
    for node in 0..2 {
        nodes.stop(node);
        nodes.restart_as_backup(node);
    }
    let server = start_server(&nodes);
    let cluster = builder(&nodes, &server).build().expect("the options are valid");
    for _ in 0..10 {
        let scan = cluster.scan(&mut Source::bytes("a", "x")).wait().expect("the third node accepts the session");
        assert_eq!(scan.node().ip(), nodes.address(2));
        let batch = cluster.open_batch().wait().expect("the third node accepts the session");
        assert_eq!(batch.node().ip(), nodes.address(2));
    }
    nodes.stop(2);
    nodes.restart_as_backup(2);
    let refused = cluster.scan(&mut Source::bytes("a", "x")).wait().expect_err("no node has a license");
    assert!(matches!(refused, Error::LicenseExpired { .. }), "{refused}");
}

/// It accepts connections, and stays silent for longer than `outage_timeout`.
#[test]
fn a_silent_node_is_gone_at_the_end_of_the_wait_for_a_result() {
    let nodes = Nodes::start(2);
    let server = start_server(&nodes);
    (0..2).for_each(|node| nodes.set_faults(node, r#"{"scan_ms": 60000}"#));
    let cluster = builder(&nodes, &server)
        .outage_timeout(Duration::from_millis(500))
        .result_timeout(Duration::from_secs(2))
        .resubmissions(1)
        .build()
        .expect("the options are valid");
    let mut silent = None;
    let mut source = Source::bytes("a", "x");
    let report = cluster.scan_to_end_with_events(&mut source, |event| {
        if let (ScanEvent::Started(scan), None) = (event, silent) {
            let node = u8::from(scan.node().ip() == nodes.address(1));
            nodes.set_faults(node, r#"{"hang": true}"#);
            nodes.set_faults(1 - node, r#"{"scan_ms": 0}"#);
            silent = Some(nodes.address(node));
        }
    });
    let report = report.wait().expect("the other node has the result");
    assert_ne!(Some(report.node.ip()), silent.map(Into::into));
    // A node that responds may have its result later: it is not gone.
    (0..2).for_each(|node| nodes.set_faults(node, r#"{"hang": false, "scan_ms": 60000}"#));
    let slow = cluster.scan_to_end(&mut Source::bytes("a", "x")).wait().expect_err("the scan takes too long");
    assert!(matches!(slow, Error::ResultTimeout { .. }), "{slow}");
    let batch = cluster.open_batch().wait().expect("a node accepts the session");
    batch.send(&mut Source::bytes("a", "x")).wait().expect("the node accepts the file");
    nodes.set_faults(u8::from(batch.node().ip() == nodes.address(1)), r#"{"hang": true}"#);
    let silent = batch.close().wait().expect_err("the node is silent").error;
    assert!(matches!(silent, Error::NodeGone { .. }), "{silent}");
}

/// Reasons that no later attempt changes end the search at once.
#[test]
fn final_reasons_end_the_search_and_others_are_kept() {
    let nodes = Nodes::start(1);
    let server = start_server(&nodes);
    let error = |url: &str, deadline| {
        let cluster =
            Cluster::builder(url).name_servers(vec![server.address()]).deadline(Duration::from_secs(deadline));
        let cluster = cluster.root_certificates(vec![self_signed("core.lb.example").cert.der().clone()]);
        let error = cluster.build().expect("the options are valid").scan(&mut Source::bytes("a", "x")).wait();
        error.expect_err("no node accepts the session")
    };
    let (port, day) = (nodes.port, 86_400);
    let missing = error(&format!("http://missing.lb.example:{port}"), day);
    assert!(matches!(missing, Error::Resolve { reason: ResolveError::NoSuchName, .. }), "{missing}");
    let refused = error(&format!("http://core.elsewhere.example:{port}"), day);
    assert!(matches!(refused, Error::Resolve { reason: ResolveError::Refused, .. }), "{refused}");
    let no_tls = error(&format!("https://core.lb.example:{port}"), day);
    let is_protocol = |reason: &SkipReason| matches!(reason, SkipReason::ProtocolMismatch(_));
    let Error::NoNodeReachable { skipped, .. } = &no_tls else { panic!("{no_tls}") };
    assert!(skipped.iter().all(|skipped| is_protocol(&skipped.reason)), "{no_tls}");
    // A node that is too busy until the deadline is still named as such.
    nodes.set_faults(0, r#"{"scan": 503}"#);
    let busy = error(&format!("http://core.lb.example:{port}"), 1);
    assert!(matches!(busy, Error::AllNodesBusy { .. }) && busy.to_string().contains("too busy"), "{busy}");
}
