//! Lets nodes turn, waits for what the servers say of it, and compares that with the documentation.

use std::sync::Arc;
use std::time::Duration;

use super::behaviour::{BEHAVIOURS, Behaviour, Turning};
use crate::support::operator::status;
use crate::support::server::Server;
use crate::support::wait_until;

/// Of all monitors.
const INTERVAL: Duration = Duration::from_secs(2);

/// Probes of a node that flaps: twice what would take it down or up if they were in a row.
const ENOUGH: u64 = 6;

/// One node, and the cell of the table that it stands for.
pub(super) struct Case {
    row: &'static str,
    pool: String,
    node: Arc<Turning>,
    took: Option<Duration>,
}

impl Case {
    pub(super) fn new(row: &'static str, pool: &str, node: Arc<Turning>) -> Self {
        Self { row, pool: pool.to_owned(), node, took: None }
    }

    /// Whether it stays what it was: it flaps, or nothing can be found out.
    fn stays(&self) -> bool {
        self.node.to == Behaviour::Flaps || self.is_untried()
    }

    fn is_untried(&self) -> bool {
        self.row == "`exec`" && self.node.to == Behaviour::Refuses
    }

    /// Looks whether the log says how it ends, once the node has turned.
    fn follow(&mut self, log: &str) {
        let Some(turned) = self.node.turned().filter(|_| self.took.is_none()) else { return };
        let is_said = if self.is_untried() {
            log.contains(&format!("monitor {}: this machine cannot probe", self.pool))
        } else if self.stays() {
            self.node.probes() >= ENOUGH
        } else {
            self.flips(log).next().is_some()
        };
        self.took = is_said.then(|| turned.elapsed());
    }

    fn flips<'l>(&self, log: &'l str) -> impl Iterator<Item = &'l str> {
        let (node, probes) = (format!("{}/a (", self.pool), format!(" probes of {} ", self.pool));
        log.lines().filter(move |line| line.contains(&node) && line.contains(&probes))
    }
}

/// What `status` says of the nodes of a server, in the order of its pools.
fn verdicts(server: &Server) -> Vec<String> {
    let status = status(server);
    let pools = status["pools"].as_array().expect("pools");
    pools.iter().map(|pool| pool["nodes"][0]["why"].as_str().expect("a reason").to_owned()).collect()
}

/// Cells of a row of the documentation: the verdict, and the seconds it took.
fn documented(row: &str) -> Vec<(String, Option<f64>)> {
    let text = std::fs::read_to_string("docs/health-checks.md").expect("the reference");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("| {row} | ")));
    let cells =
        line.unwrap_or_else(|| panic!("docs/health-checks.md has no row {row}")).trim_end_matches(" |").split(" | ");
    let with_time = |cell: &str| {
        let time = cell.rsplit_once(", ").and_then(|(verdict, time)| Some((verdict, time.strip_suffix(" s")?)));
        match time.and_then(|(verdict, time)| Some((verdict.to_owned(), time.parse().ok()?))) {
            Some((verdict, seconds)) => (verdict, Some(seconds)),
            None => (cell.to_owned(), None),
        }
    };
    cells.map(with_time).collect()
}

/// Lets all nodes turn and compares what comes of it with the documentation.
pub(super) fn compare(mut tested: Vec<(Server, Vec<Case>)>) {
    for (server, cases) in &tested {
        let first = |case: &Case| if case.node.begins_well { "up" } else { "down" };
        wait_until("all nodes are what they begin as", || {
            verdicts(server).iter().zip(cases).all(|(verdict, case)| verdict.starts_with(first(case)))
        });
    }
    let begun: Vec<usize> = tested.iter().map(|(server, _)| server.log().len()).collect();
    tested.iter().flat_map(|(_, cases)| cases).for_each(|case| case.node.allow());
    wait_until("all nodes have turned and been judged", || {
        for ((server, cases), begun) in tested.iter_mut().zip(&begun) {
            let log = server.log();
            cases.iter_mut().for_each(|case| case.follow(&log[*begun..]));
        }
        tested.iter().flat_map(|(_, cases)| cases).all(|case| case.took.is_some())
    });
    for ((server, cases), begun) in tested.iter().zip(begun) {
        compare_server(server, cases, &server.log()[begun..]);
    }
}

fn compare_server(server: &Server, cases: &[Case], log: &str) {
    let expected = |case: &Case| {
        let column = BEHAVIOURS.iter().position(|&behaviour| behaviour == case.node.to).expect("a column");
        documented(case.row).get(column).cloned().unwrap_or_else(|| panic!("{} lacks a column", case.row))
    };
    let differences = || -> Vec<String> {
        let compared = verdicts(server).into_iter().zip(cases).filter_map(|(verdict, case)| {
            let is_as_before = verdict.starts_with(if case.node.begins_well { "up" } else { "down" });
            let verdict = if case.stays() && is_as_before { "as before".to_owned() } else { verdict };
            let expected = expected(case).0;
            (verdict != expected).then(|| format!("{} {:?}: {verdict}, not {expected}", case.row, case.node.to))
        });
        compared.collect()
    };
    // A probe may be too slow once on a busy machine; the documentation holds in the end.
    wait_until("status says what is documented", || {
        let differences = differences();
        if !differences.is_empty() {
            println!("{}", differences.join("\n"));
        }
        differences.is_empty()
    });
    for case in cases {
        let took = case.took.expect("waited for before").as_secs_f64();
        println!("{:12} {:10} {took:.2} s", case.row, format!("{:?}", case.node.to));
        if case.stays() {
            assert_eq!(case.flips(log).collect::<Vec<_>>(), [""; 0], "{} flips", case.pool);
        } else {
            // Later is the machine's affair, but nothing is found by fewer probes than it takes.
            let documented = expected(case).1.unwrap_or_else(|| panic!("{} lacks a time", case.row));
            assert!(took > documented - INTERVAL.as_secs_f64(), "{}: {took} s, not {documented} s", case.pool);
        }
    }
}
