//! `evenkeel check`: every mistake in one run, each with its place and what would be accepted.
//!
//! This file has mistakes in the configuration, `zone_files` those in zone files.

mod zone_files;

use std::process::{Command, Output};

use crate::support::certificates::self_signed_pem;
use crate::support::server::{PROGRAM, Server, ZONE, write_private};

/// A valid configuration.
const GOOD: &str = r#"[server]
listen = ["127.0.0.1:0"]
[zones."lb.example"]
file = "lb.zone"
[monitors.ready]
kind = "http"
port = 8008
[pools.core]
monitors = ["ready"]
nodes = [
  { name = "a", address = "10.0.0.1" },
]
[names."core.lb.example"]
pool = "core"
"#;

/// Runs `evenkeel` with these arguments.
fn evenkeel(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().expect("the built program starts")
}

/// Runs `check`; returns its exit code and its output, with paths shortened to file names.
fn check(config: &str, zone: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let path = directory.path().join("lb.toml");
    std::fs::write(&path, config).expect("the test can write its directory");
    std::fs::write(directory.path().join("lb.zone"), zone).expect("the test can write its directory");
    let output = evenkeel(&["check", "--config", path.to_str().expect("the path is text")]);
    let text = [output.stdout, output.stderr].concat();
    let shown = String::from_utf8(text).expect("messages are text");
    (output.status.code(), shown.replace(&format!("{}/", directory.path().display()), ""))
}

/// Asserts that `check` refuses the files, with this text in its output.
#[track_caller]
fn assert_refused(config: &str, zone: &str, expected: &str) {
    let (code, shown) = check(config, zone);
    assert_eq!(code, Some(78), "{shown}");
    assert!(shown.contains(expected), "the output lacks\n{expected}\nIt is\n{shown}");
}

#[test]
fn a_valid_configuration_is_summarized() {
    let (code, shown) = check(GOOD, ZONE);
    assert_eq!((code, shown.as_str()), (Some(0), "ok: 1 zone, 1 name, 1 pool, 1 node\n"));
}

#[test]
fn one_run_shows_every_mistake_of_a_file() {
    let config = r#"[server]
listn = ["127.0.0.1:0"]
startup_grace = "3"
workers = "two"
[zones."lb.example"]
file = "lb.zone"
[monitors.ready]
kind = "http"
port = 80080
path = "readyz"
interval = "1s"
timeout = "2s"
rise = 0
status = [200, "3xx"]
body_matches = "(unclosed"
[pools.core]
monitors = ["redy"]
when_empty = "fallback"
nodes = [
  { name = "a", address = "10.0.0.1", weight = 0 },
  { name = "a", address = "10.0.0.1" },
  { name = "b", addresses = [] },
  { address = "10.0.0.300" },
]
[pools.reserve]
nodes = [{ name = "s", address = "10.0.0.9", role = "backup" }]
[names."core.lb.example"]
pool = "cores"
ttl = "1500ms"
answers = 0
[names."core.elsewhere"]
pool = "core"
[names."www.lb.example"]
pool = "core"
[monitors.other]
kind = "htp"
"#;
    let (code, shown) = check(config, ZONE);
    assert_eq!(code, Some(78), "{shown}");
    for expected in [
        "lb.toml:2:1: error: unknown key `listn` in [server]\n2 | listn = [\"127.0.0.1:0\"]\n  | ^^^^^ did you mean `listen`?",
        "lb.toml:3:17: error: `startup_grace` is not a duration in range: \"3\"",
        "lb.toml:4:11: error: `workers` must not be a string\n4 | workers = \"two\"\n  |           ^^^^^ accepted: a whole number from 1 to 256",
        "lb.toml:36:8: error: `kind` cannot be \"htp\"\n36 | kind = \"htp\"\n   |        ^^^^^ accepted: \"http\", \"tcp\", \"icap\", \"exec\", \"agent\", \"ping\"",
        "lb.toml:9:8: error: `port` is out of range: 80080",
        "lb.toml:10:8: error: `path` cannot be \"readyz\"",
        "lb.toml:12:11: error: `timeout` (2s) is longer than `interval` (1s)",
        "lb.toml:13:8: error: `rise` is out of range: 0",
        "lb.toml:14:16: error: an item of `status` cannot be 3xx",
        "lb.toml:15:16: error: `body_matches` is not a regular expression",
        "lb.toml:17:13: error: pool \"core\" uses monitor \"redy\", which is not defined",
        "lb.toml:18:14: error: `when_empty` is \"fallback\", but there are no addresses",
        "lb.toml:20:48: error: `weight` is out of range: 0",
        "lb.toml:21:12: error: pool \"core\" has two nodes \"a\"",
        "lb.toml:21:27: error: 10.0.0.1 appears twice in pool \"core\"",
        "lb.toml:22:29: error: `addresses` is empty",
        "lb.toml:23:3: error: `name` is missing",
        "lb.toml:23:15: error: `address` cannot be \"10.0.0.300\"",
        "lb.toml:26:9: error: pool \"reserve\" has no active node",
        "lb.toml:28:8: error: name core.lb.example uses pool \"cores\", which is not defined",
        "lb.toml:29:7: error: `ttl` is not a whole number of seconds",
        "lb.toml:30:11: error: `answers` is out of range: 0",
        "lb.toml:31:8: error: name core.elsewhere is in no zone",
        "lb.toml:33:8: error: name www.lb.example has A records in the zone file too",
    ] {
        assert!(shown.contains(expected), "the output lacks\n{expected}\nIt is\n{shown}");
    }
    assert!(shown.ends_with(" errors\n"), "{shown}");
}

#[test]
fn references_between_tables_are_checked() {
    let two_names = format!("{GOOD}[names.\"scan2.lb.example\"]\npool = \"core\"\n");
    assert_refused(
        &two_names,
        ZONE,
        "lb.toml:8:8: error: pool \"core\" needs a `host` for its probes: several names use it",
    );
    let wildcard = GOOD.replace("core.lb.example", "*.lb.example");
    assert_refused(&wildcard, ZONE, "needs a `host` for its probes: a wildcard uses it");
    let alias = GOOD.replace("core.lb.example", "scan.lb.example");
    assert_refused(&alias, ZONE, "name scan.lb.example has CNAME records in the zone file too");
    let delegated = format!("{ZONE}core NS ns1\n");
    assert_refused(GOOD, &delegated, "name core.lb.example is delegated away in the zone file");
    let redirected = GOOD.replace("core.lb.example", "core.d.lb.example");
    assert_refused(
        &redirected,
        &format!("{ZONE}d DNAME ns1\n"),
        "name core.d.lb.example is redirected in the zone file",
    );
    let (code, shown) = check(&GOOD.replace("monitors = [\"ready\"]\n", ""), ZONE);
    assert_eq!(code, Some(0), "an unused monitor is only a warning: {shown}");
    assert!(shown.contains("lb.toml:5:11: warning: monitor \"ready\" is used by no pool"), "{shown}");
}

#[test]
fn syntax_errors_and_unreadable_files_are_reported() {
    assert_refused("[server\n", ZONE, "lb.toml:1:8: error: ");
    assert_refused(
        &GOOD.replace("lb.zone", "other.zone"),
        ZONE,
        "lb.toml:4:8: error: zone file other.zone cannot be read: No such file",
    );
    let output = evenkeel(&["check", "--config", "/nonexistent.toml"]);
    assert_eq!(output.status.code(), Some(78));
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(shown.contains("/nonexistent.toml: error: cannot be read: No such file"), "{shown}");
    assert!(check("\u{feff}# nothing\n", ZONE).1.contains("no zone is configured"));
    let (_, zones) = check("zones = 5\n[pools.p]\nnodes = []\n[names.\"a.example\"]\npool = \"p\"\n", ZONE);
    assert!(zones.contains("`zones` must not be a whole number") && !zones.contains("zone is configured"), "{zones}");
    assert!(!zones.contains("is in no zone"), "without zones, names are not checked: {zones}");
}

#[test]
fn values_that_cannot_work_are_refused() {
    let pool = |line: &str| GOOD.replace("nodes = [\n", &format!("{line}\nnodes = [\n"));
    let node = |address: &str| GOOD.replace("10.0.0.1", address);
    let monitor = |line: &str| GOOD.replace("port = 8008", &format!("port = 8008\n{line}"));
    let cases = [
        (monitor("path = \"/a b\\r\\nX: y\""), "`path` cannot be \"/a b\\r\\nX: y\""),
        (monitor("path = \"/a#b\""), "`path` cannot be \"/a#b\""),
        (
            monitor("scheme = \"https\"").replace("nodes = [\n", "host = \"192.0.2.1\"\nnodes = [\n"),
            "`host` cannot be \"192.0.2.1\" with a request over https",
        ),
        (monitor("headers = { a = \"1\", A = \"2\" }"), "the header A appears twice"),
        (monitor("headers = { Content-Length = \"5\" }"), "the header Content-Length is set by the connection"),
        (monitor("headers = { Host = \"x\" }"), "the Host header comes from the pool"),
        (monitor("headers = { a = \"\u{e4}\" }"), "not a header value"),
        (monitor("body_limit = 2\nbody_contains = \"abc\""), "`body_contains` is longer than the 2 bytes"),
        (monitor("json = [{ path = \"a..b\", equals = 1 }]"), "`path` cannot be \"a..b\""),
        (monitor("json = [{ path = \"a\" }]"), "a JSON condition needs one test"),
        (monitor("json = [{ path = \"a\", equals = 1, at_most = 2 }]"), "a JSON condition needs one test"),
        (monitor("json = [{ path = \"a\", at_least = \"x\" }]"), "`at_least` must not be a string"),
        (monitor("busy_status = [503]"), "`busy_status` needs `busy_json`"),
        (monitor("method = \"HEAD\"\nbody_contains = \"x\""), "a response to HEAD has no body to check"),
        (monitor("ca = \"ca.pem\""), "`ca` is for TLS"),
        (monitor("scheme = \"https\"\nca = \"lb.zone\""), "lb.zone: it contains no certificate"),
        (monitor("headers_file = \"lb.zone\""), "lb.zone: this secret is open to all users (mode 644)"),
        (
            GOOD.replace("kind = \"http\"", "kind = \"exec\"").replace("port = 8008", "command = [\"true\"]"),
            "`command` names no program",
        ),
        (
            GOOD.replace("kind = \"http\"", "kind = \"exec\"").replace("port = 8008", "command = [\"/nonexistent\"]"),
            "/nonexistent cannot be run: No such file",
        ),
        (
            GOOD.replace("kind = \"http\"", "kind = \"tcp\"").replace("port = 8008", "port = 22\nexpect = \"(\""),
            "`expect` is not a regular expression",
        ),
        (GOOD.replace("kind = \"http\"", "kind = \"icap\"").replace("port = 8008", ""), "`service` is missing"),
        (GOOD.replace("kind = \"http\"", "kind = \"ping\""), "unknown key `port` in [monitors.ready]"),
        (pool("min_available = 0x2"), "`min_available` cannot be 0x2: the pool has 1 active node"),
        (pool("min_available = 2"), "`min_available` cannot be 2: the pool has 1 active node"),
        (pool("min_available = \"150%\""), "`min_available` cannot be \"150%\""),
        (pool("max_ejected = 2"), "`max_ejected` cannot be 2: the pool has 1 active node"),
        (pool("max_ejected = \"all\""), "`max_ejected` cannot be \"all\""),
        (pool("standby_monitors = [\"ready\"]"), "`standby_monitors` is for backups, and pool \"core\" has none"),
        (pool("auto_nominate = true"), "`auto_nominate` is for backups, and pool \"core\" has none"),
        (pool("nominate_every = \"1m\""), "`nominate_every` needs `auto_nominate`"),
        (
            pool("nominate_action = \"promote\"")
                .replace("nodes = [\n", "nodes = [\n{ name = \"s\", address = \"10.0.0.9\", role = \"backup\" },\n"),
            "`nominate_action` names action \"promote\", which is not defined",
        ),
        (pool("when_empty = \"nodata\"\nfallback = [\"10.0.0.9\"]"), "`fallback` is given, but `when_empty` does not"),
        (format!("{GOOD}[actions.promote]\nkind = \"http\"\n"), "`port` is missing"),
        (format!("{GOOD}[actions.promote]\nkind = \"exec\"\n"), "`command` is missing"),
        (format!("{GOOD}[actions.promote]\nport = 80\n"), "`kind` is missing"),
        (format!("{GOOD}[actions.promote]\nkind = \"ping\"\n"), "`kind` cannot be \"ping\""),
        (format!("{GOOD}[actions.promote]\nkind = \"sequence\"\n"), "`steps` is missing"),
        (format!("{GOOD}[actions.promote]\nkind = \"sequence\"\nsteps = []\n"), "`steps` is empty"),
        (
            format!("{GOOD}[actions.promote]\nkind = \"sequence\"\nsteps = [\"register\"]\n"),
            "`steps` names action \"register\", which is not defined",
        ),
        (
            format!("{GOOD}[actions.promote]\nkind = \"sequence\"\nsteps = [\"promote\"]\n"),
            "`steps` names action \"promote\", which is a sequence itself",
        ),
        (GOOD.replace("10.0.0.1\" }", "10.0.0.1\", role = \"backup\" }"), "pool \"core\" has no active node"),
        (format!("{GOOD}[notifications.n]\nkind = \"webhook\"\n"), "`url` is missing"),
        (
            format!("{GOOD}[notifications.n]\nkind = \"webhook\"\nurl = \"mailto:a@b\"\n"),
            "`url` cannot be \"mailto:a@b\"",
        ),
        (
            format!("{GOOD}[notifications.n]\nkind = \"webhook\"\nurl = \"http://a/\"\nsecret_file = \"lb.zone\"\n"),
            "lb.zone: this secret is open to all users (mode 644)",
        ),
        (
            format!("{GOOD}[notifications.n]\nkind = \"exec\"\ncommand = [\"/bin/true\"]\nevents = [\"helth\"]\n"),
            "an item of `events` cannot be \"helth\"",
        ),
        (
            format!("{GOOD}[admin]\nsocket = \"/{}\"\n", "s".repeat(107)),
            "`socket` is too long: 108 bytes of at most 107",
        ),
        (format!("{GOOD}[admin]\nsocket = \"\"\n"), "`socket` names no file"),
        (GOOD.replace("name = \"a\"", "name = \"..\""), "\"..\" cannot be the name of a node"),
        (pool("require = 2"), "`require` cannot be 2: the pool has 1 monitor"),
        (pool("require = \"most\""), "`require` cannot be \"most\""),
        (monitor("interval = \"500ms\""), "`timeout` (1s) is longer than `interval` (500ms)"),
        (pool("host = \"core.lb.example:80\""), "`host` cannot be \"core.lb.example:80\""),
        (
            pool("when_empty = \"fallback\"\nfallback = [\"10.0.0.9\", \"10.0.0.9\"]"),
            "10.0.0.9 appears twice in `fallback`",
        ),
        (node("0.0.0.0"), "`address` cannot be 0.0.0.0, the unspecified address"),
        (node("255.255.255.255"), "the broadcast address"),
        (node("ff02::1"), "a multicast address"),
        (node("fe80::1"), "a link-local address"),
        (node("::ffff:10.0.0.1"), "an IPv4-mapped address"),
        (GOOD.replace("name = \"a\"", "name = \"a\\nb\""), "\"a\\nb\" cannot be the name of a node"),
        (
            format!("{GOOD}[admin]\nlisten = \"0.0.0.0:5380\"\n"),
            "`listen` cannot be 0.0.0.0:5380, which other hosts can reach",
        ),
        (GOOD.replace("127.0.0.1:0", "224.0.0.1:53"), "224.0.0.1:53 cannot be listened on: a multicast address"),
        (GOOD.replace("127.0.0.1:0", "[fe80::1]:53"), "needs the number of its interface, as in \"[fe80::1%2]:53\""),
        (
            GOOD.replace("[\"127.0.0.1:0\"]", "\"127.0.0.1:0\""),
            "accepted: a list of addresses and ports: [\"127.0.0.1:53\"",
        ),
        (
            GOOD.replace("[\"127.0.0.1:0\"]", "[\"127.0.0.1:0\"]\nstate_dir = \"/dev/null\""),
            "`state_dir` /dev/null is not a directory",
        ),
        (GOOD.replace("core.lb.example", "köln.lb.example"), "write other letters in ASCII"),
        (GOOD.replace("core.lb.example", "a b.lb.example"), "holds more than letters"),
        (pool("host = \".\""), "`host` cannot be \".\""),
        (GOOD.replace("core.lb.example", "a.*.lb.example"), "has a * that is not its first label"),
        (GOOD.replace("\"core.lb.example\"", "core.lb.example"), "write names with dots in quotes: [names.\"core.lb"),
        (
            format!("{GOOD}[names.\"CORE.lb.example.\"]\npool = \"core\"\n"),
            "lb.toml:15:8: error: name core.lb.example appears twice",
        ),
    ];
    for (config, expected) in cases {
        assert_refused(&config, ZONE, expected);
        assert!(check(&config, ZONE).1.ends_with("1 error\n"), "one mistake is one error: {}", check(&config, ZONE).1);
    }
}

#[test]
fn two_transports_cannot_share_an_address() {
    let (certificate, key) = self_signed_pem("ns.lb.example");
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let write = |name: &str, text: &str| write_private(&directory.path().join(name), text);
    write("cert.pem", &certificate);
    write("key.pem", &key);
    write("lb.zone", ZONE);
    let config = |plain: &str, dot: &str, doq: &str| {
        let tls = format!(
            "[server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\ndot = [\"{dot}\"]\ndoq = [\"{doq}\"]\n"
        );
        GOOD.replace("listen = [\"127.0.0.1:0\"]\n", &format!("listen = [\"{plain}\"]\n{tls}"))
    };
    let check = |config: &str| {
        write("lb.toml", config);
        let path = directory.path().join("lb.toml");
        let output = evenkeel(&["check", "--config", path.to_str().expect("the path is text")]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(
        check(&config("127.0.0.1:53", "127.0.0.1:853", "127.0.0.1:853")).0,
        Some(0),
        "TCP and UDP can share a port"
    );
    let (code, shown) = check(&config("0.0.0.0:853", "127.0.0.1:853", "127.0.0.1:853"));
    assert_eq!(code, Some(78));
    assert!(
        shown.contains("lb.toml:6:8: error: 127.0.0.1:853 of `dot` is taken by 0.0.0.0:853 of `listen`"),
        "{shown}"
    );
    assert!(
        shown.contains("lb.toml:7:8: error: 127.0.0.1:853 of `doq` is taken by 0.0.0.0:853 of `listen`"),
        "{shown}"
    );
}

#[test]
fn output_that_cannot_be_written_keeps_the_exit_code() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the system has /dev/full");
    let status = Command::new(PROGRAM)
        .args(["check", "--config", "/nonexistent.toml"])
        .stdout(full())
        .stderr(full())
        .status()
        .expect("the built program starts");
    assert_eq!(status.code(), Some(78));
}

#[test]
fn exit_codes_are_as_documented() {
    let code = |arguments: &[&str]| evenkeel(arguments).status.code();
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&["serve", "--help"]), Some(0));
    assert_eq!(code(&[]), Some(64));
    assert_eq!(code(&["answer"]), Some(64));
    assert_eq!(code(&["check", "--confg", "x"]), Some(64));
    assert_eq!(code(&["serve", "--config", "/nonexistent.toml"]), Some(78));
}

#[test]
fn a_port_in_use_is_reported_at_its_line() {
    let holder = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = holder.local_addr().expect("a bound socket has an address");
    let config = GOOD.replace("127.0.0.1:0", &address.to_string());
    let mut server = Server::launch(&[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    assert_eq!(server.wait().code(), Some(1));
    server.wait_for_log(&format!("evenkeel.toml:2:11: error: {address} is in use by another process"));
}
