//! `evenkeel events`: what happened.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::operate::{Socket, on_runtime};
use crate::admin::client::Server;
use crate::events::{Event, KEPT, Page};
use crate::overrides::full_name;

/// How often a server that is gone is looked for.
const RETRY: Duration = Duration::from_secs(1);

/// Which events, and how.
#[derive(Args, Debug)]
pub(super) struct Wanted {
    /// Only those of a pool, or of one node
    #[arg(value_name = "POOL[/NODE]")]
    of: Option<String>,
    /// Go on with what happens
    #[arg(long, short)]
    follow: bool,
    /// At most so many of the past
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
    /// As JSON, an object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: Socket,
}

pub(super) fn run(wanted: &Wanted) -> ExitCode {
    on_runtime(async {
        let server = wanted.socket.server()?;
        let past = server.events(None, KEPT).await?;
        let of_interest: Vec<_> = past.events.iter().filter(|event| wanted.wants(event)).collect();
        if let Some(of) = wanted.of.as_ref().filter(|_| of_interest.is_empty()) {
            is_there(&server, of).await?;
        }
        let recent = &of_interest[of_interest.len().saturating_sub(wanted.limit)..];
        // A closed pipe is how whoever reads says that it is enough.
        if recent.iter().try_for_each(|event| wanted.show(event)).is_err() || !wanted.follow {
            return Ok(());
        }
        wanted.follow(&server, past).await
    })
}

/// Refuses a name that is misspelled: it would be waited for in vain.
async fn is_there(server: &Server, of: &str) -> anyhow::Result<()> {
    let pools = server.status().await?.pools;
    let found = pools
        .iter()
        .any(|pool| pool.name == *of || pool.nodes.iter().any(|node| full_name(&pool.name, &node.name) == *of));
    if found { Ok(()) } else { anyhow::bail!("there is no pool or node {of}") }
}

impl Wanted {
    fn wants(&self, event: &Event) -> bool {
        let Some(of) = &self.of else { return true };
        event.pool == *of || event.node.as_ref().is_some_and(|node| full_name(&event.pool, node) == *of)
    }

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

    async fn follow(&self, server: &Server, mut page: Page) -> anyhow::Result<()> {
        let mut is_there = true;
        loop {
            page = match server.events(Some(&page), KEPT).await {
                Ok(page) => page,
                // It may be started again.
                Err(error) => {
                    if std::mem::take(&mut is_there) {
                        let _ = writeln!(io::stderr(), "evenkeel: {error:#}; waiting for it");
                    }
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            };
            is_there = true;
            if page.missed > 0 {
                let missed = page.missed;
                let _ = writeln!(io::stderr(), "evenkeel: {missed} events happened faster than they could be shown");
            }
            if page.events.iter().filter(|event| self.wants(event)).try_for_each(|event| self.show(event)).is_err() {
                return Ok(());
            }
        }
    }
}
