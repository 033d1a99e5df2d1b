//! `evenkeel drain`, `resume`, `force`, `nominate` and `unregister`: an operator's word.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::FAILED;
use crate::admin::DEFAULT_SOCKET;
use crate::admin::client::{Nominate, Say, Server};
use crate::overrides::now;
use crate::pool::Word;

/// How often a server is asked whether a node is idle.
const POLL: Duration = Duration::from_millis(200);

/// The server to speak to.
#[derive(Args, Debug)]
pub(super) struct Socket {
    /// Admin socket of the server
    #[arg(long, value_name = "FILE", env = "EVENKEEL_SOCKET", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,
}

impl Socket {
    pub(super) fn server(&self) -> anyhow::Result<Server> {
        Server::at(&self.socket)
    }
}

/// A node, and who says something of it.
#[derive(Args, Debug)]
pub(super) struct Target {
    /// The node
    #[arg(value_name = "POOL/NODE")]
    node: String,
    /// Who says it
    #[arg(long, value_name = "WHO", default_value_t = user())]
    by: String,
    #[command(flatten)]
    socket: Socket,
}

/// Why and how long.
#[derive(Args, Debug)]
pub(super) struct Reason {
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    /// Take it back by itself after this time, such as 2h or 30m
    #[arg(long = "for", value_name = "DURATION", value_parser = whole_seconds)]
    lasting: Option<Duration>,
    /// Also when fewer than min_available nodes are left, or a spare is not alive
    #[arg(long)]
    force: bool,
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let lasting = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if lasting.as_secs() == 0 { Err("accepted: a second or longer".to_owned()) } else { Ok(lasting) }
}

/// The person behind the terminal, as far as the environment knows.
fn user() -> String {
    let of = |name| std::env::var(name).ok().filter(|user| !user.is_empty());
    of("SUDO_USER").or_else(|| of("USER")).unwrap_or_else(|| format!("uid {}", nix::unistd::getuid()))
}

impl Target {
    fn parts(&self) -> anyhow::Result<(&str, &str)> {
        self.node.split_once('/').with_context(|| format!("\"{}\" is no POOL/NODE, for example core/core-2", self.node))
    }

    async fn say(&self, word: Word, reason: Reason) -> anyhow::Result<()> {
        let (pool, node) = self.parts()?;
        let Reason { why, lasting, force } = reason;
        self.socket.server()?.say(pool, node, Say { word, by: self.by.clone(), why, lasting, force }).await
    }
}

pub(super) fn say(target: &Target, word: Word, reason: Reason) -> ExitCode {
    on_runtime(target.say(word, reason))
}

pub(super) fn drain(target: &Target, reason: Reason, wait: bool) -> ExitCode {
    on_runtime(async {
        target.say(Word::Drain, reason).await?;
        if wait { wait_until_idle(target).await } else { Ok(()) }
    })
}

pub(super) fn resume(target: &Target) -> ExitCode {
    on_runtime(async {
        let (pool, node) = target.parts()?;
        target.socket.server()?.take_back(pool, node, &target.by).await
    })
}

pub(super) fn nominate(target: &Target, replaces: Option<String>, without_action: bool, reason: Reason) -> ExitCode {
    on_runtime(async {
        let (pool, node) = target.parts()?;
        let Reason { why, lasting, force } = reason;
        let nominate = Nominate { by: target.by.clone(), why, replaces, lasting, force, without_action };
        if let Some(why) = target.socket.server()?.nominate(pool, node, nominate).await? {
            // Whether anybody reads it is their matter.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stdout(),
                format_args!("{} is nominated; its action was {why}\n", target.node),
            );
        }
        Ok(())
    })
}

pub(super) fn unregister(target: &Target, force: bool, without_action: bool) -> ExitCode {
    on_runtime(async {
        let (pool, node) = target.parts()?;
        target.socket.server()?.unregister(pool, node, &target.by, force, without_action).await
    })
}

/// Waits until the last answer that held the node has expired.
async fn wait_until_idle(target: &Target) -> anyhow::Result<()> {
    let (pool, node) = target.parts()?;
    let server = target.socket.server()?;
    loop {
        let status = server.status().await?;
        let of_pool = status.pools.iter().find(|found| found.name == pool);
        let found = of_pool.and_then(|pool| pool.nodes.iter().find(|found| found.name == node));
        match found {
            None => bail!("{} is gone from the configuration", target.node),
            Some(node) if node.r#override.as_ref().is_none_or(|said| said.word != Word::Drain) => {
                bail!("{} is not drained any more", target.node)
            }
            // A node that was not answered to begin with is idle.
            Some(node) if node.idle_from.is_none_or(|idle| idle <= now()) => return Ok(()),
            Some(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// Runs a command that speaks to a server; what goes wrong is said on standard error.
pub(super) fn on_runtime(command: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.context("no runtime").and_then(|runtime| {
        let outcome = runtime.block_on(command);
        // A resolver of the system that still waits is nobody's.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Says what went wrong.
pub(super) fn failed(error: &anyhow::Error) -> ExitCode {
    // Whoever reads may have gone: the exit code still tells.
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("evenkeel: {error:#}\n"));
    ExitCode::from(FAILED)
}
