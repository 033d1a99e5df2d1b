//! Runs a server in a runtime of its own, for `serve` and `demo`. Errors are logged, and the exit
//! code says which kind of error it was.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tracing::{error, info};

use super::exit_code::{CONFIG, FAILED, USAGE};
use super::log;
use crate::config::{self, Origin};
use crate::daemon::{Daemon, log_warnings};
use crate::signals::Signals;

/// How long the runtime waits at the end for tasks that still run.
const RUNTIME_GRACE: Duration = Duration::from_secs(1);

/// Runs a server until a signal ends it. Calls `before` before the start, and `ready` when the
/// server answers.
pub(super) fn run_daemon(
    origin: Origin,
    before: impl AsyncFnOnce() -> Result<(), String>,
    ready: impl FnOnce(),
) -> ExitCode {
    let _writer = match log::init() {
        Ok(guard) => guard,
        Err(message) => {
            // If standard error is closed, the exit code still reports the error.
            let _ = writeln!(io::stderr(), "{message}");
            return ExitCode::from(USAGE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("not started: the async runtime cannot be started: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let code = runtime.block_on(async {
        let mut signals = match Signals::catch() {
            Ok(signals) => signals,
            Err(error) => {
                error!("not started: signals cannot be caught: {error}");
                return ExitCode::from(FAILED);
            }
        };
        let started = tokio::select! {
            started = start(origin, before) => started,
            name = signals.end.recv() => {
                info!("{name}: stopped before the start was over");
                return ExitCode::SUCCESS;
            }
        };
        match started {
            Ok(daemon) => {
                ready();
                daemon.run(signals).await
            }
            Err(code) => ExitCode::from(code),
        }
    });
    runtime.shutdown_timeout(RUNTIME_GRACE);
    code
}

/// Loads and starts. Errors are logged, and the exit code is returned.
async fn start(origin: Origin, before: impl AsyncFnOnce() -> Result<(), String>) -> Result<Daemon, u8> {
    let to_load = origin.clone();
    let loaded = tokio::task::spawn_blocking(move || config::load(&to_load)).await;
    let loaded = match loaded {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(problems)) => {
            error!("not started:\n{problems}");
            return Err(CONFIG);
        }
        Err(panic) => {
            error!("not started: the loader failed: {panic}");
            return Err(FAILED);
        }
    };
    log_warnings(&loaded.warnings);
    if let Err(message) = before().await {
        error!("not started: {message}");
        return Err(FAILED);
    }
    Daemon::start(origin, loaded).await.map_err(|error| {
        error!("not started:\n{error:#}");
        FAILED
    })
}
