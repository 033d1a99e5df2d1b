//! `evenkeel status`: shows which nodes are eligible, and why. It fails if no server responds.

use std::fmt::Write;
use std::io::{self, Write as _};

use clap::Args;
use evenkeel_core::counters::{LatencyBound, Protocol, Responses};
use evenkeel_core::overrides::Nomination;
use evenkeel_core::plural::counted;
use evenkeel_core::status::{NodeStatus, OverrideStatus, PoolStatus, Status};
use evenkeel_core::time::format_utc;

use super::admin_args::SocketArgs;
use super::runtime::{on_runtime, unless_closed};
use crate::clock::unix_now;

/// Show the state of every node, and why it is eligible or not
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel status
  evenkeel status --json | jq '.pools[].nodes[] | select(.eligible | not)'")]
pub(super) struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket_args: SocketArgs,
}

impl StatusArgs {
    /// Runs the command.
    pub(super) fn run(&self) -> std::process::ExitCode {
        on_runtime(async {
            let status = self.socket_args.client()?.status().await?;
            let text = if self.json { serde_json::to_string_pretty(&status)? + "\n" } else { shown(&status) };
            unless_closed(io::stdout().write_all(text.as_bytes()))
        })
    }
}

/// Formats the status as text.
fn shown(status: &Status) -> String {
    let mut text = String::new();
    for pool in &status.pools {
        show_pool(pool, &mut text);
    }
    for (protocol, responses) in &status.responses {
        show_responses(*protocol, responses, &mut text);
    }
    if !status.responses.is_empty() {
        text.push('\n');
    }
    for absent in &status.absent {
        let forced = absent.r#override.as_ref().map(OverrideStatus::description);
        let nomination = absent.nomination.as_ref().map(Nomination::description);
        let state: Vec<_> = forced.into_iter().chain(nomination).collect();
        let _ = writeln!(text, "{} is not in the configuration; it is {}\n", absent.node, state.join(" and "));
    }
    let has_overrides = status
        .pools
        .iter()
        .flat_map(|pool| &pool.nodes)
        .any(|node| node.r#override.is_some() || node.nomination.is_some());
    if has_overrides && !status.overrides_are_kept {
        text.push_str("Overrides last until the server ends: no state_dir is configured.\n");
    }
    text
}

/// Adds the table of a pool.
fn show_pool(pool: &PoolStatus, text: &mut String) {
    let eligible = pool.nodes.iter().filter(|node| node.eligible).count();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "pool {}: {eligible} of {} nodes eligible", pool.name, pool.nodes.len());
    let width = pool.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0).max(4);
    let digits = |node: &NodeStatus| node.records.unwrap_or(0).to_string().len();
    let records = pool.nodes.iter().map(digits).max().unwrap_or(0).max("RECORDS".len());
    let _ = writeln!(text, "  {:width$}  ELIGIBLE  {:>records$}  ROLE    WEIGHT  WHY", "NODE", "RECORDS");
    for node in &pool.nodes {
        let eligible = if node.eligible { "yes" } else { "no" };
        let nomination = node.nomination.as_ref().map(|nomination| {
            let effect = if nomination.role == node.role { "" } else { ", which has no effect at the moment" };
            format!("; {}{effect}", nomination.description())
        });
        let nomination = nomination.unwrap_or_default();
        let idle = match node.idle_from.map(|idle| (idle, idle.checked_sub(unix_now()))) {
            None => String::new(),
            Some((idle, None | Some(0))) => format!("; idle since {}", format_utc(idle)),
            Some((_, Some(left))) => format!("; the last answer that contains it expires in {left} s"),
        };
        let _ = writeln!(
            text,
            "  {:width$}  {eligible:8}  {:>records$}  {:6}  {:<6}  {}{nomination}{idle}",
            node.name,
            node.records.unwrap_or(0),
            node.role,
            node.weight,
            node.why
        );
        let differ = node.addresses.iter().any(|address| address.why != node.why);
        for address in node.addresses.iter().filter(|_| differ || node.addresses.len() > 1) {
            let eligible = if address.eligible { "yes" } else { "no" };
            let _ =
                writeln!(text, "  {:width$}  {eligible:8}  {:records$}  {} {}", "", "", address.address, address.why);
        }
    }
    if let Some(records) = pool.fallback_records.filter(|records| *records > 0) {
        let records = counted(records as usize, "record of its fallback was", "records of its fallback were");
        let _ = writeln!(text, "  {records} returned");
    }
    text.push('\n');
}

/// `UDP: responses 12 (NOERROR 11, NXDOMAIN 1), truncated 1, ignored packets 0; 99 % took up to 32
/// us`.
fn show_responses(protocol: Protocol, responses: &Responses, text: &mut String) {
    let total = responses.total();
    let codes: Vec<_> = responses.rcodes.iter().map(|(rcode, count)| format!("{rcode} {count}")).collect();
    let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
    let Responses { truncated, ignored, unsent, rate_limited, .. } = responses;
    let _ = write!(text, "{protocol}: responses {total}{codes}, truncated {truncated}, ignored packets {ignored}");
    if *unsent > 0 {
        let _ = write!(text, ", not sent {unsent}");
    }
    if *rate_limited > 0 {
        let _ = write!(text, ", over the rate limit {rate_limited}");
    }
    let _ = match responses.latency_percentile(99) {
        None => writeln!(text),
        Some(LatencyBound::UpTo(micros)) => writeln!(text, "; 99 % took up to {micros} us"),
        Some(LatencyBound::AboveLastStep) => writeln!(text, "; the 99th percentile is above the last histogram bucket"),
    };
}
