//! Where the log goes: standard error, coloured in a terminal, filtered by `EVENKEEL_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// hickory logs every query and every broken handshake, which anybody can cause; it is silenced unless asked for.
const DEFAULT_FILTER: &str = "info,hickory_server=off,hickory_net=off,hickory_proto=off";

/// Begins to log.
pub(super) fn init() {
    let filter = EnvFilter::try_from_env("EVENKEEL_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
