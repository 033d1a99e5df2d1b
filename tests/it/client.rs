//! The client against fake nodes behind a running server: sessions stay, or fail with the node's name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use evenkeel_client::{Cluster, Error, Method, ResumedSession, ScanEvent, Source, Ticket, Verdict};
use tokio::task::JoinSet;

use crate::support::fake_core::{Node, eicar};
use crate::support::nodes::Nodes;
use crate::support::operator::config;
use crate::support::program::{output_of, required};
use crate::support::server::{PROGRAM, Server, ZONE};
use crate::support::session::{Wait, cluster, serve};

/// What may run in a task that moves between threads.
fn in_any_task<F: Future + Send>(future: F) -> F {
    future
}

#[test]
fn files_stay_on_the_node_that_took_them() {
    let nodes = Nodes::start(3);
    let server = serve(&nodes);
    let cluster = cluster(&nodes, &server).build().expect("a cluster");
    let scan = |i: i64| {
        let cluster = cluster.clone();
        async move {
            let content = if i % 2 == 0 { b"harmless".to_vec() } else { eicar() };
            let scan = cluster.scan(&mut Source::bytes(format!("{i}.txt"), content)).await.expect("a node takes it");
            let report = scan.result().await.expect("a result");
            assert_eq!(report.verdict == Verdict::Allowed, i % 2 == 0, "{report:?}");
            assert_eq!((report.name, report.result_code), (format!("{i}.txt"), Some(i % 2)));
            scan.node()
        }
    };
    let scans = async {
        let mut tasks: JoinSet<_> = (0..60).map(scan).collect();
        let mut at: BTreeMap<_, u32> = BTreeMap::new();
        while let Some(node) = tasks.join_next().await {
            *at.entry(node.expect("no scan panics")).or_default() += 1;
        }
        at
    };
    let at = scans.wait();
    assert_eq!(at.len(), 3, "new sessions are spread: {at:?}");
    assert_eq!(nodes.wrong(), 0);
}

#[test]
fn another_process_resumes_a_session() {
    let nodes = Nodes::start(2);
    let server = serve(&nodes);
    let cluster = cluster(&nodes, &server).build().expect("a cluster");
    let ticket = cluster.scan(&mut Source::bytes("a", "x")).wait().expect("a node takes it").ticket().to_string();
    let other = Cluster::new(&format!("http://core.lb.example:{}", nodes.port)).expect("a cluster");
    let Ok(ResumedSession::File(scan)) = other.resume(&ticket.parse::<Ticket>().expect("a ticket")) else {
        panic!("a file: {ticket}")
    };
    assert_eq!(scan.result().wait().expect("a result").verdict, Verdict::Allowed);
    // The same identifier at the other node.
    let elsewhere = nodes.addresses().into_iter().find(|address| !ticket.contains(&address.to_string()));
    let here = ticket.split(' ').nth(1).expect("a node").to_owned();
    let there = ticket.replace(&here, &format!("{}:{}", elsewhere.expect("two nodes"), nodes.port));
    let Ok(ResumedSession::File(scan)) = other.resume(&there.parse().expect("a ticket")) else { panic!("a file") };
    assert!(matches!(scan.result().wait(), Err(Error::UnknownSession(session)) if session.node.to_string() != here));
    // And where it cannot be.
    let foreign = there.replace(&format!(":{}", nodes.port), ":1").parse().expect("a ticket");
    assert!(matches!(other.resume(&foreign), Err(Error::InvalidTicket { .. })));
    assert_eq!(nodes.wrong(), 1);
}

#[test]
fn batches_are_opened_filled_and_closed_at_one_node() {
    let nodes = Nodes::start(3);
    let server = serve(&nodes);
    let cluster = cluster(&nodes, &server).build().expect("a cluster");
    let batch = cluster.open_batch().wait().expect("a node takes it");
    batch.send(&mut Source::bytes("a", "x")).wait().expect("the node takes it");
    let more = ["b", "c", "", "e", "f"];
    let sent = in_any_task(batch.send_all(more.map(|name| Source::bytes(name, name)), 2)).wait();
    assert_eq!(sent.len(), more.len());
    for (name, sent) in more.iter().zip(&sent) {
        assert_eq!(matches!(sent, Err(Error::EmptyFile { .. })), name.is_empty(), "{sent:?}");
    }
    let files = batch.status().wait().expect("a status").files;
    assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<BTreeSet<_>>(), ["a", "b", "c", "e", "f"].into());
    for (name, sent) in more.iter().zip(sent.iter().flatten()).take(2) {
        assert!(files.iter().any(|file| file.name == *name && file.data_id == *sent), "each at its place");
    }
    let closed = batch.close().wait().expect("it closes when its files are done");
    let results = closed.results().wait().expect("results");
    assert!(results.is_closed && results.verdict == Some(Verdict::Allowed), "{results:?}");
    for data_id in sent.iter().flatten() {
        let report = closed.file(data_id).wait().expect("the node knows it").report.expect("it is closed");
        assert_eq!(report.verdict, Verdict::Allowed);
    }
    let signed = closed.signed_result().wait().expect("a text");
    assert!(signed.starts_with("---\n") && signed.ends_with("\ncertificate: fake\n"), "all of it: {signed}");
    let ticket = closed.ticket().to_string().parse().expect("a ticket");
    let Ok(ResumedSession::ClosedBatch(resumed)) = cluster.resume(&ticket) else { panic!("a closed batch: {ticket}") };
    assert_eq!(resumed.results().wait().expect("results"), results);
    cluster.open_batch().wait().expect("a node takes it").cancel().wait().expect("it is given up");
    assert_eq!(nodes.wrong(), 0);
}

#[test]
fn before_a_session_exists_dead_and_busy_nodes_are_passed_over() {
    let mut nodes = Nodes::start(3);
    let server = serve(&nodes);
    let cluster = cluster(&nodes, &server);
    // Whom the server still answers.
    nodes.kill(0);
    nodes.fake(1, r#"{"queue": 0}"#);
    let eager = cluster.clone().build().expect("a cluster");
    for _ in 0..20 {
        let scan = eager.scan(&mut Source::bytes("a", "x")).wait().expect("the third one takes it");
        assert_eq!(scan.node().ip(), nodes.address(2));
    }
    nodes.fake(2, r#"{"queue": 0}"#);
    let impatient = cluster.deadline(Duration::from_millis(300)).build().expect("a cluster");
    let busy = impatient.scan(&mut Source::bytes("a", "x")).wait();
    assert!(matches!(&busy, Err(Error::AllNodesBusy { .. })), "{busy:?}");
    assert!(busy.unwrap_err().to_string().contains("Server is too busy. Try again later."));
    nodes.kill(1);
    nodes.kill(2);
    let gone = impatient.scan(&mut Source::bytes("a", "x")).wait();
    assert!(matches!(&gone, Err(Error::NoNodeReachable { skipped, .. }) if !skipped.is_empty()), "{gone:?}");
}

#[test]
fn a_session_whose_node_dies_is_an_error_that_names_it() {
    let mut nodes = Nodes::start(2);
    let server = serve(&nodes);
    (0..2).for_each(|node| nodes.fake(node, r#"{"scan_ms": 60000}"#));
    let cluster = cluster(&nodes, &server).outage_timeout(Duration::from_millis(500)).build().expect("a cluster");
    let scan = cluster.scan(&mut Source::bytes("a", "x")).wait().expect("a node takes it");
    let node = u8::from(scan.node().ip() == nodes.address(1));
    let id = scan.data_id().to_owned();
    nodes.kill(node);
    let lost = scan.result().wait().expect_err("it is gone");
    assert!(matches!(&lost, Error::NodeGone { session, .. } if session.id.as_deref() == Some(&id)), "{lost}");
    assert_eq!(lost.session().map(|session| session.node), Some(scan.node()));
}

#[test]
fn who_wants_it_is_moved_with_the_whole_file_when_the_node_dies() {
    for times in [0, 1] {
        let mut nodes = Nodes::start(2);
        let server = serve(&nodes);
        (0..2).for_each(|node| nodes.fake(node, r#"{"scan_ms": 60000}"#));
        let cluster = cluster(&nodes, &server).outage_timeout(Duration::from_millis(200)).resubmissions(times);
        let cluster = cluster.build().expect("a cluster");
        let (mut died, mut lost) = (None, 0);
        let mut source = Source::bytes("a", "x");
        let report = cluster.scan_to_end_with_events(&mut source, |event| match event {
            ScanEvent::Started(scan) if died.is_none() => {
                let node = u8::from(scan.node().ip() == nodes.address(1));
                nodes.fake(1 - node, r#"{"scan_ms": 0}"#);
                died = Some(node);
                // From a runtime of its own, which must not be ended within another.
                std::thread::scope(|scope| drop(scope.spawn(|| nodes.kill(node)).join()));
            }
            ScanEvent::Lost(_) => lost += 1,
            _ => {}
        });
        let outcome = report.wait();
        let died = died.expect("a node has taken it");
        assert_eq!(lost, times);
        match outcome {
            Ok(report) => assert!(times == 1 && report.node.ip() == nodes.address(1 - died), "{report:?}"),
            Err(error) => assert!(times == 0 && error.is_session_lost(), "{error}"),
        }
        assert_eq!(nodes.wrong(), 0);
    }
}

/// What happens between two machines now and then, and is no reason to lose a session.
#[test]
fn a_short_outage_is_outlived() {
    let nodes = Nodes::start(1);
    let server = serve(&nodes);
    nodes.fake(0, r#"{"scan_ms": 300}"#);
    let cluster = cluster(&nodes, &server).stall_timeout(Duration::from_secs(2)).build().expect("a cluster");
    let scan = cluster.scan(&mut Source::bytes("a", "x")).wait().expect("the node takes it");
    let batch = cluster.open_batch().wait().expect("the node takes it");
    nodes.fake(0, r#"{"outage": {"ms": 700}}"#);
    assert_eq!(scan.result().wait().expect("a result").verdict, Verdict::Allowed);
    nodes.fake(0, r#"{"outage": {"ms": 700}}"#);
    batch.send(&mut Source::bytes("a", "x")).wait().expect("the node takes it");
    nodes.fake(0, r#"{"outage": {"ms": 700, "kind": "blackhole"}}"#);
    batch.close().wait().expect("it is closed");
}

/// The node says so before it has read all, and closes the connection.
#[test]
fn refusals_of_large_uploads_are_heard() {
    let nodes = Nodes::start(3);
    let server = serve(&nodes);
    (0..2).for_each(|node| nodes.fake(node, r#"{"scan": 503}"#));
    let cluster = cluster(&nodes, &server).build().expect("a cluster");
    let large = vec![0; 8_000_000];
    for _ in 0..10 {
        let scan = cluster.scan(&mut Source::bytes("a", large.clone())).wait().expect("the third node takes it");
        assert_eq!(scan.node().ip(), nodes.address(2));
    }
    nodes.fake(2, r#"{"scan": 403}"#);
    let denied = cluster.scan(&mut Source::bytes("a", large)).wait().expect_err("nobody takes it");
    assert!(matches!(denied, Error::AccessDenied { .. } | Error::AllNodesBusy { .. }), "{denied}");
}

#[test]
fn documented_refusals_have_variants_of_their_own() {
    let nodes = Nodes::start(1);
    let server = serve(&nodes);
    let cluster = cluster(&nodes, &server).stall_timeout(Duration::from_secs(2)).build().expect("a cluster");
    let empty = cluster.scan(&mut Source::bytes("a", "")).wait();
    assert!(matches!(empty, Err(Error::EmptyFile { message, .. }) if message == "File is empty."));
    for (status, is_expected) in [
        (403, (|error: &Error| matches!(error, Error::AccessDenied { .. })) as fn(&Error) -> bool),
        (411, |error| matches!(error, Error::LengthRequired { .. })),
        (500, |error| matches!(error, Error::ScanFailed { .. })),
        (418, |error| matches!(error, Error::UnexpectedStatus { status: 418, .. })),
    ] {
        nodes.fake(0, &format!("{{\"scan\": {status}}}"));
        let refused = cluster.scan(&mut Source::bytes("a", "x")).wait().expect_err("it is refused");
        assert!(is_expected(&refused), "{refused:?}");
    }
    nodes.fake(0, r#"{"scan": 200, "license_expired": true}"#);
    let expired = cluster.scan(&mut Source::bytes("a", "x")).wait();
    assert!(matches!(expired, Err(Error::LicenseExpired { message, .. }) if message == "License is expired"));
    nodes.fake(0, r#"{"license_expired": false}"#);
    let missing = cluster.scan(&mut Source::path("/nonexistent")).wait().expect_err("nothing is there");
    assert!(missing.to_string().starts_with("/nonexistent cannot be read: No such file"), "{missing}");
    // It has fewer bytes than it is said to have: the node has nothing to do with it.
    let short = cluster.scan(&mut Source::reader("a.txt", 9, &b"short"[..])).wait().expect_err("it ends early");
    assert_eq!(short.to_string(), "a.txt cannot be read: it ended 4 bytes early");
    let pipe = server.directory().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe for the test");
    let pipe = cluster.scan(&mut Source::path(pipe)).wait().expect_err("nobody writes it");
    assert!(pipe.to_string().contains("not a regular file"), "{pipe}");
    nodes.fake(0, r#"{"hang": true}"#);
    let silent = cluster.scan(&mut Source::bytes("a", "x")).wait().expect_err("nobody answers");
    assert!(silent.to_string().contains("no data was transferred for 2s"), "{silent}");
}

#[test]
fn scripts_pin_a_node_and_curl_reaches_it_under_the_shared_name() {
    let nodes = Nodes::start(3);
    let server = serve(&nodes);
    let name = format!("core.lb.example:{}", nodes.port);
    let pin = |more: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(["pin", &name, "--server", &server.address().to_string()])
            .args(more)
            .output()
            .expect("the built program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let seen: BTreeSet<String> = (0..40).map(|_| pin(&[])).collect();
    let all: BTreeSet<String> = nodes.addresses().iter().map(|node| format!("{node}:{}", nodes.port)).collect();
    assert_eq!(seen, all);
    let arguments = pin(&["--curl"]);
    let curl = output_of(
        Command::new(required("curl", "curl"))
            .args(["--silent", "--include", "--noproxy", "*"])
            .args(arguments.split(' '))
            .arg(format!("http://{name}/version")),
    );
    let node = nodes.addresses().iter().position(|node| arguments.ends_with(&node.to_string())).expect("a node");
    assert!(curl.contains(&format!("x-core-id: core-{}", node + 1)), "{arguments}: {curl}");
}

/// By its address, under the shared name: the certificate is for the name alone.
#[test]
fn over_https_the_certificate_of_the_shared_name_is_what_counts() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let issued = |file: &str, name: &str| {
        let issued = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
        let path = directory.path().join(file);
        std::fs::write(&path, issued.cert.pem() + &issued.signing_key.serialize_pem()).expect("a file for the test");
        (path.to_string_lossy().into_owned(), issued.cert.der().clone())
    };
    let (right, certificate) = issued("right.pem", "core.lb.example");
    let (wrong, wrong_certificate) = issued("wrong.pem", "other.example");
    let node = Node::start(&["--certificate", &right, "--key", &right, "--wrong-certificate", &wrong]);
    let port = node.url.rsplit(':').next().expect("a port");
    let text = config(0).replace("nodes = [\n", "nodes = [\n{ name = \"a\", address = \"127.0.0.1\" },\n");
    let server = Server::start_with(&[("evenkeel.toml", &text), ("lb.zone", ZONE)]);
    let cluster = Cluster::builder(&format!("https://core.lb.example:{port}"))
        .name_servers(vec![server.address()])
        .root_certificates(vec![certificate, wrong_certificate])
        .deadline(Duration::from_secs(1))
        .build()
        .expect("a cluster");
    let scan = cluster.scan(&mut Source::bytes("a", "x")).wait().expect("the certificate is for the shared name");
    assert_eq!(scan.node().ip(), Ipv4Addr::LOCALHOST);
    assert_eq!(scan.result().wait().expect("a result").verdict, Verdict::Allowed);
    let pin = cluster.pin().wait().expect("a node");
    let fault = pin.request(Method::PUT, "/_fake").body("{\"wrong_certificate\": true}").send();
    assert!(fault.wait().expect("an answer").status().is_success());
    let refused = cluster.scan(&mut Source::bytes("a", "x")).wait().expect_err("it is another one's");
    assert!(refused.to_string().contains("certificate not valid for name \"core.lb.example\""), "{refused}");
}
