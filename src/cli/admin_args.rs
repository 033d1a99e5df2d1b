//! Arguments that the commands for operators share, and the client of the API that they set up.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use evenkeel_core::node_id::NodeId;

use crate::admin::client::{AdminClient, ChangeOptions};
use crate::config::DEFAULT_SOCKET;

/// The server that a command sends requests to.
#[derive(Args, Debug)]
pub(super) struct SocketArgs {
    /// Admin socket of the server
    #[arg(long, value_name = "FILE", env = "EVENKEEL_SOCKET", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,
}

impl SocketArgs {
    /// A client of the server.
    pub(super) fn client(&self) -> anyhow::Result<AdminClient> {
        AdminClient::at(&self.socket)
    }
}

/// The node to change, and the operator.
#[derive(Args, Debug)]
pub(super) struct NodeArgs {
    /// Node, written pool/node
    #[arg(value_name = "POOL/NODE")]
    pub(super) node: NodeId,
    /// Name of the operator, shown in status and events
    #[arg(long, value_name = "NAME", default_value_t = user())]
    pub(super) by: String,
    #[command(flatten)]
    socket_args: SocketArgs,
}

impl NodeArgs {
    /// A client of the server.
    pub(super) fn client(&self) -> anyhow::Result<AdminClient> {
        self.socket_args.client()
    }
}

/// Why, and for how long.
#[derive(Args, Debug)]
pub(super) struct ReasonArgs {
    /// Reason, shown in status and events
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    /// Undo this change automatically after this time, such as 2h or 30m
    #[arg(long = "for", value_name = "DURATION", value_parser = whole_seconds)]
    duration: Option<Duration>,
}

impl ReasonArgs {
    /// The options of a change by an operator.
    pub(super) fn into_options(self, by: &str, force: bool) -> ChangeOptions {
        let Self { why, duration } = self;
        ChangeOptions { by: by.to_owned(), why, duration, force }
    }
}

/// Parses a duration of at least a second.
fn whole_seconds(text: &str) -> Result<Duration, String> {
    let not_accepted = |_| format!("\"{text}\" is not a duration; accepted: for example 30m, 2h, 1h30m");
    let duration = humantime::parse_duration(text).map_err(not_accepted)?;
    if duration.as_secs() == 0 { Err("accepted: a second or longer".to_owned()) } else { Ok(duration) }
}

/// The name of the user; with sudo, of the user who called it. If there is none, the number of the
/// user.
fn user() -> String {
    let of = |name| std::env::var(name).ok().filter(|user| !user.is_empty());
    of("SUDO_USER").or_else(|| of("USER")).unwrap_or_else(|| format!("uid {}", nix::unistd::getuid()))
}
