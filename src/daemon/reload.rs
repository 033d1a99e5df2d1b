//! A reload: reads the configuration again and adopts it, or refuses it and changes nothing.

use tracing::{error, info, warn};

use super::interrupt::{Interrupt, interrupt};
use super::{Daemon, FixedConfig, log_warnings};
use crate::config::{self, LoadedConfig};
use crate::open_files;
use crate::signals::Signals;

impl Daemon {
    /// Reloads the configuration. If it cannot be loaded or adopted, the log says why, and nothing
    /// changes.
    ///
    /// # Errors
    /// A signal interrupted the reload; nothing has changed.
    pub(super) async fn reload(&mut self, signals: &mut Signals) -> Result<(), Interrupt> {
        let origin = self.origin.clone();
        let loaded = tokio::select! {
            loaded = tokio::task::spawn_blocking(move || config::load(&origin)) => loaded,
            name = signals.end.recv() => return Err(Interrupt::End(name)),
        };
        let problems = match loaded {
            Ok(Ok(loaded)) => match self.adopt_reloaded(loaded, signals).await {
                Ok(Some(interrupt)) => return Err(interrupt),
                Ok(None) => return Ok(()),
                Err(problems) => problems,
            },
            Ok(Err(problems)) => problems.to_string(),
            Err(panic) => format!("the loader failed: {panic}"),
        };
        error!("reload refused, everything stays as it was:\n{problems}");
        Ok(())
    }

    /// Adopts a configuration, unless a signal interrupts the probes of new nodes.
    async fn adopt_reloaded(
        &mut self,
        mut loaded: LoadedConfig,
        signals: &mut Signals,
    ) -> Result<Option<Interrupt>, String> {
        let descriptors = open_files::fit(&mut loaded);
        let prepared = self.endpoints.prepare(&loaded.server, descriptors).map_err(|problems| problems.to_string())?;
        log_warnings(&loaded.warnings);
        if self.fixed != FixedConfig::of(&loaded) {
            warn!("`state_dir` and [admin]: changes take effect only after a restart");
        }
        let summary = loaded.summary();
        let adopted = self.adopt(prepared, loaded, interrupt(signals)).await;
        let interrupted = adopted.map_err(|error| error.to_string())?;
        if interrupted.is_none() {
            info!("reloaded: {}; generation {}: {summary}", self.listening(), self.generation);
        }
        Ok(interrupted)
    }
}
