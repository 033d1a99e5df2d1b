//! What each kind of monitor says of each way to fail, and after how long: the table of `docs/health-checks.md`, measured.

mod behaviour;
mod echo;
mod gate;
mod measure;
mod program;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use behaviour::{BEHAVIOURS, Behaviour, Turning};
use gate::Servers;
use measure::{Case, compare};

use crate::support::answer_connections;
use crate::support::authority::Authority;
use crate::support::c_icap::CIcap;
use crate::support::nginx::Nginx;
use crate::support::server::{Server, ZONE};

const HOST: &str = "core.lb.example";

const HEAD: &str = "[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nsocket = \"admin.sock\"\n[zones.\"lb.example\"]\n\
                    file = \"lb.zone\"\n";

/// A monitor with the default `rise` and `fall`, and a pool of one node.
fn pool(name: &str, keys: &str, address: &str, to: Behaviour) -> String {
    // A node that flaps is to be well at every second probe also on a machine that is busy.
    let timeout = if to == Behaviour::Flaps { "1500ms" } else { "1s" };
    format!(
        "[monitors.{name}]\n{keys}\ninterval = \"2s\"\ntimeout = \"{timeout}\"\n\
         [pools.{name}]\nmonitors = [\"{name}\"]\nwhen_empty = \"nodata\"\nhost = \"{HOST}\"\n\
         nodes = [{{ name = \"a\", address = \"{address}\" }}]\n[names.\"{name}.lb.example\"]\npool = \"{name}\"\n"
    )
}

/// Nodes for some columns of a row. What is to become well is not before; what flaps is tried from both sides.
fn nodes(columns: &[Behaviour]) -> Vec<Arc<Turning>> {
    let begins = |&to: &Behaviour| match to {
        Behaviour::Well => vec![Turning::new(false, to)],
        Behaviour::Flaps => vec![Turning::new(true, to), Turning::new(false, to)],
        _ => vec![Turning::new(true, to)],
    };
    columns.iter().flat_map(begins).map(Arc::new).collect()
}

/// A server that says a line to everybody.
fn speaker(line: &'static str) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, answer_connections(move |mut stream| drop(stream.write_all(line.as_bytes())))).into()
}

#[test]
fn verdicts_over_tcp_and_of_programs_are_those_of_the_documentation() {
    let authority = Authority::new();
    let nginx = Nginx::start(&authority, HOST);
    let (icap, other_icap) = (CIcap::start(true), CIcap::start(false));
    let plain = Servers { well: nginx.well.plain, wrong: nginx.busy.plain };
    let tls = Servers { well: nginx.well.tls, wrong: nginx.busy.tls };
    let icap = Servers { well: icap.address, wrong: other_icap.address };
    let agents = Servers { well: speaker("up ready\n"), wrong: speaker("nonsense\n") };
    // As HTTP 0.9 nginx says the bare words.
    let talk = "send = \"GET /\\r\\n\"\nexpect = \"READY\"";
    let kinds = [
        ("`http`", "http", "kind = \"http\"\npath = \"/readyz\"".to_owned(), plain),
        (
            "`http`, TLS",
            "https",
            "kind = \"http\"\nscheme = \"https\"\nca = \"ca.pem\"\npath = \"/readyz\"".to_owned(),
            tls,
        ),
        ("`tcp`", "tcp", format!("kind = \"tcp\"\n{talk}"), plain),
        ("`tcp`, TLS", "tls", format!("kind = \"tcp\"\ntls = true\nca = \"ca.pem\"\n{talk}"), tls),
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
    // A program knows of no network: whether anybody listens is for it to find out.
    let columns = BEHAVIOURS.iter().filter(|to| !matches!(to, Behaviour::Blackholed | Behaviour::HalfOpen));
    for (n, node) in nodes(&columns.copied().collect::<Vec<_>>()).into_iter().enumerate() {
        let (name, program) = (format!("exec-{n}"), program::Program::new(&node));
        config += &pool(&name, &format!("kind = \"exec\"\ncommand = {}", program.command()), "127.0.0.1", node.to);
        cases.push(Case::new("`exec`", &name, node));
        programs.push(program);
    }
    let files = [("evenkeel.toml", config.as_str()), ("lb.zone", ZONE), ("ca.pem", &authority.pem())];
    compare(vec![(Server::start_with(&files), cases)]);
}

#[test]
fn verdicts_of_pings_are_those_of_the_documentation() {
    let columns = [Behaviour::Well, Behaviour::Refuses, Behaviour::Blackholed, Behaviour::Flaps];
    let mut networks = Vec::new();
    let start = |node: Arc<Turning>| {
        let network = echo::start(&node);
        let config = HEAD.to_owned() + &pool("ping", "kind = \"ping\"", echo::ADDRESS, node.to);
        let server = Server::start_in(&network, &[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
        networks.push(network);
        (server, vec![Case::new("`ping`", "ping", node)])
    };
    compare(nodes(&columns).into_iter().map(start).collect());
}
