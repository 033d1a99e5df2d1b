//! `evenkeel scan`: files and folders, each file in a session of its own, or all of them in one batch.
//!
//! In reading order: `files` says what is scanned, `parallel` does it, each file a `single` one or all in a `batch`, `progress` shows how
//! far it is, `journal` remembers it for another run, `summary` tells what came of it, in `terminal_text`.

mod batch;
mod files;
mod journal;
mod parallel;
mod progress;
mod single;
mod summary;
mod terminal_text;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::FAILED;
use super::operate::failed;
use super::pin::{Shared, cluster_url};
use crate::{open_files, tls};
use evenkeel_client::{Affinity, Cluster};
use summary::Outcome;

/// Something is blocked.
const BLOCKED: u8 = 2;

/// What is scanned, where, and how it is shown.
#[derive(Args, Debug)]
pub(super) struct Wanted {
    /// Files, and folders with all that is below them; links in folders are not followed
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The cluster: its shared name, with a port (8008 otherwise), or a URL
    #[arg(long, short, value_name = "NAME[:PORT]|URL", env = "EVENKEEL_CLUSTER", value_parser = cluster_url)]
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
    /// Note what was done in this file, and go on from it when it is there: files with a verdict that are as they were
    /// are shown and not scanned again
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    resume: Option<PathBuf>,
    /// Send a file again to another node when its node dies, so many times
    #[arg(long, value_name = "TIMES", default_value_t = 0, conflicts_with = "batch")]
    resubmit: u32,
    /// Write the signed result of the batch to this file
    #[arg(long, value_name = "FILE", requires = "batch")]
    signed_result: Option<PathBuf>,
    /// File with the apikey
    #[arg(long, value_name = "FILE")]
    apikey_file: Option<PathBuf>,
    /// PEM file with the certificates to trust instead of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Find the node of a session by the cookie of an HTTP balancer instead of by its address
    #[arg(long)]
    cookie: bool,
    /// Longest wait for the result of a file, and for a batch to close
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    shared: Shared,
}

impl Wanted {
    fn cluster(&self) -> anyhow::Result<Cluster> {
        let mut builder = self.shared.cluster(&self.cluster).result_timeout(self.timeout).resubmissions(self.resubmit);
        if self.cookie {
            builder = builder.affinity(Affinity::Cookie);
        }
        if let Some(file) = &self.apikey_file {
            let key = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            builder = builder.apikey(key.trim());
        }
        if let Some(file) = &self.ca {
            let certificates = tls::certificates(file);
            let certificates = certificates.with_context(|| format!("{} cannot be read", file.display()))?;
            if certificates.is_empty() {
                bail!("{} holds no certificate", file.display());
            }
            builder = builder.root_certificates(certificates);
        }
        Ok(builder.build()?)
    }
}

pub(super) fn run(wanted: &Wanted) -> ExitCode {
    // Each file under way takes one descriptor, its connection another; with fewer than wanted it is tried all the same.
    let _ = open_files::raise();
    let outcome = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime");
    let outcome = outcome.and_then(|runtime| {
        let outcome = runtime.block_on(parallel::scan_all(wanted));
        // A resolver of the system that still waits is nobody's.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(summary) => {
            let is_trouble = summary.trouble.is_some();
            if let Some(trouble) = &summary.trouble {
                failed(&anyhow::anyhow!("{trouble}"));
            }
            match () {
                () if summary.outcomes().any(Outcome::is_blocked) => ExitCode::from(BLOCKED),
                () if is_trouble || summary.outcomes().any(Outcome::is_failed) => ExitCode::from(FAILED),
                () => ExitCode::SUCCESS,
            }
        }
        // Whoever read the results has gone, and knows.
        Err(error) if is_broken_pipe(&error) => ExitCode::from(FAILED),
        Err(error) => failed(&error),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
