//! The client library with fake Core nodes behind a server: sessions stay on their node, or fail
//! with an error that names it. `failures` has the nodes that refuse, stay silent or die.

mod failures;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Duration;

use evenkeel_client::{Cluster, Error, Method, ResumedSession, Source, Ticket, Verdict};
use tokio::task::JoinSet;

use crate::support::certificates::self_signed;
use crate::support::cluster::{Wait, builder, start_server};
use crate::support::commands::config_with_nodes;
use crate::support::fake_core_process::{FakeCoreProcess, eicar};
use crate::support::nodes::Nodes;
use crate::support::program::{output_of, required};
use crate::support::server::{PROGRAM, Server, ZONE};

/// Asserts that a future is `Send`, so that it can run in any task.
fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

#[test]
fn files_stay_on_the_node_that_accepted_them() {
    let nodes = Nodes::start(3);
    let server = start_server(&nodes);
    let cluster = builder(&nodes, &server).build().expect("the options are valid");
    let scan = |i: i64| {
        let cluster = cluster.clone();
        async move {
            let content = if i % 2 == 0 { b"harmless".to_vec() } else { eicar() };
            let scan = cluster
                .scan(&mut Source::bytes(format!("{i}.txt"), content))
                .await
                .expect("a node accepts the session");
            let report = scan.result().await.expect("the node has the result");
            assert_eq!(report.verdict == Verdict::Allowed, i % 2 == 0, "{report:?}");
            assert_eq!((report.name, report.result_code), (format!("{i}.txt"), Some(i % 2)));
            scan.node()
        }
    };
    let scans = async {
        let mut tasks: JoinSet<_> = (0..60).map(scan).collect();
        let mut sessions: BTreeMap<_, u32> = BTreeMap::new();
        while let Some(node) = tasks.join_next().await {
            *sessions.entry(node.expect("no scan panics")).or_default() += 1;
        }
        sessions
    };
    let sessions = scans.wait();
    assert_eq!(sessions.len(), 3, "sessions are spread over all nodes: {sessions:?}");
    assert_eq!(nodes.requests_at_wrong_node(), 0);
}

#[test]
fn another_process_can_resume_a_session() {
    let nodes = Nodes::start(2);
    let server = start_server(&nodes);
    let cluster = builder(&nodes, &server).build().expect("the options are valid");
    let ticket =
        cluster.scan(&mut Source::bytes("a", "x")).wait().expect("a node accepts the session").ticket().to_string();
    let other = Cluster::new(&format!("http://core.lb.example:{}", nodes.port)).expect("the options are valid");
    let Ok(ResumedSession::File(scan)) = other.resume(&ticket.parse::<Ticket>().expect("the ticket is valid")) else {
        panic!("not the ticket of a file: {ticket}")
    };
    assert_eq!(scan.result().wait().expect("the node has the result").verdict, Verdict::Allowed);
    // A ticket with the same identifier at the other node is for an unknown session.
    let elsewhere = nodes.addresses().into_iter().find(|address| !ticket.contains(&address.to_string()));
    let here = ticket.split(' ').nth(1).expect("the ticket names the node").to_owned();
    let there = ticket.replace(&here, &format!("{}:{}", elsewhere.expect("the cluster has another node"), nodes.port));
    let Ok(ResumedSession::File(scan)) = other.resume(&there.parse().expect("the ticket is valid")) else {
        panic!("not the ticket of a file: {there}")
    };
    assert!(matches!(scan.result().wait(), Err(Error::UnknownSession(session)) if session.node.to_string() != here));
    // A ticket with another port is invalid.
    let foreign = there.replace(&format!(":{}", nodes.port), ":1").parse().expect("the ticket is valid");
    assert!(matches!(other.resume(&foreign), Err(Error::InvalidTicket { .. })));
    assert_eq!(nodes.requests_at_wrong_node(), 1);
}

#[test]
fn a_batch_is_opened_filled_and_closed_at_one_node() {
    let nodes = Nodes::start(3);
    let server = start_server(&nodes);
    let cluster = builder(&nodes, &server).build().expect("the options are valid");
    let batch = cluster.open_batch().wait().expect("a node accepts the session");
    batch.send(&mut Source::bytes("a", "x")).wait().expect("the node accepts the session");
    let more = ["b", "c", "", "e", "f"];
    let sent = assert_send(batch.send_all(more.map(|name| Source::bytes(name, name)), 2)).wait();
    assert_eq!(sent.len(), more.len());
    for (name, sent) in more.iter().zip(&sent) {
        assert_eq!(matches!(sent, Err(Error::EmptyFile { .. })), name.is_empty(), "{sent:?}");
    }
    let files = batch.status().wait().expect("curl prints the status").files;
    assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<BTreeSet<_>>(), ["a", "b", "c", "e", "f"].into());
    for (name, sent) in more.iter().zip(sent.iter().flatten()).take(2) {
        assert!(
            files.iter().any(|file| file.name == *name && file.data_id == *sent),
            "results are in the order of the files"
        );
    }
    let closed = batch.close().wait().expect("the node closes the batch");
    let results = closed.results().wait().expect("the node has the results");
    assert!(results.is_closed && results.verdict == Some(Verdict::Allowed), "{results:?}");
    for data_id in sent.iter().flatten() {
        let report = closed.file(data_id).wait().expect("the node knows the file").report.expect("the batch is closed");
        assert_eq!(report.verdict, Verdict::Allowed);
    }
    let signed = closed.signed_result().wait().expect("the node has the signed result");
    assert!(
        signed.starts_with("---\n") && signed.ends_with("\n  -----END CERTIFICATE-----\n...\n"),
        "the signed result is complete: {signed}"
    );
    let ticket = closed.ticket().to_string().parse().expect("the ticket is valid");
    let Ok(ResumedSession::ClosedBatch(resumed)) = cluster.resume(&ticket) else {
        panic!("not the ticket of a closed batch: {ticket}")
    };
    assert_eq!(resumed.results().wait().expect("the node has the results"), results);
    cluster
        .open_batch()
        .wait()
        .expect("a node accepts the session")
        .cancel()
        .wait()
        .expect("the node cancels the batch");
    assert_eq!(nodes.requests_at_wrong_node(), 0);
}

#[test]
fn curl_reaches_a_pinned_node_under_the_shared_name() {
    let nodes = Nodes::start(3);
    let server = start_server(&nodes);
    let name = format!("core.lb.example:{}", nodes.port);
    let pin = |more: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(["pin", &name, "--server", &server.address().to_string()])
            .args(more)
            .output()
            .expect("the built program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("the output is text").trim().to_owned()
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
    let node = nodes
        .addresses()
        .iter()
        .position(|node| arguments.ends_with(&node.to_string()))
        .expect("the arguments name a node");
    assert!(curl.contains(&format!("x-core-id: core-{}", node + 1)), "{arguments}: {curl}");
}

/// The client connects to an address, but the certificate must be for the shared name.
#[test]
fn over_https_the_certificate_must_be_for_the_shared_name() {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let issued = |file: &str, name: &str| {
        let issued = self_signed(name);
        let path = directory.path().join(file);
        std::fs::write(&path, issued.cert.pem() + &issued.signing_key.serialize_pem())
            .expect("the test can write its directory");
        (path.to_string_lossy().into_owned(), issued.cert.der().clone())
    };
    let (right, certificate) = issued("right.pem", "core.lb.example");
    let (wrong, wrong_certificate) = issued("wrong.pem", "other.example");
    let node = FakeCoreProcess::start(&["--certificate", &right, "--key", &right, "--wrong-certificate", &wrong]);
    let port = node.url.rsplit(':').next().expect("the URL has a port");
    let text = config_with_nodes(0).replace("nodes = [\n", "nodes = [\n{ name = \"a\", address = \"127.0.0.1\" },\n");
    let server = Server::start_with(&[("evenkeel.toml", &text), ("lb.zone", ZONE)]);
    let connect = || {
        Cluster::builder(&format!("https://core.lb.example:{port}"))
            .name_servers(vec![server.address()])
            .root_certificates(vec![certificate.clone(), wrong_certificate.clone()])
            .deadline(Duration::from_secs(60))
            .build()
            .expect("the options are valid")
    };
    let cluster = connect();
    let scan = cluster.scan(&mut Source::bytes("a", "x")).wait().expect("the certificate is for the shared name");
    assert_eq!(scan.node().ip(), Ipv4Addr::LOCALHOST);
    assert_eq!(scan.result().wait().expect("the node has the result").verdict, Verdict::Allowed);
    let pin = cluster.pin().wait().expect("a node accepts connections");
    let fault = pin.request(Method::PUT, "/_fake").body("{\"wrong_certificate\": true}").send();
    assert!(fault.wait().expect("the server responds").status().is_success());
    // The connections of the first cluster have the right certificate.
    let refused = connect().scan(&mut Source::bytes("a", "x")).wait().expect_err("the certificate has another name");
    assert!(refused.to_string().contains("certificate not valid for name \"core.lb.example\""), "{refused}");
}

/// `openssl req -x509` marks its certificates as those of a CA; curl accepts them from a server.
#[test]
fn a_self_signed_certificate_of_openssl_is_accepted_if_it_is_given() {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    output_of(
        Command::new(required("openssl", "openssl"))
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=core.lb.example"])
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout", &key, "-out", &certificate])
            .stderr(Stdio::null()),
    );
    let node = FakeCoreProcess::start(&["--certificate", &certificate, "--key", &key]);
    let port = node.url.rsplit(':').next().expect("the URL has a port");
    let file = directory.path().join("a.txt");
    std::fs::write(&file, "harmless").expect("the test can write its directory");
    let scan = |more: &[&str]| {
        let output = Command::new(PROGRAM)
            .arg("scan")
            .arg(&file)
            .args(["--cluster", &format!("https://localhost:{port}"), "--deadline", "5s"])
            .args(more)
            .output()
            .expect("the built program starts");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, table) = scan(&["--ca", &certificate]);
    assert_eq!(code, Some(0), "{table}");
    let (code, table) = scan(&[]);
    assert!(code == Some(1) && table.contains("certificate"), "{table}");
}
