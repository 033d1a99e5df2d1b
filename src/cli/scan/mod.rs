//! `evenkeel scan`: files and folders, each file in a session of its own, or all of them in one batch.
//!
//! In reading order: `files` says what is scanned, `work` does it, `bars` shows how far it is, `journal` remembers it for
//! another run, `summary` tells what came of it.

mod bars;
mod files;
mod journal;
mod summary;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::FAILED;
use super::operate::failed;
use super::pin::Shared;
use crate::client::{Affinity, Cluster};
use crate::tls;
use summary::Outcome;

/// Something is blocked.
const BLOCKED: u8 = 2;

/// What is scanned, where, and how it is shown.
#[derive(Args, Debug)]
pub(super) struct Wanted {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The cluster: its shared name, with a port (8008 otherwise), or a URL
    #[arg(long, short, value_name = "NAME[:PORT]|URL", env = "EVENKEEL_CLUSTER")]
    cluster: String,
    /// All files in one batch, at one node
    #[arg(long)]
    batch: bool,
    /// Files at the same time
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Results as JSON, an object a line
    #[arg(long)]
    json: bool,
    /// Note what was done in this file, and go on from it when it is there
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    resume: Option<PathBuf>,
    /// Send a file again to another node when its node dies, so many times
    #[arg(long, value_name = "TIMES", default_value_t = 0)]
    resubmit: u32,
    /// File with the apikey
    #[arg(long, value_name = "FILE")]
    apikey_file: Option<PathBuf>,
    /// PEM file with the certificates to trust instead of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Find the node of a session by the cookie of an HTTP balancer instead of by its address
    #[arg(long)]
    cookie: bool,
    /// Longest wait for the result of a file
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    shared: Shared,
}

impl Wanted {
    fn cluster(&self) -> anyhow::Result<Cluster> {
        let mut builder = self.shared.cluster(&self.cluster).result_timeout(self.timeout);
        if self.cookie {
            builder = builder.affinity(Affinity::Cookie);
        }
        if let Some(file) = &self.apikey_file {
            let key = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            builder = builder.apikey(key.trim());
        }
        if let Some(file) = &self.ca {
            let certificates = tls::certificates(file);
            builder = builder.trust(certificates.with_context(|| format!("{} cannot be read", file.display()))?);
        }
        Ok(builder.build()?)
    }
}

pub(super) fn run(wanted: &Wanted) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.context("no runtime").and_then(|runtime| runtime.block_on(work::scan_all(wanted)));
    match outcome {
        Ok(outcomes) => {
            let is_any = |wanted: fn(&Outcome) -> bool| outcomes.iter().any(|done| wanted(&done.outcome));
            if is_any(|outcome| matches!(outcome, Outcome::Blocked(_))) {
                ExitCode::from(BLOCKED)
            } else if is_any(|outcome| matches!(outcome, Outcome::Failed(_))) {
                ExitCode::from(FAILED)
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(error) => failed(&error),
    }
}
