//! The command-line options that are passed on to the nodes: rule, passwords, metadata, and a
//! client certificate.
//!
//! A file that cannot be read or used is an error before anything is sent.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use evenkeel_client::{CertificateDer, ClusterBuilder, PrivateKeyDer, ScanOptions, Value};
use serde_json::json;

use crate::tls;

/// Options of the scan.
#[derive(Args, Debug)]
pub(super) struct OptionArgs {
    /// Scan with this rule (workflow) of the nodes
    #[arg(long, value_name = "NAME", value_parser = not_empty(), help_heading = "Scan options")]
    rule: Option<String>,
    /// File with passwords for encrypted archives, one per line
    #[arg(long, value_name = "FILE", help_heading = "Scan options")]
    archive_passwords: Option<PathBuf>,
    /// JSON object that the nodes add to the result of each file
    #[arg(long, value_name = "JSON", value_parser = json_object, help_heading = "Scan options")]
    metadata: Option<Value>,
    /// URL to which the nodes also send the result of each file
    #[arg(long, value_name = "URL", help_heading = "Scan options")]
    callback_url: Option<String>,
    /// Name of this client; a rule can require a certain name
    #[arg(long, value_name = "NAME", help_heading = "Scan options")]
    user_agent: Option<String>,
    /// Text that the node adds to the result of the batch
    #[arg(long, value_name = "TEXT", requires = "batch", help_heading = "Scan options")]
    user_data: Option<String>,
    /// PEM file with a certificate chain to present to nodes
    #[arg(long, value_name = "FILE", requires = "client_key", help_heading = "Scan options")]
    client_certificate: Option<PathBuf>,
    /// PEM file with the private key of that certificate
    #[arg(long, value_name = "FILE", requires = "client_certificate", help_heading = "Scan options")]
    client_key: Option<PathBuf>,
}

impl OptionArgs {
    /// Adds the options to a cluster; returns also those that verdicts depend on, with the
    /// passwords.
    ///
    /// # Errors
    /// A file cannot be read, or does not have the expected content.
    pub(super) fn apply(&self, builder: ClusterBuilder) -> anyhow::Result<(ClusterBuilder, Value)> {
        // Read once: the file can be a pipe.
        let passwords = match &self.archive_passwords {
            Some(file) => std::fs::read_to_string(file).with_context(|| unreadable(file))?,
            None => String::new(),
        };
        let Self { rule, metadata, callback_url, user_agent, user_data, .. } = self;
        let fingerprinted = json!([rule, passwords, metadata, callback_url, user_agent, user_data]);
        let mut options = ScanOptions::new();
        if let Some(rule) = rule {
            options = options.rule(rule);
        }
        options = passwords.lines().filter(|line| !line.is_empty()).fold(options, ScanOptions::archive_password);
        if let Some(metadata) = metadata {
            options = options.metadata(metadata.clone());
        }
        if let Some(url) = callback_url {
            options = options.callback_url(url);
        }
        if let Some(name) = user_agent {
            options = options.user_agent(name);
        }
        if let Some(text) = user_data {
            options = options.user_data(text);
        }
        let builder = builder.scan_options(options);
        let builder = match (&self.client_certificate, &self.client_key) {
            (Some(chain), Some(key)) => builder.client_certificate(certificates(chain)?, private_key(key)?),
            _ => builder,
        };
        Ok((builder, fingerprinted))
    }
}

/// The certificates of a PEM file.
///
/// # Errors
/// The file cannot be read, or has none.
pub(super) fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = tls::certificates(file).with_context(|| unreadable(file))?;
    if certificates.is_empty() {
        bail!("{} contains no certificate", file.display());
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    use rustls::pki_types::pem::PemObject;
    PrivateKeyDer::from_pem_file(file).with_context(|| format!("{} has no private key", file.display()))
}

fn unreadable(file: &Path) -> String {
    format!("{} cannot be read", file.display())
}

/// Refuses an empty text: often that of a shell variable that is not set.
fn not_empty() -> NonEmptyStringValueParser {
    NonEmptyStringValueParser::new()
}

fn json_object(text: &str) -> Result<Value, String> {
    match text.parse() {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("accepted: a JSON object".to_owned()),
        Err(error) => Err(format!("accepted: a JSON object; {error}")),
    }
}
