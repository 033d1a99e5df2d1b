//! The argument that names a configuration, for `serve` and `check`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{DEFAULT_PATH, Origin};

/// A configuration file.
#[derive(Args, Debug)]
pub(super) struct ConfigFileArgs {
    /// Configuration file
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

impl ConfigFileArgs {
    /// The origin that [`config::load`](crate::config::load()) reads the configuration from.
    pub(super) fn origin(&self) -> Origin {
        Origin::File(self.config.clone())
    }
}
