//! The command-line arguments of `evenkeel scan`, its help, and the cluster that they describe.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use evenkeel_client::{Affinity, Cluster, Value};
use ring::digest::{SHA256, digest};
use serde_json::json;

use super::super::cluster_args::{ClusterArgs, cluster_url};
use super::option_args::{OptionArgs, certificates};
use super::results::hex;

/// Scan files and folders on a cluster
#[derive(Args, Debug)]
#[command(mut_arg("deadline", |deadline| {
    deadline.help("Give up the search for a node after this time; a running upload is not interrupted")
}))]
#[command(after_help = "\
Examples:
  evenkeel scan invoice.pdf --cluster core.lb.example
  evenkeel scan ~/Downloads --cluster https://core.lb.example:8008 --concurrency 16
  evenkeel scan folder --cluster core.lb.example --batch --json

Ctrl-C aborts all requests and cancels the scans on the nodes; with --resume, the next run continues them instead.
Files whose scan did not finish get the verdict `failed`.
Exit codes: 0 all files are allowed, 1 a file failed, 2 a file is blocked, 64 usage.")]
pub(in crate::cli) struct ScanArgs {
    /// Files, and folders with everything below them; symbolic links in folders are not followed
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Shared name with an optional port (default 8008), or a URL
    #[arg(long, short, value_name = "NAME[:PORT]|URL", env = "EVENKEEL_CLUSTER", value_parser = cluster_url)]
    pub(super) cluster: String,
    /// Send all files in one batch, to one node
    #[arg(long)]
    pub(super) batch: bool,
    /// Files scanned at the same time
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Print results as JSON, one object per line
    #[arg(long)]
    pub(super) json: bool,
    /// Record the progress in this journal, and continue from it if it exists. Unchanged files
    /// that are allowed or blocked are not scanned again
    #[arg(long, value_name = "FILE")]
    pub(super) resume: Option<PathBuf>,
    /// If the node of a file is gone, send the file to another node, at most this many times
    #[arg(long, value_name = "TIMES", default_value_t = 0)]
    pub(super) resubmit: u32,
    /// Before a file is sent, ask a node for a result for its SHA-256, and use it if there is one;
    /// with --rule, only a result under this rule
    #[arg(long, conflicts_with_all = ["batch", "archive_passwords", "metadata", "callback_url"])]
    pub(super) hash_first: bool,
    /// Write sanitized copies of files into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "batch")]
    pub(super) sanitized: Option<PathBuf>,
    /// Write the signed result of the batch to this file
    #[arg(long, value_name = "FILE", requires = "batch")]
    pub(super) signed_result: Option<PathBuf>,
    /// File with the API key
    #[arg(long, value_name = "FILE")]
    apikey_file: Option<PathBuf>,
    /// PEM file with the root certificates to trust instead of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Keep a session on its node with the cookie of an HTTP load balancer instead of a pinned
    /// address
    #[arg(long)]
    cookie: bool,
    /// Longest wait for the result of a file or for the batch to close
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = positive_duration)]
    timeout: Duration,
    #[command(flatten)]
    options: OptionArgs,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl ScanArgs {
    /// Files scanned at the same time.
    pub(super) fn concurrency(&self) -> usize {
        usize::from(self.concurrency)
    }

    /// The cluster, with the API key and the certificates of their files; and a fingerprint of the
    /// options that verdicts depend on.
    ///
    /// # Errors
    /// A file cannot be read, or its content cannot be used.
    pub(super) fn cluster(&self) -> anyhow::Result<(Cluster, String)> {
        let mut builder = self.cluster_args.builder(&self.cluster);
        builder = builder.result_timeout(self.timeout).resubmissions(self.resubmit);
        if self.cookie {
            builder = builder.affinity(Affinity::Cookie);
        }
        if let Some(file) = &self.apikey_file {
            let key = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            if key.trim().is_empty() {
                bail!("{} contains no API key", file.display());
            }
            builder = builder.apikey(key.trim());
        }
        if let Some(file) = &self.ca {
            builder = builder.root_certificates(certificates(file)?);
        }
        let (builder, options) = self.options.apply(builder)?;
        let copies = self.sanitized.as_ref().map(|folder| format!("{:?}", std::path::absolute(folder)));
        let fingerprint = fingerprint(&json!([options, self.hash_first, copies]));
        Ok((builder.build()?, fingerprint))
    }
}

/// A short text that differs if the options differ, and does not tell what they are.
fn fingerprint(options: &Value) -> String {
    let digest = digest(&SHA256, options.to_string().as_bytes());
    hex(&digest.as_ref()[..16])
}

/// A duration above zero.
fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("accepted: a duration above zero".to_owned()) } else { Ok(duration) }
}
