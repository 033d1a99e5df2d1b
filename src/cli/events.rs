//! `evenkeel events`: shows what happened, and with `--follow` what happens.
//!
//! If the server stops, `--follow` waits for it to return. The command fails if no server responds
//! at the start, or if the server does not have the pool or node.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use evenkeel_core::node_id::NodeId;

use super::admin_args::SocketArgs;
use super::runtime::{on_runtime, unless_closed};
use crate::admin::client::AdminClient;
use crate::events::{Event, KEPT, Page};

/// Wait before the next request to a server that is gone.
const RETRY: Duration = Duration::from_secs(1);

/// Show what happened: changes of health, tiers, overrides and roles
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel events                                the last 20
  evenkeel events core/core-2 --limit 1000       all recent events of a node
  evenkeel events --follow --json | jq .text")]
pub(super) struct EventsArgs {
    /// Only events of a pool, or of one node
    #[arg(value_name = "POOL[/NODE]")]
    of: Option<String>,
    /// Print new events as they happen
    #[arg(long, short)]
    follow: bool,
    /// Print at most this many past events
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket_args: SocketArgs,
}

/// Checks that the server has a pool or node: a misspelled one would never have an event.
async fn check_exists(client: &AdminClient, of: &str) -> anyhow::Result<()> {
    let pools = client.status().await?.pools;
    let found =
        pools.iter().any(|pool| pool.name == *of || pool.nodes.iter().any(|node| is_node(of, &pool.name, &node.name)));
    if found { Ok(()) } else { anyhow::bail!("there is no pool or node {of}") }
}

/// Returns true if `of` names the node.
fn is_node(of: &str, pool: &str, node: &str) -> bool {
    NodeId::new(pool, node).as_str() == of
}

impl EventsArgs {
    /// Runs the command.
    pub(super) fn run(&self) -> ExitCode {
        on_runtime(async {
            let client = self.socket_args.client()?;
            let past = client.events(None, KEPT).await?;
            let matching: Vec<_> = past.events.iter().filter(|event| self.matches(event)).collect();
            if let Some(of) = self.of.as_ref().filter(|_| matching.is_empty()) {
                check_exists(&client, of).await?;
            }
            let recent = &matching[matching.len().saturating_sub(self.limit)..];
            let shown = recent.iter().try_for_each(|event| self.show(event));
            if shown.is_err() || !self.follow {
                return unless_closed(shown);
            }
            self.follow(&client, past).await
        })
    }

    /// Returns true if the event is about the requested pool or node.
    fn matches(&self, event: &Event) -> bool {
        let Some(of) = &self.of else { return true };
        event.pool == *of || event.node.as_ref().is_some_and(|node| is_node(of, &event.pool, node))
    }

    /// Prints an event.
    fn show(&self, event: &Event) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(event)?)?;
        } else {
            let mark = if event.warning { "! " } else { "  " };
            writeln!(out, "{} {mark}{}", event.at, event.text)?;
        }
        out.flush()
    }

    /// Prints new events until standard output is closed.
    async fn follow(&self, client: &AdminClient, mut page: Page) -> anyhow::Result<()> {
        let mut is_reachable = true;
        loop {
            page = match client.events(Some(&page), KEPT).await {
                Ok(page) => page,
                // The server may be restarting.
                Err(error) => {
                    if std::mem::take(&mut is_reachable) {
                        let _ = writeln!(io::stderr(), "evenkeel: {error:#}; waiting for it");
                    }
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            };
            is_reachable = true;
            if page.missed > 0 {
                let missed = page.missed;
                let _ = writeln!(io::stderr(), "evenkeel: {missed} events happened faster than they could be shown");
            }
            if page.events.iter().filter(|event| self.matches(event)).try_for_each(|event| self.show(event)).is_err() {
                return Ok(());
            }
        }
    }
}
