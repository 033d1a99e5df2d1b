//! Overrides, roles and health survive restarts, even after SIGKILL.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use crate::support::commands::{answered, config_with_nodes, run, status};
use crate::support::nodes::{Nodes, silent_node};
use crate::support::packet::ipv4_addresses;
use crate::support::server::{PROGRAM, Server};
use crate::support::wait_until;

#[test]
fn the_idle_time_of_a_drain_covers_answers_from_before_a_restart_or_a_shorter_ttl() {
    let long = config_with_nodes(3).replace("ttl = \"1s\"", "ttl = \"60s\"");
    let mut server = Server::start(&long);
    run(&server, "drain core/core-1");
    server.kill();
    server.restart();
    assert!(run(&server, "status").contains("the last answer that contains it expires in"));
    server.reload(&config_with_nodes(3));
    run(&server, "drain core/core-2");
    let json = status(&server);
    let node = &json["pools"][0]["nodes"][1];
    let left = node["idle_from"].as_u64().unwrap_or_default() - node["override"]["at"].as_u64().unwrap_or_default();
    assert!(left > 30, "answers with a TTL of 60 s are valid for {left} s more");
}

#[test]
fn overrides_survive_restarts_and_reloads_without_their_node() {
    let mut server = Server::start(&config_with_nodes(3));
    run(&server, "drain core/core-3 --why later");
    // The node leaves the configuration, and its override stays.
    server.reload(&config_with_nodes(2));
    assert!(run(&server, "status").contains("core/core-3 is not in the configuration; it is drained by ops (later)"));
    server.reload(&config_with_nodes(3));
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    server.restart();
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    server.write("state/overrides.json", "{ torn");
    server.restart();
    server.wait_for_log("overrides are lost, ");
    assert_eq!(answered(&server), BTreeSet::from([1, 2, 3]));
}

/// SIGKILL hits while overrides and roles change. Each start succeeds, and has every override and
/// role whose command had returned.
#[test]
fn no_acknowledged_override_is_lost_by_200_kills() {
    let backup = "{ name = \"spare\", address = \"192.0.2.9\", role = \"backup\" },\n]\n[names";
    let mut server = Server::start(&config_with_nodes(8).replace("]\n[names", backup));
    let mut rng = fastrand::Rng::with_seed(5);
    let mut acknowledged = BTreeSet::from_iter(1..=8);
    for round in 0..200 {
        // One command runs while the process is killed. It may or may not have been carried out.
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
                let change =
                    if changed.contains(&9) { "nominate core/spare --replace core-8" } else { "demote core/spare" };
                format!("{change} --force")
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
        // The moment of the kill, not a wait for a condition.
        std::thread::sleep(Duration::from_micros(rng.u64(..15_000)));
        server.kill();
        let is_acknowledged = child.wait().expect("the child was not waited for yet").success();
        server.restart();
        let found = answered(&server);
        if is_acknowledged {
            assert_eq!(found, changed, "round {round}: the acknowledged {command} is lost");
        } else {
            assert!(
                found == changed || found == acknowledged,
                "round {round}: after {command}, {found:?} is neither {changed:?} nor {acknowledged:?}"
            );
        }
        acknowledged = found;
    }
}

/// After a restart, a node that was down is not answered before its first probe.
#[test]
fn health_survives_a_restart_until_the_first_probe() {
    let nodes = Nodes::start(2);
    let (_listener, silent) = silent_node(nodes.port);
    let silent = silent.ip();
    let config = config_with_nodes(2)
        .replace("192.0.2.1\"", &format!("{}\"", nodes.address(0)))
        .replace("192.0.2.2\"", &format!("{silent}\""))
        .replace("[server]", "[server]\nstartup_grace = \"200ms\"")
        .replace("[pools.core]\n", "[pools.core]\nmonitors = [\"ready\"]\n")
        + &format!(
            "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"1s\"\nfall = 1\n",
            nodes.port
        );
    let mut server = Server::start(&config);
    server.wait_for_log(&format!("core/core-2 ({silent}) is down: 1 of 1 probe of ready failed, no answer within 1s"));
    nodes.set_faults(0, r#"{"readyz": 503}"#);
    server.wait_for_log("(fail open)");
    nodes.set_faults(0, r#"{"readyz": 200}"#);
    server.wait_for_log("active nodes are up again");
    server.signal("TERM");
    server.wait();
    server.restart();
    server.wait_for_log(&format!(
        "core/core-2 ({silent}) is down: as before the restart, not probed within startup_grace"
    ));
    assert_eq!(ipv4_addresses(&server.client().ask("core.lb.example", 1)), [nodes.address(0)]);
    // After SIGKILL, health is as it was written last.
    let file = server.directory().join("state/health.json");
    wait_until("the file has the health of the silent node", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains(&format!("\"{silent}\": \"down\"")))
    });
    server.restart();
    assert_eq!(ipv4_addresses(&server.client().ask("core.lb.example", 1)), [nodes.address(0)]);
}
