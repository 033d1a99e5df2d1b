//! Hot backups, which refuse work until they are nominated: nominations by an operator,
//! auto-nomination, and the errors of both.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

use crate::support::commands::{answered, refusal, run};
use crate::support::fake_core_process::FakeCoreProcess;
use crate::support::nodes::Nodes;
use crate::support::program::required;
use crate::support::repository;
use crate::support::server::Server;
use crate::support::{accept, wait_until};

/// Starts three nodes; the last one is a hot backup.
fn start_nodes() -> Nodes {
    let mut nodes = Nodes::start(3);
    nodes.stop(2);
    nodes.restart_as_backup(2);
    nodes
}

/// Starts a server with a pool of two active nodes, `one` and `two`, and the backup `spare`.
///
/// `keys` are further keys of the pool. The monitors and role actions are those for Core nodes.
fn start_server(nodes: &Nodes, keys: &str) -> Server {
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
         [actions.demote]\nkind = \"sequence\"\nsteps = [\"deactivate\", \"register\"]\n\
         [actions.deactivate]\nkind = \"http\"\nport = {port}\nmethod = \"PUT\"\npath = \"/_fake\"\n\
         body = '{{\"unregistered\": true}}'\n\
         [actions.register]\nkind = \"http\"\nport = {port}\nmethod = \"POST\"\npath = \"/admin/license/backup\"\n\
         headers = {{ activation-key = \"key\", active-deployment-id = \"other\" }}\n\
         [pools.core]\nmonitors = [\"ready\", \"active\"]\nstandby_monitors = [\"standby\"]\n\
         nominate_action = \"nominate\"\ndemote_action = \"demote\"\n{keys}nodes = [{{ name = \"one\", address = \"{one}\" }}, \
         {{ name = \"two\", address = \"{two}\" }}, {{ name = \"spare\", address = \"{spare}\", role = \"backup\" }}]\n\
         [names.\"core.lb.example\"]\npool = \"core\"\nttl = \"1s\"\n"
    );
    Server::start(&config)
}

#[test]
fn a_nominated_backup_replaces_a_dead_node_until_another_nomination() {
    let mut nodes = start_nodes();
    let mut server = start_server(&nodes, "");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    let status = run(&server, "status");
    assert!(status.contains("standby health up, not serving"), "{status}");
    // If all active nodes are down, the backup is not answered either: it would refuse all work.
    nodes.stop(0);
    nodes.set_faults(1, "{\"readyz\": 503}");
    server.wait_for_log("pool core: no node is up, all 2 active nodes are eligible (fail open)");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    nodes.set_faults(1, "{\"readyz\": 200}");
    wait_until("only node two is answered", || answered(&server) == BTreeSet::from([2]));
    // If the role action fails, no role changes.
    nodes.set_faults(2, "{\"nomination\": 500}");
    let message = refusal(&server, "nominate core/spare --replace one");
    assert!(message.contains("the action has failed, and no role has changed: status 500"), "{message}");
    assert_eq!(answered(&server), BTreeSet::from([2]));
    assert!(run(&server, "status --json").contains("\"nomination\": null"));
    // The backup is nominated but not ready yet, so it is not answered.
    nodes.set_faults(2, "{\"nomination\": 200, \"readyz\": 503}");
    run(&server, "nominate core/spare --replace one --why drill");
    wait_until("the status shows the nomination", || {
        let status = run(&server, "status");
        status.contains("down: status 503; has not served since its nomination; nominated by ops (drill), replaces one")
    });
    assert_eq!(answered(&server), BTreeSet::from([2]));
    nodes.set_faults(2, "{\"readyz\": 200}");
    wait_until("the backup is answered", || answered(&server) == BTreeSet::from([2, 3]));
    // The dead node returns in its new role. It first behaves as an active node, then as a backup.
    nodes.restart(0);
    wait_until("node one is up", || {
        run(&server, "status").contains("backup: 2 active nodes are up, min_available is 1")
    });
    assert_eq!(answered(&server), BTreeSet::from([2, 3]));
    nodes.stop(0);
    nodes.restart_as_backup(0);
    wait_until("node one is a backup", || {
        run(&server, "status")
            .contains("standby health up, not serving: body has is_backup = true, not false; replaced by spare")
    });
    assert_eq!(answered(&server), BTreeSet::from([2, 3]));
    // Roles survive a restart.
    server.restart();
    assert_eq!(answered(&server), BTreeSet::from([2, 3]));
    run(&server, "nominate core/one --replace spare");
    wait_until("node one is answered", || answered(&server) == BTreeSet::from([1, 2]));
    assert!(refusal(&server, "demote core/spare").contains("core/spare is not nominated"));
    let events = run(&server, "events core/one");
    assert!(events.contains("core/one is nominated to replace spare by ops"), "{events}");
    assert_eq!(run(&server, "events core --limit 2 --json").lines().count(), 2);
}

#[test]
fn nominating_a_dead_backup_or_replacing_a_needed_node_requires_force() {
    let mut nodes = start_nodes();
    let server = start_server(&nodes, "min_available = 2\n");
    let message = refusal(&server, "nominate core/spare --replace one");
    assert!(
        message.contains(
            "pool core would be left with 1 active node up; min_available is 2; to do it anyway, use --force"
        ),
        "{message}"
    );
    nodes.stop(2);
    wait_until("the standby health is down", || run(&server, "status").contains("standby health down"));
    let message = refusal(&server, "nominate core/spare");
    assert!(
        message.contains("neither the monitors nor the standby monitors find core/spare up (")
            && message.contains("connection refused"),
        "{message}"
    );
    let message = refusal(&server, "nominate core/spare --force");
    assert!(message.contains("the action has failed, and no role has changed: connection refused"), "{message}");
    assert!(refusal(&server, "nominate core/one").contains("core/one is active already"));
    assert!(refusal(&server, "nominate core/unknown").contains("there is no node core/unknown"));
    assert!(refusal(&server, "nominate core/spare --replace unknown").contains("there is no node core/unknown"));
    nodes.restart_as_backup(2);
    wait_until("the standby health is up", || run(&server, "status").contains("standby health up, not serving"));
    run(&server, "nominate core/spare");
    wait_until("the backup is answered with the others", || answered(&server) == BTreeSet::from([1, 2, 3]));
    run(&server, "demote core/spare");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
    wait_until("the node is a backup again", || run(&server, "status").contains("standby health up, not serving"));
    run(&server, "nominate core/spare --for 1s");
    wait_until("the nomination has ended", || answered(&server) == BTreeSet::from([1, 2]));
    server.wait_for_log("core/spare is in its configured role again: the nomination has expired");
}

#[test]
fn auto_nominate_replaces_one_dead_node_without_an_operator() {
    let mut nodes = start_nodes();
    let server = start_server(&nodes, "min_available = 2\nauto_nominate = true\nnominate_every = \"1h\"\n");
    nodes.stop(1);
    wait_until("the backup is answered", || answered(&server) == BTreeSet::from([1, 3]));
    server.wait_for_log("core/spare is nominated to replace two by auto_nominate (two is down)");
    nodes.restart_as_backup(1);
    wait_until("node two is a backup", || {
        run(&server, "status")
            .contains("standby health up, not serving: body has is_backup = true, not false; replaced by spare")
    });
    assert_eq!(answered(&server), BTreeSet::from([1, 3]));
}

#[test]
fn a_nomination_on_the_second_server_skips_the_role_action() {
    let nodes = start_nodes();
    let (first, second) = (start_server(&nodes, ""), start_server(&nodes, ""));
    run(&first, "nominate core/spare --replace one");
    wait_until("both servers see that the backup serves", || {
        let status = run(&second, "status");
        let is_seen = status.contains("backup: 2 active nodes are up, min_available is 1; standby health down");
        answered(&first) == BTreeSet::from([2, 3]) && is_seen
    });
    // The node would refuse a second promotion.
    let message = run(&second, "nominate core/spare --replace one");
    assert_eq!(message, "core/spare is nominated; its action was skipped, because it serves already\n");
    assert_eq!(answered(&second), BTreeSet::from([2, 3]));
    nodes.set_faults(0, "{\"nomination\": 500}");
    run(&second, "nominate core/one --without-action");
    assert_eq!(answered(&second), BTreeSet::from([1, 2, 3]));
}

/// Right after a role has changed, earlier results of monitors do not count.
#[test]
fn a_demoted_backup_can_be_nominated_again_at_once() {
    let nodes = start_nodes();
    let server = start_server(&nodes, "");
    run(&server, "nominate core/spare --replace one");
    wait_until("the backup is answered", || answered(&server) == BTreeSet::from([2, 3]));
    run(&server, "demote core/spare");
    run(&server, "nominate core/spare --replace one");
    wait_until("the backup is answered again", || answered(&server) == BTreeSet::from([2, 3]));
    wait_until("the status shows the nomination", || {
        run(&server, "status").contains("up; nominated by ops, replaces one")
    });
}

#[test]
fn a_nomination_that_cannot_be_stored_changes_nothing() {
    let nodes = start_nodes();
    let server = start_server(&nodes, "");
    let blocker = server.directory().join("state/overrides.json.new");
    std::fs::create_dir(&blocker).expect("the test can create a directory");
    let message = refusal(&server, "nominate core/spare --replace one");
    assert!(message.contains("the change could not be stored, and nothing has changed: Is a directory"), "{message}");
    std::fs::remove_dir(&blocker).expect("the test can create a directory");
    wait_until("the backup was not promoted", || run(&server, "status").contains("standby health up, not serving"));
    run(&server, "nominate core/spare --replace one");
}

#[test]
fn a_nominated_backup_that_was_removed_can_be_demoted() {
    let nodes = start_nodes();
    let mut server = start_server(&nodes, "");
    run(&server, "nominate core/spare --replace one --force");
    let config = std::fs::read_to_string(server.directory().join("evenkeel.toml")).expect("the file can be read");
    let start = config.find(", { name = \"spare\"").expect("the configuration has the backup");
    let end = start + config[start..].find('}').expect("the entry has an end") + 1;
    let without = format!("{}{}", &config[..start], &config[end..]);
    let keys =
        ["standby_monitors = [\"standby\"]\n", "nominate_action = \"nominate\"\n", "demote_action = \"demote\"\n"];
    let without = keys.iter().fold(without, |text, key| text.replace(key, ""));
    server.reload(&without);
    server.wait_for_log("core/one is active by the new configuration");
    assert!(refusal(&server, "demote core/one").contains("which is missing from the configuration; demote core/spare"));
    run(&server, "demote core/spare");
    assert!(!run(&server, "status").contains("spare"));
    assert!(refusal(&server, "demote core/spare").contains("there is no node core/spare"));
}

/// A node that is active by configuration counts for failing open, even right after it was
/// replaced.
#[test]
fn failing_open_includes_a_node_whose_replacement_was_demoted() {
    let nodes = start_nodes();
    let server = start_server(&nodes, "");
    nodes.set_faults(0, r#"{"readyz": 503}"#);
    wait_until("node one is down", || answered(&server) == BTreeSet::from([2]));
    run(&server, "nominate core/spare --replace one");
    wait_until("the backup is answered", || answered(&server) == BTreeSet::from([2, 3]));
    run(&server, "demote core/spare");
    nodes.set_faults(1, r#"{"readyz": 503}"#);
    server.wait_for_log("no node is up, all 2 active nodes are eligible (fail open)");
    assert_eq!(answered(&server), BTreeSet::from([1, 2]));
}

/// This holds even without another event in the pool, and after a restart.
#[test]
fn failing_open_includes_a_nominated_backup_that_has_served() {
    let nodes = start_nodes();
    let mut server = start_server(&nodes, "");
    run(&server, "nominate core/spare --replace one");
    wait_until("the backup is answered", || answered(&server) == BTreeSet::from([2, 3]));
    let health = server.directory().join("state/health.json");
    wait_until("the file says that the backup has served", || {
        std::fs::read_to_string(&health)
            .is_ok_and(|text| text.contains("\"served\": [\n") && text.contains("core/spare"))
    });
    server.restart();
    for node in [0, 1, 2] {
        nodes.set_faults(node, r#"{"readyz": 503}"#);
    }
    server.wait_for_log("no node is up, all 2 active nodes are eligible (fail open)");
    assert_eq!(answered(&server), BTreeSet::from([2, 3]));
}

#[test]
fn a_replaced_node_that_was_removed_meanwhile_returns_as_active() {
    let nodes = start_nodes();
    let mut server = start_server(&nodes, "");
    let config = std::fs::read_to_string(server.directory().join("evenkeel.toml")).expect("the file can be read");
    run(&server, "nominate core/spare --replace one");
    wait_until("the backup is answered", || answered(&server) == BTreeSet::from([2, 3]));
    let one = format!("{{ name = \"one\", address = \"{}\" }}, ", nodes.address(0));
    server.reload(&config.replace(&one, ""));
    run(&server, "demote core/spare");
    server.reload(&config);
    wait_until("node one is answered", || answered(&server) == BTreeSet::from([1, 2]));
    assert!(!run(&server, "status").contains("replaced"), "{}", run(&server, "status"));
}

#[test]
fn a_step_that_the_node_refuses_ends_the_sequence() {
    let nodes = start_nodes();
    let mut server = start_server(&nodes, "");
    let config = std::fs::read_to_string(server.directory().join("evenkeel.toml")).expect("the file can be read");
    run(&server, "nominate core/spare --replace one");
    wait_until("the backup is answered", || answered(&server) == BTreeSet::from([2, 3]));
    let [right, wrong] = ["\"deactivate\", \"register\"", "\"register\", \"deactivate\""];
    server.reload(&config.replace(right, wrong));
    let message = refusal(&server, "demote core/spare");
    let expected = "the action has failed, and no role has changed: step \"register\": status 400";
    assert!(message.contains(expected) && !message.contains("carried out"), "{message}");
    assert_eq!(answered(&server), BTreeSet::from([2, 3]), "the node is still active");
    // A node without a license cannot be nominated; the first step has taken the license away.
    server.reload(&config.replace(right, "\"deactivate\", \"nominate\""));
    let message = refusal(&server, "demote core/spare");
    assert!(message.contains("step \"nominate\": status 400"), "{message}");
    assert!(message.contains("; step \"deactivate\" has been carried out"), "{message}");
    server.reload(&config);
    run(&server, "demote core/spare");
    wait_until("the node is a backup again", || run(&server, "status").contains("standby health up, not serving"));
}

/// Runs the recipe for a node, with a license server that answers with this body. Returns the
/// outcome, and the path that the license server was asked for.
fn deactivate(node: &FakeCoreProcess, body: &str) -> (Output, String) {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("the test can write its directory");
        path
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let license_server = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
    let (address, port) = node.url.trim_start_matches("http://").rsplit_once(':').expect("the URL has a port");
    let mut recipe = Command::new(repository::root().join("examples/recipes/deactivate_core.sh"));
    recipe
        .env("EVENKEEL_ADDRESS", address)
        .env("CORE_PORT", port)
        .env("LICENSE_SERVER", license_server)
        .env("no_proxy", "*")
        .env("ACTIVATION_KEY_FILE", file("key", "a b\n"))
        .env("HEADERS_FILE", file("headers", "apikey: k\n"));
    std::thread::scope(|scope| {
        let request = scope.spawn(|| {
            let mut reader = BufReader::new(accept(&listener));
            let mut line = String::new();
            reader.read_line(&mut line).expect("curl sends a request");
            let response =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            reader.get_mut().write_all(response.as_bytes()).expect("curl reads the response");
            line
        });
        let outcome = recipe.output().expect("the recipe starts");
        (outcome, request.join().expect("the recipe asks the license server"))
    })
}

#[test]
fn the_recipe_deactivates_a_node_at_the_license_server() {
    required("curl", "curl");
    let node = FakeCoreProcess::start(&["--apikey", "k"]);
    let license = node.request("/admin/license", &["-H", "apikey: k"]).1;
    let deployment = license["deployment"].as_str().expect("the deployment ID is text");
    let (outcome, request) = deactivate(&node, "");
    assert!(outcome.status.success(), "{outcome:?}");
    let expected = format!("deployment={deployment}");
    assert!(request.starts_with("GET /deactivation?") && request.contains(&expected), "{request}");
    assert!(request.contains("key=a%20b") || request.contains("key=a+b"), "{request}");
    let (outcome, _) = deactivate(&node, "error: 'unknown key'");
    assert_eq!((outcome.status.code(), outcome.stdout.as_slice()), (Some(1), &b"error: 'unknown key'\n"[..]));
}
