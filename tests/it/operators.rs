//! What operators say: seen at once, kept whatever ends the process, told with its reason.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::nodes::Nodes;
use crate::support::operator::{answered, config, done, evenkeel, refused, start, status};
use crate::support::packet::v4;
use crate::support::program::{output_of, required};
use crate::support::server::PROGRAM;
use crate::support::{free_address, wait_until};

#[test]
fn drain_force_and_resume_are_seen_when_the_command_returns() {
    let server = start(&config(3));
    assert_eq!(answered(&server), BTreeSet::from([1, 2, 3]));
    done(&server, "drain core/core-2 --why patching");
    assert_eq!(answered(&server), BTreeSet::from([1, 3]));
    done(&server, "force down core/core-3");
    assert_eq!(answered(&server), BTreeSet::from([1]));
    let text = done(&server, "status");
    assert!(text.contains("pool core: 1 of 3 nodes are answered"), "{text}");
    assert!(
        text.contains("drained by ops (patching); by its monitors up; the last answer with it expires in"),
        "{text}"
    );
    assert!(text.contains("forced down by ops"), "{text}");
    let json = status(&server);
    assert_eq!(json["pools"][0]["nodes"][1]["override"]["state"], "drain");
    done(&server, "resume core/core-2");
    done(&server, "resume core/core-3");
    assert_eq!(answered(&server), BTreeSet::from([1, 2, 3]));
    server.wait_for_log("core/core-2 is drained by ops (patching)");
    server.wait_for_log("core/core-3 is left to its monitors again by ops");
}

#[test]
fn what_is_asked_wrongly_is_refused_with_what_is_right() {
    let server = start(&config(2));
    assert!(refused(&server, "drain core/core-9").contains("there is no node core/core-9"));
    let misspelled = evenkeel(&server, "drain core-1");
    assert_eq!(misspelled.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&misspelled.stderr).contains("accepted: POOL/NODE"));
    let reserved = refused(&server, "drain core/core-1 --by auto_nominate");
    assert!(reserved.contains("the name is reserved for the server"), "{reserved}");
    assert!(refused(&server, "resume core/core-1").contains("core/core-1 has no override"));
    let output = evenkeel(&server, "status --socket /nonexistent.sock");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no server answers at /nonexistent.sock"));
    assert_eq!(evenkeel(&server, "force sideways core/core-1").status.code(), Some(64));
    assert_eq!(evenkeel(&server, "drain core/core-1 --for 500ms").status.code(), Some(64));
    assert!(refused(&server, "drain core/core-1 --by ").contains("`by` is empty"));
    assert!(refused(&server, "drain core/core-1 --why a\nb").contains("`why` holds control characters"));
    let long = "x".repeat(201);
    assert!(refused(&server, &format!("drain core/core-1 --why {long}")).contains("`why` is too long"));
    done(&server, "drain core/core-1");
    let why = refused(&server, "drain core/core-2");
    assert!(why.contains("0 of at least 1 active nodes of pool core would be left"), "{why}");
    done(&server, "drain core/core-2 --force");
    let response = server.client().ask("core.lb.example", 1);
    assert_eq!(u16::from(response.metadata.response_code), 2, "open to nobody is SERVFAIL");
}

#[test]
fn a_drain_ends_by_itself_and_wait_returns_when_the_node_is_idle() {
    let server = start(&config(2));
    let began = Instant::now();
    done(&server, "drain core/core-1 --wait");
    assert!(began.elapsed() >= Duration::from_secs(1), "the TTL is over: {:?}", began.elapsed());
    assert!(done(&server, "status").contains("; idle since 20"));
    done(&server, "drain core/core-1 --for 1s");
    wait_until("the drain has ended", || answered(&server) == BTreeSet::from([1, 2]));
    server.wait_for_log("core/core-1 is left to its monitors again: its time is over");
}

/// Five drains at once where one is allowed: one is carried out, whoever comes first.
#[test]
fn drains_at_the_same_time_leave_min_available_nodes() {
    let server = start(&config(5).replace("[pools.core]\n", "[pools.core]\nmin_available = 4\n"));
    for _ in 0..5 {
        let drained: Vec<u8> = std::thread::scope(|scope| {
            let drain = |i: u8| (i, evenkeel(&server, &format!("drain core/core-{i}")).status.success());
            let drains = [1, 2, 3, 4, 5].map(|i| scope.spawn(move || drain(i)));
            let ended = drains.into_iter().map(|drain| drain.join().expect("no panic"));
            ended.filter_map(|(i, done)| done.then_some(i)).collect()
        });
        assert_eq!(drained.len(), 1, "{drained:?}");
        assert_eq!(answered(&server).len(), 4);
        done(&server, &format!("resume core/core-{}", drained[0]));
    }
}

/// Whoever hangs up in the middle of a request has asked for it or not; the disk and the queries agree about that.
#[test]
fn a_request_that_is_hung_up_on_is_done_or_not_but_never_half() {
    let server = start(&config(2));
    let body = r#"{"state": "drain", "by": "ops", "force": true}"#;
    let put = format!(
        "PUT /v1/overrides/core/core-1 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for round in 0..60_u64 {
        let mut socket = UnixStream::connect(server.directory().join("admin.sock")).expect("the socket is there");
        socket.write_all(put.as_bytes()).expect("the server reads");
        std::thread::sleep(Duration::from_micros(round * 50));
        drop(socket);
        // What is in flight ends before this command, which waits for its turn.
        done(&server, "drain core/core-2 --force");
        wait_until("disk and queries agree", || {
            let kept = std::fs::read_to_string(server.directory().join("state/overrides.json")).expect("a file");
            kept.contains("core/core-1") != answered(&server).contains(&1)
        });
        evenkeel(&server, "resume core/core-1");
        done(&server, "resume core/core-2");
    }
}

#[test]
fn a_drain_waits_for_old_answers_also_across_a_restart_and_a_shorter_ttl() {
    let long = config(3).replace("ttl = \"1s\"", "ttl = \"60s\"");
    let mut server = start(&long);
    done(&server, "drain core/core-1");
    server.kill();
    server.restart();
    assert!(done(&server, "status").contains("the last answer with it expires in"));
    server.reload(&config(3));
    done(&server, "drain core/core-2");
    let json = status(&server);
    let node = &json["pools"][0]["nodes"][1];
    let left = node["idle_from"].as_u64().unwrap_or_default() - node["override"]["at"].as_u64().unwrap_or_default();
    assert!(left > 30, "answers of 60 s are out: {left}");
}

#[test]
fn force_up_answers_a_node_that_its_monitors_find_down() {
    let nodes = Nodes::start(2);
    let monitored = config(2)
        .replace("192.0.2.1\"", &format!("{}\"", nodes.address(0)))
        .replace("192.0.2.2\"", &format!("{}\"", nodes.address(1)))
        .replace("[pools.core]\n", "[pools.core]\nmonitors = [\"ready\"]\n")
        + &format!("[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\n", nodes.port);
    nodes.fake(0, r#"{"readyz": 503}"#);
    let server = start(&monitored);
    assert_eq!(answered(&server), BTreeSet::from([2]));
    assert!(done(&server, "status").contains("down: status 503"));
    done(&server, "force up core/core-1");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
}

#[test]
fn overrides_survive_restarts_reloads_and_absence() {
    let mut server = start(&config(3));
    done(&server, "drain core/core-3 --why later");
    // The node goes, and what was said of it stays.
    server.reload(&config(2));
    assert!(done(&server, "status").contains("core/core-3 is not in the configuration; it is drained by ops (later)"));
    server.reload(&config(3));
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    server.restart();
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    server.write("state/overrides.json", "{ torn");
    server.restart();
    server.wait_for_log("overrides are lost, ");
    assert_eq!(answered(&server), BTreeSet::from([1, 2, 3]));
}

/// Two servers must not share what each believes to be its own.
#[test]
fn a_socket_or_state_directory_in_use_is_refused() {
    let server = start(&config(2));
    let other = |changed: &str| {
        server.write("other.toml", changed);
        let mut command = Command::new(PROGRAM);
        let output = command.args(["serve", "--config", "other.toml"]).current_dir(server.directory()).output();
        let output = output.expect("the built program starts");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("text")
    };
    let said = other(&config(2).replace("admin.sock", "other.sock"));
    assert!(said.contains("state_dir") && said.contains("another server uses it"), "{said}");
    let said = other(&config(2).replace("\"state\"", "\"other\""));
    assert!(said.contains("admin.sock cannot be opened: another server listens there"), "{said}");
    server.write("kept.txt", "text");
    let said = other(&config(2).replace("\"state\"", "\"other\"").replace("admin.sock", "kept.txt"));
    assert!(said.contains("there is a file that is not a socket"), "{said}");
    assert_eq!(std::fs::read_to_string(server.directory().join("kept.txt")).expect("the file"), "text");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
}

/// Kill -9 while overrides and roles change: what was acknowledged is there after every start, and every start succeeds.
#[test]
fn no_acknowledged_override_is_lost_by_200_kills() {
    let spare = "{ name = \"spare\", address = \"192.0.2.9\", role = \"backup\" },\n]\n[names";
    let mut server = start(&config(8).replace("]\n[names", spare));
    let mut rng = fastrand::Rng::with_seed(5);
    let mut acknowledged = BTreeSet::from_iter(1..=8);
    for round in 0..200 {
        // One command is under way when the process is killed; it may or may not have counted.
        let node = rng.u8(2..=8);
        let mut changed = acknowledged.clone();
        let toggle = |set: &mut BTreeSet<u8>, node| {
            if !set.remove(&node) {
                set.insert(node);
            }
        };
        toggle(&mut changed, node);
        let command = match (node, changed.contains(&node)) {
            (8, _) => {
                toggle(&mut changed, 9);
                let step =
                    if changed.contains(&9) { "nominate core/spare --replace core-8" } else { "unregister core/spare" };
                format!("{step} --force")
            }
            (_, true) => format!("resume core/core-{node}"),
            (_, false) => format!("drain core/core-{node}"),
        };
        let mut child = Command::new(PROGRAM)
            .args(command.split(' '))
            .env("EVENKEEL_SOCKET", server.directory().join("admin.sock"))
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the built program starts");
        std::thread::sleep(Duration::from_micros(rng.u64(..15_000)));
        server.kill();
        let counted = child.wait().expect("a child of this process").success();
        server.restart();
        let found = answered(&server);
        if counted {
            assert_eq!(found, changed, "round {round}: an acknowledged {command} is lost");
        } else {
            assert!(
                found == changed || found == acknowledged,
                "round {round}, {command}: {found:?} is neither {changed:?} nor {acknowledged:?}"
            );
        }
        acknowledged = found;
    }
}

/// A restart answers no worse than the moment before: what was down stays out although nobody has probed it yet.
#[test]
fn health_survives_a_restart_until_the_first_probe() {
    let nodes = Nodes::start(2);
    let silent = std::net::TcpListener::bind((Ipv4Addr::new(127, 252, 0, 1), nodes.port)).expect("a silent node");
    let config = config(2)
        .replace("192.0.2.1\"", &format!("{}\"", nodes.address(0)))
        .replace("192.0.2.2\"", "127.252.0.1\"")
        .replace("[server]", "[server]\nstartup_grace = \"200ms\"")
        .replace("[pools.core]\n", "[pools.core]\nmonitors = [\"ready\"]\n")
        + &format!(
            "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"1s\"\nfall = 1\n",
            nodes.port
        );
    let mut server = start(&config);
    server.wait_for_log("core/core-2 (127.252.0.1) is down: 1 of 1 probes of ready failed, no answer within 1s");
    nodes.fake(0, r#"{"readyz": 503}"#);
    server.wait_for_log("(fail open)");
    nodes.fake(0, r#"{"readyz": 200}"#);
    server.wait_for_log("active nodes are up again");
    server.signal("TERM");
    server.wait();
    server.restart();
    server.wait_for_log("core/core-2 (127.252.0.1) is down: as before the restart, not probed within startup_grace");
    assert_eq!(v4(&server.client().ask("core.lb.example", 1)), [nodes.address(0)]);
    // After a kill it is what was written a moment before.
    let file = server.directory().join("state/health.json");
    wait_until("health is written", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"core/core-2 127.252.0.1\": false"))
    });
    server.restart();
    assert_eq!(v4(&server.client().ask("core.lb.example", 1)), [nodes.address(0)]);
    drop(silent);
}

#[test]
fn over_tcp_there_is_only_reading_and_only_under_an_own_name() {
    let port = free_address();
    let server =
        start(&config(2).replace("socket = \"admin.sock\"", &format!("socket = \"admin.sock\"\nlisten = \"{port}\"")));
    let curl = |arguments: &[&str]| {
        let mut command = Command::new(required("curl", "curl"));
        output_of(command.args(["-s", "-w", " %{http_code}"]).args(arguments).arg(format!("http://{port}/v1/status")))
    };
    let status = curl(&[]);
    assert!(status.contains("\"name\":\"core-1\"") && status.ends_with(" 200"), "{status}");
    assert!(curl(&["-H", "Host: evil.example"]).ends_with(" 403"));
    assert!(curl(&["-X", "PUT", "-d", "{}"]).ends_with(" 405"));
    let mut command = Command::new(required("curl", "curl"));
    let drain = format!("http://{port}/v1/overrides/core/core-1");
    let said = [
        "-s",
        "-w",
        " %{http_code}",
        "-X",
        "PUT",
        "-H",
        "Content-Type: application/json",
        "-d",
        "{\"word\":\"drain\",\"by\":\"x\"}",
    ];
    assert!(output_of(command.args(said).arg(drain)).ends_with(" 404"));
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
}

#[test]
fn status_tells_when_this_machine_cannot_probe() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let (program, away) = (directory.path().join("probe"), directory.path().join("away"));
    std::os::unix::fs::symlink("/bin/true", &program).expect("a program for the test");
    let monitor = format!(
        "[monitors.m]\nkind = \"exec\"\ncommand = [\"{}\"]\ninterval = \"100ms\"\ntimeout = \"100ms\"\n",
        program.display()
    );
    let server = start(&(config(1).replace("[pools.core]\n", "[pools.core]\nmonitors = [\"m\"]\n") + &monitor));
    assert!(done(&server, "status").contains("active  1       up\n"));
    std::fs::rename(&program, &away).expect("a program of ours");
    wait_until("status says so", || done(&server, "status").contains("up; this machine cannot probe: "));
    assert!(done(&server, "status").contains("probe: No such file"), "{}", done(&server, "status"));
    assert_eq!(answered(&server), BTreeSet::from([1]), "health stays as it is");
    std::fs::rename(&away, &program).expect("a program of ours");
    wait_until("status is silent", || done(&server, "status").contains("active  1       up\n"));
}
