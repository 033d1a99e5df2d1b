//! The table in `docs/health-checks.md`: the verdict of each kind of monitor for each way to fail,
//! and the time until then.
//!
//! `behaviour` changes a node, `gate`, `program` and `echo` are the nodes, and `measure` compares.

mod behaviour;
mod echo;
mod gate;
mod measure;
mod program;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use behaviour::{BEHAVIOURS, Behaviour, ChangingNode};
use gate::Servers;
use measure::{Case, assert_as_documented};

use crate::support::c_icap::CIcap;
use crate::support::certificates::Authority;
use crate::support::nginx::Nginx;
use crate::support::serve_connections;
use crate::support::server::{Server, ZONE};

/// Host name for probes, and name in the certificate of nginx.
const HOST: &str = "core.lb.example";

/// The head of each configuration.
const HEAD: &str = "[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nsocket = \"admin.sock\"\n[zones.\"lb.example\"]\n\
                    file = \"lb.zone\"\n";

/// A monitor with the default `rise` and `fall`, and a pool of one node.
fn pool(name: &str, keys: &str, address: &str, to: Behaviour) -> String {
    // The longer timeout lets every second probe of a flapping node succeed on a busy machine.
    let timeout = if to == Behaviour::Flaps { "1500ms" } else { "1s" };
    format!(
        "[monitors.{name}]\n{keys}\ninterval = \"2s\"\ntimeout = \"{timeout}\"\n\
         [pools.{name}]\nmonitors = [\"{name}\"]\nwhen_empty = \"nodata\"\nhost = \"{HOST}\"\n\
         nodes = [{{ name = \"a\", address = \"{address}\" }}]\n[names.\"{name}.lb.example\"]\npool = \"{name}\"\n"
    )
}

/// The nodes for columns of a row. A node that becomes well begins wrong. There are two flapping
/// nodes: one begins well, one wrong.
fn nodes(columns: &[Behaviour]) -> Vec<Arc<ChangingNode>> {
    let begins = |&to: &Behaviour| match to {
        Behaviour::Well => vec![ChangingNode::new(false, to)],
        Behaviour::Flaps => vec![ChangingNode::new(true, to), ChangingNode::new(false, to)],
        _ => vec![ChangingNode::new(true, to)],
    };
    columns.iter().flat_map(begins).map(Arc::new).collect()
}

/// Starts a server that sends a line on each connection.
fn line_server(line: &'static str) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, serve_connections(move |mut stream| drop(stream.write_all(line.as_bytes())))).into()
}

#[test]
fn verdicts_over_tcp_and_of_programs_are_as_documented() {
    let authority = Authority::new();
    let nginx = Nginx::start(&authority, HOST);
    let (icap, other_icap) = (CIcap::start(true), CIcap::start(false));
    let plain = Servers { well: nginx.ready.plain, wrong: nginx.busy.plain };
    let tls = Servers { well: nginx.ready.tls, wrong: nginx.busy.tls };
    let icap = Servers { well: icap.address, wrong: other_icap.address };
    let agents = Servers { well: line_server("up ready\n"), wrong: line_server("nonsense\n") };
    // nginx responds to HTTP 0.9 with the body only.
    let conversation = "send = \"GET /\\r\\n\"\nexpect = \"READY\"";
    let kinds = [
        ("`http`", "http", "kind = \"http\"\npath = \"/readyz\"".to_owned(), plain),
        (
            "`http`, TLS",
            "https",
            "kind = \"http\"\nscheme = \"https\"\nca = \"ca.pem\"\npath = \"/readyz\"".to_owned(),
            tls,
        ),
        ("`tcp`", "tcp", format!("kind = \"tcp\"\n{conversation}"), plain),
        ("`tcp`, TLS", "tls", format!("kind = \"tcp\"\ntls = true\nca = \"ca.pem\"\n{conversation}"), tls),
        ("`icap`", "icap", "kind = \"icap\"\nservice = \"echo\"".to_owned(), icap),
        ("`agent`", "agent", "kind = \"agent\"".to_owned(), agents),
    ];
    let (mut config, mut cases) = (HEAD.to_owned(), Vec::new());
    for (row, slug, keys, servers) in kinds {
        for (n, node) in nodes(&BEHAVIOURS).into_iter().enumerate() {
            let name = format!("{slug}-{n}");
            let port = gate::open(Arc::clone(&node), servers);
            config += &pool(&name, &format!("{keys}\nport = {port}"), "127.0.0.1", node.to);
            cases.push(Case::new(row, &name, node));
        }
    }
    let mut programs = Vec::new();
    // The network of a node does not matter to a program, so two columns do not apply.
    let columns = BEHAVIOURS.iter().filter(|to| !matches!(to, Behaviour::Blackholed | Behaviour::Silent));
    for (n, node) in nodes(&columns.copied().collect::<Vec<_>>()).into_iter().enumerate() {
        let (name, program) = (format!("exec-{n}"), program::Program::new(&node));
        config += &pool(&name, &format!("kind = \"exec\"\ncommand = {}", program.command()), "127.0.0.1", node.to);
        cases.push(Case::new("`exec`", &name, node));
        programs.push(program);
    }
    let files = [("evenkeel.toml", config.as_str()), ("lb.zone", ZONE), ("ca.pem", &authority.pem())];
    assert_as_documented(vec![(Server::start_with(&files), cases)]);
}

#[test]
fn verdicts_of_pings_are_as_documented() {
    let columns = [Behaviour::Well, Behaviour::Refuses, Behaviour::Blackholed, Behaviour::Flaps];
    let mut networks = Vec::new();
    let start = |node: Arc<ChangingNode>| {
        let network = echo::start(&node);
        let config = HEAD.to_owned() + &pool("ping", "kind = \"ping\"", echo::ADDRESS, node.to);
        let server = Server::start_in(&network, &[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
        networks.push(network);
        (server, vec![Case::new("`ping`", "ping", node)])
    };
    assert_as_documented(nodes(&columns).into_iter().map(start).collect());
}
