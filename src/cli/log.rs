//! Sets up the log: it goes to standard error, coloured in a terminal, filtered by `EVENKEEL_LOG`.
//!
//! A separate thread writes the lines. If the reader of standard error is slow or gone, lines are
//! lost, and the server goes on.

use std::io::IsTerminal;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

/// The environment variable with the filter.
const VARIABLE: &str = "EVENKEEL_LOG";

/// The accepted filters, for messages.
const ACCEPTED: &str =
    "a level (error, warn, info, debug, trace, off), or targets with levels: info,evenkeel::health=debug";

/// Starts the log. Dropping the guard writes the lines that still wait.
///
/// # Errors
/// The variable does not hold a filter; the message says what is accepted.
pub(super) fn init() -> Result<WorkerGuard, String> {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let filter = filter(&wanted)
        .ok_or_else(|| format!("{VARIABLE} is \"{wanted}\", which is not a log filter; accepted: {ACCEPTED}"))?;
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(writer)
        .init();
    Ok(guard)
}

/// Parses a filter. A level without a target applies to evenkeel only.
///
/// The libraries are silent unless the filter names them: some of them log events that any client
/// can cause.
fn filter(wanted: &str) -> Option<EnvFilter> {
    let levels = ["error", "warn", "info", "debug", "trace", "off"];
    let mut directives = "off".to_owned();
    for part in (if wanted.is_empty() { "info" } else { wanted }).split(',') {
        let level = levels.contains(&part.to_ascii_lowercase().as_str());
        if !level && !part.contains('=') {
            return None; // the library would take it for a target, and silence everything else
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
        for good in ["", "info", "WARN", "info,evenkeel::health=debug", "quinn=trace,info"] {
            assert!(filter(good).is_some(), "{good}");
        }
        for bad in ["nonsense", "inf", "foo=bar=baz,,", "info,", "evenkeel=loud"] {
            assert!(filter(bad).is_none(), "{bad}");
        }
        let shown = |wanted| filter(wanted).unwrap().to_string();
        assert!(shown("warn").contains("evenkeel=warn") && shown("warn").contains("off"));
        assert!(shown("info,quinn=trace").contains("quinn=trace"));
    }
}
