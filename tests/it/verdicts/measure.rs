//! Changes the behaviour of nodes, waits for the verdicts of the servers, and compares verdicts and
//! times with the documentation.

use std::sync::Arc;
use std::time::Duration;

use super::behaviour::{BEHAVIOURS, Behaviour, ChangingNode};
use crate::support::commands::status;
use crate::support::server::Server;
use crate::support::wait_until;

/// `interval` of all monitors.
const INTERVAL: Duration = Duration::from_secs(2);

/// Probes of a flapping node: twice as many as take a node down or up if they have the same result.
const FLAPPING_PROBES: u64 = 6;

/// One node, and its cell of the documented table.
pub(super) struct Case {
    row: &'static str,
    pool: String,
    node: Arc<ChangingNode>,
    /// Time from the change of the node until its verdict.
    took: Option<Duration>,
}

impl Case {
    /// A case for the only node of a pool.
    pub(super) fn new(row: &'static str, pool: &str, node: Arc<ChangingNode>) -> Self {
        Self { row, pool: pool.to_owned(), node, took: None }
    }

    /// Returns true if the health of the node does not change: the node flaps, or cannot be probed.
    fn keeps_health(&self) -> bool {
        self.node.to == Behaviour::Flaps || self.cannot_be_probed()
    }

    /// Returns true if probes cannot run: the program of the monitor is missing.
    fn cannot_be_probed(&self) -> bool {
        self.row == "`exec`" && self.node.to == Behaviour::Refuses
    }

    /// Notes the time if the node has changed and the log has the result.
    fn check_log(&mut self, log: &str) {
        let Some(changed_at) = self.node.changed_at().filter(|_| self.took.is_none()) else { return };
        let has_result = if self.cannot_be_probed() {
            log.contains(&format!("monitor {}: this machine cannot probe", self.pool))
        } else if self.keeps_health() {
            self.node.probes() >= FLAPPING_PROBES
        } else {
            self.transitions(log).next().is_some()
        };
        self.took = has_result.then(|| changed_at.elapsed());
    }

    /// The log lines about changes of the health of the node.
    fn transitions<'l>(&self, log: &'l str) -> impl Iterator<Item = &'l str> {
        let (node, probes) = (format!("{}/a (", self.pool), format!(" probes of {} ", self.pool));
        log.lines().filter(move |line| line.contains(&node) && line.contains(&probes))
    }
}

/// The verdicts of all nodes of a server, in the order of its pools.
fn verdicts(server: &Server) -> Vec<String> {
    let status = status(server);
    let pools = status["pools"].as_array().expect("the status has pools");
    pools.iter().map(|pool| pool["nodes"][0]["why"].as_str().expect("the member is text").to_owned()).collect()
}

/// The cells of a documented row: the verdict, and the time in seconds.
fn documented(row: &str) -> Vec<(String, Option<f64>)> {
    let text = std::fs::read_to_string("docs/health-checks.md").expect("the document can be read");
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

/// Changes all nodes, and asserts that verdicts and times are as documented.
pub(super) fn assert_as_documented(mut tested: Vec<(Server, Vec<Case>)>) {
    for (server, cases) in &tested {
        let first = |case: &Case| if case.node.begins_well { "up" } else { "down" };
        wait_until("all nodes have their first health", || {
            verdicts(server).iter().zip(cases).all(|(verdict, case)| verdict.starts_with(first(case)))
        });
    }
    let begun: Vec<usize> = tested.iter().map(|(server, _)| server.log().len()).collect();
    tested.iter().flat_map(|(_, cases)| cases).for_each(|case| case.node.allow_change());
    wait_until("all nodes have changed and have their verdict", || {
        for ((server, cases), begun) in tested.iter_mut().zip(&begun) {
            let log = server.log();
            cases.iter_mut().for_each(|case| case.check_log(&log[*begun..]));
        }
        tested.iter().flat_map(|(_, cases)| cases).all(|case| case.took.is_some())
    });
    for ((server, cases), begun) in tested.iter().zip(begun) {
        assert_server_as_documented(server, cases, &server.log()[begun..]);
    }
}

/// Asserts that verdicts and times of one server are as documented. `log` begins at the change.
fn assert_server_as_documented(server: &Server, cases: &[Case], log: &str) {
    let expected = |case: &Case| {
        let column =
            BEHAVIOURS.iter().position(|&behaviour| behaviour == case.node.to).expect("the verdict has a column");
        documented(case.row).get(column).cloned().unwrap_or_else(|| panic!("{} lacks a column", case.row))
    };
    let differences = || -> Vec<String> {
        let compared = verdicts(server).into_iter().zip(cases).filter_map(|(verdict, case)| {
            let is_unchanged = verdict.starts_with(if case.node.begins_well { "up" } else { "down" });
            let verdict = if case.keeps_health() && is_unchanged { "as before".to_owned() } else { verdict };
            let expected = expected(case).0;
            (verdict != expected).then(|| format!("{} {:?}: {verdict} instead of {expected}", case.row, case.node.to))
        });
        compared.collect()
    };
    // A single probe can time out on a busy machine, so this waits for the final verdicts.
    wait_until("the verdicts are as documented", || {
        let differences = differences();
        if !differences.is_empty() {
            println!("{}", differences.join("\n"));
        }
        differences.is_empty()
    });
    for case in cases {
        let took = case.took.expect("all cases have their time").as_secs_f64();
        println!("{:12} {:10} {took:.2} s", case.row, format!("{:?}", case.node.to));
        if case.keeps_health() {
            assert_eq!(case.transitions(log).collect::<Vec<_>>(), [""; 0], "the health of {} changes", case.pool);
        } else {
            // A busy machine can take longer. A shorter time would mean too few probes.
            let documented = expected(case).1.unwrap_or_else(|| panic!("{} lacks a time", case.row));
            assert!(took > documented - INTERVAL.as_secs_f64(), "{}: {took} s instead of {documented} s", case.pool);
        }
    }
}
