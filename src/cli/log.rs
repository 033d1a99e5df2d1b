//! Where the log goes: standard error, coloured in a terminal, filtered by `EVENKEEL_LOG`.
//!
//! A thread of its own writes the lines. Whoever reads them slowly, or not at all, loses lines; the server goes on.

use std::io::IsTerminal;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

/// The variable that says what is logged.
const VARIABLE: &str = "EVENKEEL_LOG";

/// What it may hold, for messages.
const ACCEPTED: &str =
    "a level (error, warn, info, debug, trace, off), or targets with levels: info,evenkeel::health=debug";

/// Begins to log, until the guard is dropped.
///
/// # Errors
/// The variable holds no filter; the message says what would be one.
pub(super) fn init() -> Result<WorkerGuard, String> {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let filter = filter(&wanted).ok_or_else(|| format!("{VARIABLE} cannot be \"{wanted}\"; accepted: {ACCEPTED}"))?;
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(writer)
        .init();
    Ok(guard)
}

/// A level by itself is for evenkeel. The libraries below it are silent unless they are named: some of them log what
/// anybody can cause, hickory every query.
fn filter(wanted: &str) -> Option<EnvFilter> {
    let levels = ["error", "warn", "info", "debug", "trace", "off"];
    let mut directives = "off".to_owned();
    for part in (if wanted.is_empty() { "info" } else { wanted }).split(',') {
        let level = levels.contains(&part.to_ascii_lowercase().as_str());
        if !level && !part.contains('=') {
            return None; // a word by itself would be a target, and everything else silent
        }
        directives.push_str(if level { ",evenkeel=" } else { "," });
        directives.push_str(part);
    }
    EnvFilter::try_new(directives).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_targets_with_levels() {
        for good in ["", "info", "WARN", "info,evenkeel::health=debug", "hickory_server=trace,info"] {
            assert!(filter(good).is_some(), "{good}");
        }
        for bad in ["nonsense", "inf", "foo=bar=baz,,", "info,", "evenkeel=loud"] {
            assert!(filter(bad).is_none(), "{bad}");
        }
        let shown = |wanted| filter(wanted).unwrap().to_string();
        assert!(shown("warn").contains("evenkeel=warn") && shown("warn").contains("off"));
        assert!(shown("info,hickory_server=trace").contains("hickory_server=trace"));
    }
}
