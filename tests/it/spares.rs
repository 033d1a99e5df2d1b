//! Spares that refuse work until they are nominated: the drill, by hand and without, and what goes wrong.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use crate::support::nodes::Nodes;
use crate::support::operator::{answered, done, refused};
use crate::support::server::{PROGRAM, Server, ZONE};
use crate::support::wait_until;

/// Three nodes, the last of which is a hot backup.
fn nodes() -> Nodes {
    let mut nodes = Nodes::start(3);
    nodes.kill(2);
    nodes.revive_as_backup(2);
    nodes
}

/// A pool of two active nodes and a spare as Core clusters have it; `more` keys for it.
fn start(nodes: &Nodes, more: &str) -> Server {
    let port = nodes.port;
    let monitor = |name: &str, path: &str, condition: &str| {
        format!(
            "[monitors.{name}]\nkind = \"http\"\nport = {port}\npath = \"{path}\"\n{condition}interval = \"200ms\"\n\
             timeout = \"200ms\"\nrise = 1\nfall = 3\n"
        )
    };
    let is_backup = |truth| format!("json = [{{ path = \"is_backup\", equals = {truth} }}]\n");
    let monitors = monitor("ready", "/readyz", "")
        + &monitor("active", "/admin/license/backup", &is_backup(false))
        + &monitor("standby", "/admin/license/backup", &is_backup(true));
    let [one, two, spare] = [0, 1, 2].map(|node| nodes.address(node));
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nstate_dir = \"state\"\n[admin]\nsocket = \"admin.sock\"\n\
         [zones.\"lb.example\"]\nfile = \"lb.zone\"\n{monitors}\
         [actions.nominate]\nkind = \"http\"\nport = {port}\nmethod = \"POST\"\npath = \"/admin/license/backup/nomination\"\n\
         [actions.register]\nkind = \"http\"\nport = {port}\nmethod = \"POST\"\npath = \"/admin/license/backup\"\n\
         [pools.core]\nmonitors = [\"ready\", \"active\"]\nstandby_monitors = [\"standby\"]\n\
         nominate_action = \"nominate\"\nunregister_action = \"register\"\n{more}nodes = [{{ name = \"one\", address = \"{one}\" }}, \
         {{ name = \"two\", address = \"{two}\" }}, {{ name = \"spare\", address = \"{spare}\", role = \"backup\" }}]\n\
         [names.\"core.lb.example\"]\npool = \"core\"\nttl = \"1s\"\n"
    );
    Server::start_with(&[("evenkeel.toml", &config), ("lb.zone", ZONE)])
}

#[test]
fn the_drill_a_spare_takes_the_place_of_a_dead_node_for_good() {
    let mut nodes = nodes();
    let mut server = start(&nodes, "");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    let status = done(&server, "status");
    assert!(status.contains("alive as a backup, not serving"), "{status}");
    // With everybody down the spare is not even a last resort: it would refuse all work.
    nodes.kill(0);
    nodes.fake(1, "{\"readyz\": 503}");
    server.wait_for_log("pool core: no node is up, all 2 active nodes are answered (fail open)");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    nodes.fake(1, "{\"readyz\": 200}");
    wait_until("node two is back alone", || answered(&server) == BTreeSet::from([2]));
    // What its action refuses does not happen.
    nodes.fake(2, "{\"nomination\": 500}");
    let why = refused(&server, "nominate core/spare --replace one");
    assert!(why.contains("the action has failed, and no role has changed: status 500"), "{why}");
    assert_eq!(answered(&server), BTreeSet::from([2]));
    assert!(done(&server, "status --json").contains("\"nomination\": null"));
    // It serves, but does not say so yet: nominated, and not answered.
    nodes.fake(2, "{\"nomination\": 200, \"readyz\": 503}");
    done(&server, "nominate core/spare --replace one --why drill");
    wait_until("it is seen to be no backup any more", || {
        let status = done(&server, "status");
        status.contains("down: status 503; has not served since its nomination; nominated by ops (drill), replaces one")
    });
    assert_eq!(answered(&server), BTreeSet::from([2]));
    nodes.fake(2, "{\"readyz\": 200}");
    wait_until("the spare is answered", || answered(&server) == BTreeSet::from([2, 3]));
    // The dead node returns as what it is now: first as if nothing had happened, then in its new role.
    nodes.revive(0);
    wait_until("one is up", || done(&server, "status").contains("backup: 2 of 1 required active nodes are up"));
    assert_eq!(answered(&server), BTreeSet::from([2, 3]));
    nodes.kill(0);
    nodes.revive_as_backup(0);
    wait_until("one is a spare", || {
        done(&server, "status")
            .contains("alive as a backup, not serving: body has is_backup = true, not false; replaced by spare")
    });
    assert_eq!(answered(&server), BTreeSet::from([2, 3]));
    // All of it outlives the server.
    server.restart();
    assert_eq!(answered(&server), BTreeSet::from([2, 3]));
    done(&server, "nominate core/one --replace spare");
    wait_until("one serves", || answered(&server) == BTreeSet::from([1, 2]));
    assert!(refused(&server, "unregister core/spare").contains("core/spare is not nominated"));
    let events = done(&server, "events core/one");
    assert!(events.contains("core/one is nominated in the place of spare by ops"), "{events}");
    assert_eq!(done(&server, "events core --limit 2 --json").lines().count(), 2);
}

#[test]
fn a_spare_that_is_not_alive_or_a_node_that_is_needed_takes_force() {
    let mut nodes = nodes();
    let server = start(&nodes, "min_available = 2\n");
    let why = refused(&server, "nominate core/spare --replace one");
    assert!(why.contains("1 of at least 2 active nodes of pool core would be left; use --force"), "{why}");
    nodes.kill(2);
    wait_until("the spare is dead", || done(&server, "status").contains("not alive as a backup"));
    let why = refused(&server, "nominate core/spare");
    assert!(why.contains("core/spare is not alive (") && why.contains("connection refused"), "{why}");
    let why = refused(&server, "nominate core/spare --force");
    assert!(why.contains("the action has failed, and no role has changed: connection refused"), "{why}");
    assert!(refused(&server, "nominate core/one").contains("core/one is active already"));
    assert!(refused(&server, "nominate core/nobody").contains("there is no node core/nobody"));
    assert!(refused(&server, "nominate core/spare --replace nobody").contains("there is no node core/nobody"));
    nodes.revive_as_backup(2);
    wait_until("the spare is alive", || done(&server, "status").contains("alive as a backup, not serving"));
    done(&server, "nominate core/spare");
    wait_until("the spare is answered besides", || answered(&server) == BTreeSet::from([1, 2, 3]));
    done(&server, "unregister core/spare");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    wait_until("it is a spare again", || done(&server, "status").contains("alive as a backup, not serving"));
    done(&server, "nominate core/spare --for 1s");
    wait_until("its time is over", || answered(&server) == BTreeSet::from([1, 2]));
    server.wait_for_log("core/spare is in its configured role again: its time is over");
}

#[test]
fn without_an_operator_one_spare_steps_in_for_a_dead_node() {
    let mut nodes = nodes();
    let server = start(&nodes, "min_available = 2\nauto_nominate = true\nnominate_every = \"1h\"\n");
    nodes.kill(1);
    wait_until("the spare is answered", || answered(&server) == BTreeSet::from([1, 3]));
    server.wait_for_log("core/spare is nominated in the place of two by auto_nominate (two is down)");
    nodes.revive_as_backup(1);
    wait_until("two is a spare", || {
        done(&server, "status")
            .contains("alive as a backup, not serving: body has is_backup = true, not false; replaced by spare")
    });
    assert_eq!(answered(&server), BTreeSet::from([1, 3]));
}

#[test]
fn the_second_server_is_told_the_same_without_another_promotion() {
    let nodes = nodes();
    let (first, second) = (start(&nodes, ""), start(&nodes, ""));
    done(&first, "nominate core/spare --replace one");
    wait_until("both see that it serves", || {
        let status = done(&second, "status");
        let is_seen = status.contains("backup: 2 of 1 required active nodes are up; not alive as a backup");
        answered(&first) == BTreeSet::from([2, 3]) && is_seen
    });
    // A promotion of a node that is promoted would be refused.
    let said = done(&second, "nominate core/spare --replace one");
    assert_eq!(said, "core/spare is nominated; its action was skipped, because it serves already\n");
    assert_eq!(answered(&second), BTreeSet::from([2, 3]));
    nodes.fake(0, "{\"nomination\": 500}");
    done(&second, "nominate core/one --without-action");
    assert_eq!(answered(&second), BTreeSet::from([1, 2, 3]));
}

#[test]
fn events_are_followed_as_they_happen() {
    let nodes = nodes();
    let server = start(&nodes, "");
    assert!(refused(&server, "events core/nobody").contains("there is no pool or node core/nobody"));
    let mut following = Command::new(PROGRAM)
        .args(["events", "--follow", "-n", "0", "core/two"])
        .env("EVENKEEL_SOCKET", server.directory().join("admin.sock"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the built program starts");
    let mut reader = BufReader::new(following.stdout.take().expect("a pipe"));
    let (sender, first) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("text");
        sender.send(line)
    });
    done(&server, "drain core/one");
    // Until it has come so far that it follows.
    wait_until("a line is shown", || {
        done(&server, "drain core/two --force");
        done(&server, "resume core/two");
        first.try_recv().is_ok_and(|line| line.contains("core/two is "))
    });
    following.kill().expect("a process of ours");
    following.wait().expect("a process of ours");
}

/// Right after a role has changed, what monitors found before says nothing of it.
#[test]
fn a_spare_that_was_unregistered_is_promoted_again() {
    let nodes = nodes();
    let server = start(&nodes, "");
    done(&server, "nominate core/spare --replace one");
    wait_until("the spare is answered", || answered(&server) == BTreeSet::from([2, 3]));
    done(&server, "unregister core/spare");
    done(&server, "nominate core/spare --replace one");
    wait_until("it serves again", || answered(&server) == BTreeSet::from([2, 3]));
    wait_until("and is seen to", || done(&server, "status").contains("up; nominated by ops, replaces one"));
}

#[test]
fn a_role_that_cannot_be_kept_is_not_begun() {
    let nodes = nodes();
    let server = start(&nodes, "");
    let obstacle = server.directory().join("state/overrides.json.new");
    std::fs::create_dir(&obstacle).expect("a directory of ours");
    let why = refused(&server, "nominate core/spare --replace one");
    assert!(why.contains("it could not be stored, and nothing has changed: Is a directory"), "{why}");
    std::fs::remove_dir(&obstacle).expect("a directory of ours");
    wait_until("the spare was not promoted", || done(&server, "status").contains("alive as a backup, not serving"));
    done(&server, "nominate core/spare --replace one");
}

#[test]
fn a_nomination_of_a_spare_that_is_gone_can_be_taken_back() {
    let nodes = nodes();
    let mut server = start(&nodes, "");
    done(&server, "nominate core/spare --replace one --force");
    let config = std::fs::read_to_string(server.directory().join("evenkeel.toml")).expect("the file");
    let spare = config.find(", {{ name = \"spare\"".replace("{{", "{").as_str()).expect("the spare");
    let end = spare + config[spare..].find('}').expect("its end") + 1;
    let without = format!("{}{}", &config[..spare], &config[end..]);
    let keys = [
        "standby_monitors = [\"standby\"]\n",
        "nominate_action = \"nominate\"\n",
        "unregister_action = \"register\"\n",
    ];
    let without = keys.iter().fold(without, |text, key| text.replace(key, ""));
    server.reload(&without);
    server.wait_for_log("core/one is active by the new configuration");
    assert!(
        refused(&server, "unregister core/one")
            .contains("which is missing from the configuration; unregister core/spare")
    );
    done(&server, "unregister core/spare");
    assert!(!done(&server, "status").contains("spare"));
    assert!(refused(&server, "unregister core/spare").contains("there is no node core/spare"));
}

/// Who is active by the configuration is part of failing open, also right after its place was another's.
#[test]
fn failing_open_covers_those_whose_place_is_theirs_again() {
    let nodes = nodes();
    let server = start(&nodes, "");
    nodes.fake(0, r#"{"readyz": 503}"#);
    wait_until("one is down", || answered(&server) == BTreeSet::from([2]));
    done(&server, "nominate core/spare --replace one");
    wait_until("the spare is answered", || answered(&server) == BTreeSet::from([2, 3]));
    done(&server, "unregister core/spare");
    nodes.fake(1, r#"{"readyz": 503}"#);
    server.wait_for_log("no node is up, all 2 active nodes are answered (fail open)");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
}

/// Also when nothing else happens in the pool meanwhile, and across a restart.
#[test]
fn failing_open_covers_a_nominated_spare_that_has_served() {
    let nodes = nodes();
    let mut server = start(&nodes, "");
    done(&server, "nominate core/spare --replace one");
    wait_until("the spare is answered", || answered(&server) == BTreeSet::from([2, 3]));
    let memory = server.directory().join("state/health.json");
    wait_until("that it has served is remembered", || {
        std::fs::read_to_string(&memory)
            .is_ok_and(|text| text.contains("\"served\": [\n") && text.contains("core/spare"))
    });
    server.restart();
    for node in [0, 1, 2] {
        nodes.fake(node, r#"{"readyz": 503}"#);
    }
    server.wait_for_log("no node is up, all 2 active nodes are answered (fail open)");
    assert_eq!(answered(&server), BTreeSet::from([2, 3]));
}

#[test]
fn a_replaced_node_that_was_gone_meanwhile_is_active_when_it_returns() {
    let nodes = nodes();
    let mut server = start(&nodes, "");
    let config = std::fs::read_to_string(server.directory().join("evenkeel.toml")).expect("the file");
    done(&server, "nominate core/spare --replace one");
    wait_until("the spare is answered", || answered(&server) == BTreeSet::from([2, 3]));
    let one = format!("{{ name = \"one\", address = \"{}\" }}, ", nodes.address(0));
    server.reload(&config.replace(&one, ""));
    done(&server, "unregister core/spare");
    server.reload(&config);
    wait_until("one is answered", || answered(&server) == BTreeSet::from([1, 2]));
    assert!(!done(&server, "status").contains("replaced"), "{}", done(&server, "status"));
}
