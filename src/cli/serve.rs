//! `evenkeel serve`.

use std::process::ExitCode;

use tracing::error;

use super::{CONFIG, FAILED, log};
use crate::config::{self, Origin};
use crate::daemon::{Daemon, log_warnings};

pub(super) fn run(origin: Origin) -> ExitCode {
    log::init();
    let loaded = match config::load(&origin) {
        Ok(loaded) => loaded,
        Err(problems) => {
            error!("not started:\n{problems}");
            return ExitCode::from(CONFIG);
        }
    };
    log_warnings(&loaded.warnings);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("not started: no runtime: {error}");
            return ExitCode::from(FAILED);
        }
    };
    runtime.block_on(async {
        match Daemon::start(origin, loaded).await {
            Ok(daemon) => daemon.run().await,
            Err(error) => {
                error!("not started:\n{error:#}");
                ExitCode::from(FAILED)
            }
        }
    })
}
