//! Commands of operators, and the API behind them: overrides apply at once, and wrong requests are
//! refused with the reason.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::commands::{answered, config_with_nodes, evenkeel, refusal, run, status};
use crate::support::nodes::Nodes;
use crate::support::program::{output_of, required};
use crate::support::server::{PROGRAM, Server};
use crate::support::{free_address, wait_until};

#[test]
fn drain_force_and_resume_apply_before_the_command_returns() {
    let server = Server::start(&config_with_nodes(3));
    assert_eq!(answered(&server), BTreeSet::from([1, 2, 3]));
    run(&server, "drain core/core-2 --why patching");
    assert_eq!(answered(&server), BTreeSet::from([1, 3]));
    run(&server, "force down core/core-3");
    assert_eq!(answered(&server), BTreeSet::from([1]));
    let text = run(&server, "status");
    assert!(text.contains("pool core: 1 of 3 nodes eligible"), "{text}");
    assert!(
        text.contains("drained by ops (patching); its health is up; the last answer that contains it expires in"),
        "{text}"
    );
    assert!(text.contains("forced down by ops"), "{text}");
    let json = status(&server);
    assert_eq!(json["pools"][0]["nodes"][1]["override"]["state"], "drain");
    run(&server, "resume core/core-2");
    run(&server, "resume core/core-3");
    assert_eq!(answered(&server), BTreeSet::from([1, 2, 3]));
    server.wait_for_log("core/core-2 is drained by ops (patching)");
    server.wait_for_log("core/core-3 is resumed by ops");
}

#[test]
fn wrong_requests_are_refused_with_the_reason() {
    let server = Server::start(&config_with_nodes(2));
    assert!(refusal(&server, "drain core/core-9").contains("there is no node core/core-9"));
    let misspelled = evenkeel(&server, "drain core-1");
    assert_eq!(misspelled.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&misspelled.stderr).contains("is not of the form POOL/NODE"));
    let reserved = refusal(&server, "drain core/core-1 --by auto_nominate");
    assert!(reserved.contains("the name is reserved for the server"), "{reserved}");
    assert!(refusal(&server, "resume core/core-1").contains("core/core-1 has no override"));
    let output = evenkeel(&server, "status --socket /nonexistent.sock");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no server answers at /nonexistent.sock"));
    assert_eq!(evenkeel(&server, "force sideways core/core-1").status.code(), Some(64));
    assert_eq!(evenkeel(&server, "drain core/core-1 --for 500ms").status.code(), Some(64));
    assert!(refusal(&server, "drain core/core-1 --by ").contains("`by` is empty"));
    assert!(refusal(&server, "drain core/core-1 --why a\nb").contains("`why` holds control characters"));
    let long = "x".repeat(201);
    assert!(refusal(&server, &format!("drain core/core-1 --why {long}")).contains("`why` is too long"));
    run(&server, "drain core/core-1");
    let message = refusal(&server, "drain core/core-2");
    assert!(message.contains("pool core would be left with 0 active nodes up; min_available is 1"), "{message}");
    run(&server, "drain core/core-2 --force");
    let response = server.client().ask("core.lb.example", 1);
    assert_eq!(u16::from(response.metadata.response_code), 2, "a pool whose nodes are all drained is SERVFAIL");
}

#[test]
fn drain_for_ends_by_itself_and_drain_wait_returns_when_the_node_is_idle() {
    let server = Server::start(&config_with_nodes(2));
    let began = Instant::now();
    run(&server, "drain core/core-1 --wait");
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "the command returned before the TTL was over: {:?}",
        began.elapsed()
    );
    assert!(run(&server, "status").contains("; idle since 20"));
    run(&server, "drain core/core-1 --for 1s");
    wait_until("the drain has ended", || answered(&server) == BTreeSet::from([1, 2]));
    server.wait_for_log("core/core-1 is resumed: the override has expired");
}

/// Of five drains at once, `min_available` allows one.
#[test]
fn concurrent_drains_leave_min_available_nodes() {
    let server = Server::start(&config_with_nodes(5).replace("[pools.core]\n", "[pools.core]\nmin_available = 4\n"));
    for _ in 0..5 {
        let drained: Vec<u8> = std::thread::scope(|scope| {
            let drain = |i: u8| (i, evenkeel(&server, &format!("drain core/core-{i}")).status.success());
            let drains = [1, 2, 3, 4, 5].map(|i| scope.spawn(move || drain(i)));
            let ended = drains.into_iter().map(|drain| drain.join().expect("no thread panics"));
            ended.filter_map(|(i, done)| done.then_some(i)).collect()
        });
        assert_eq!(drained.len(), 1, "{drained:?}");
        assert_eq!(answered(&server).len(), 4);
        run(&server, &format!("resume core/core-{}", drained[0]));
    }
}

/// A client can close the connection at any moment. Then the override is either both stored and
/// applied, or neither.
#[test]
fn an_aborted_request_is_carried_out_completely_or_not_at_all() {
    let server = Server::start(&config_with_nodes(2));
    let body = r#"{"state": "drain", "by": "ops", "force": true}"#;
    let put = format!(
        "PUT /v1/overrides/core/core-1 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for round in 0..60_u64 {
        let mut socket =
            UnixStream::connect(server.directory().join("admin.sock")).expect("the server listens on the socket");
        socket.write_all(put.as_bytes()).expect("the server reads requests");
        // This sleep sets the moment of the abort. It does not wait for a condition.
        std::thread::sleep(Duration::from_micros(round * 50));
        drop(socket);
        // Requests run one after the other, so the aborted one ends before this command.
        run(&server, "drain core/core-2 --force");
        wait_until("stored overrides and answers agree", || {
            let stored =
                std::fs::read_to_string(server.directory().join("state/overrides.json")).expect("the file can be read");
            stored.contains("core/core-1") != answered(&server).contains(&1)
        });
        evenkeel(&server, "resume core/core-1");
        run(&server, "resume core/core-2");
    }
}

#[test]
fn force_up_answers_a_node_that_is_down() {
    let nodes = Nodes::start(2);
    let monitored = config_with_nodes(2)
        .replace("192.0.2.1\"", &format!("{}\"", nodes.address(0)))
        .replace("192.0.2.2\"", &format!("{}\"", nodes.address(1)))
        .replace("[pools.core]\n", "[pools.core]\nmonitors = [\"ready\"]\n")
        + &format!("[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\n", nodes.port);
    nodes.set_faults(0, r#"{"readyz": 503}"#);
    let server = Server::start(&monitored);
    assert_eq!(answered(&server), BTreeSet::from([2]));
    assert!(run(&server, "status").contains("down: status 503"));
    run(&server, "force up core/core-1");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
}

/// Two servers must not share an admin socket or a `state_dir`.
#[test]
fn a_socket_or_state_directory_in_use_is_refused() {
    let server = Server::start(&config_with_nodes(2));
    let start_other = |config: &str| {
        server.write("other.toml", config);
        let mut command = Command::new(PROGRAM);
        let output = command.args(["serve", "--config", "other.toml"]).current_dir(server.directory()).output();
        let output = output.expect("the built program starts");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("the output is text")
    };
    let message = start_other(&config_with_nodes(2).replace("admin.sock", "other.sock"));
    assert!(message.contains("state_dir") && message.contains("another server uses it"), "{message}");
    let message = start_other(&config_with_nodes(2).replace("\"state\"", "\"other\""));
    assert!(message.contains("admin.sock cannot be opened: another server listens there"), "{message}");
    server.write("kept.txt", "text");
    let message =
        start_other(&config_with_nodes(2).replace("\"state\"", "\"other\"").replace("admin.sock", "kept.txt"));
    assert!(message.contains("there is a file that is not a socket"), "{message}");
    assert_eq!(std::fs::read_to_string(server.directory().join("kept.txt")).expect("the file can be read"), "text");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
}

#[test]
fn the_tcp_port_only_reads_and_checks_the_host_header() {
    let address = free_address();
    let listen = format!("socket = \"admin.sock\"\nlisten = \"{address}\"");
    let server = Server::start(&config_with_nodes(2).replace("socket = \"admin.sock\"", &listen));
    let curl = |path: &str, arguments: &[&str]| {
        let mut command = Command::new(required("curl", "curl"));
        output_of(command.args(["-s", "-w", " %{http_code}"]).args(arguments).arg(format!("http://{address}{path}")))
    };
    let status = curl("/v1/status", &[]);
    assert!(status.contains("\"name\":\"core-1\"") && status.ends_with(" 200"), "{status}");
    assert!(curl("/v1/status", &["-H", "Host: evil.example"]).ends_with(" 403"));
    assert!(curl("/v1/status", &["-X", "PUT", "-d", "{}"]).ends_with(" 405"));
    let drain = ["-X", "PUT", "-H", "Content-Type: application/json", "-d", r#"{"state":"drain","by":"x"}"#];
    assert!(curl("/v1/overrides/core/core-1", &drain).ends_with(" 404"));
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
}

#[test]
fn the_status_says_if_this_machine_cannot_probe() {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let (program, away) = (directory.path().join("probe"), directory.path().join("away"));
    std::os::unix::fs::symlink("/bin/true", &program).expect("the test can write its directory");
    let monitor = format!(
        "[monitors.m]\nkind = \"exec\"\ncommand = [\"{}\"]\ninterval = \"100ms\"\ntimeout = \"100ms\"\n",
        program.display()
    );
    let server = Server::start(
        &(config_with_nodes(1).replace("[pools.core]\n", "[pools.core]\nmonitors = [\"m\"]\n") + &monitor),
    );
    assert!(run(&server, "status").contains("active  1       up\n"));
    std::fs::rename(&program, &away).expect("the test owns the file");
    wait_until("the status says that the machine cannot probe", || {
        run(&server, "status").contains("up; this machine cannot probe: ")
    });
    assert!(run(&server, "status").contains("probe: No such file"), "{}", run(&server, "status"));
    assert_eq!(answered(&server), BTreeSet::from([1]), "the health of the node stays up");
    std::fs::rename(&away, &program).expect("the test owns the file");
    wait_until("the status no longer says so", || run(&server, "status").contains("active  1       up\n"));
}
