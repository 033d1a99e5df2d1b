//! `evenkeel fake-core`: one fake Core node in a process of its own, for tests and CI.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use evenkeel_fake_core::{Certificates, FakeCore, FaultsError};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::runtime::on_runtime;
use crate::signals::EndSignals;
use crate::tls;

/// Start a fake MetaDefender Core node, for tests and CI
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  evenkeel fake-core --listen 127.0.0.1:8008
  curl -X PUT http://127.0.0.1:8008/_fake -d '{\"readyz\": 503}'            not ready
  curl -X PUT http://127.0.0.1:8008/_fake -d '{\"outage\": {\"ms\": 2000}}'   unreachable for 2 seconds
  curl http://127.0.0.1:8008/_fake                                        all faults and counters")]
pub(super) struct FakeCoreArgs {
    /// Address to listen on; with port 0, the system chooses a free port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8008")]
    listen: SocketAddr,
    /// Name of the node, sent in the X-Core-Id header
    #[arg(long, default_value = "fake-core", value_parser = visible_ascii)]
    id: String,
    /// Start as a hot backup, which refuses scans
    #[arg(long)]
    backup: bool,
    /// Refuse requests without this key in the apikey header
    #[arg(long, value_name = "KEY", value_parser = visible_ascii)]
    apikey: Option<String>,
    /// Faults at start: a JSON object, as in the body of PUT /_fake
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = accepted_faults)]
    faults: String,
    /// Listen with TLS, with the certificate chain in this PEM file
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// PEM file with the private key of the certificate
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// PEM file with the chain and key that the node presents while the fault wrong_certificate is
    /// set
    #[arg(long, value_name = "FILE", requires = "certificate")]
    wrong_certificate: Option<PathBuf>,
}

/// Accepts a JSON object of faults on the command line.
fn accepted_faults(json: &str) -> Result<String, FaultsError> {
    FakeCore::new("fake-core").with_faults(json).map(|_| json.to_owned())
}

/// Accepts what can stand in a header of HTTP.
fn visible_ascii(text: &str) -> Result<String, String> {
    let is_visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_visible { Ok(text.to_owned()) } else { Err("accepted: visible ASCII characters".to_owned()) }
}

impl FakeCoreArgs {
    /// Runs a node until SIGTERM or SIGINT.
    pub(super) fn run(&self) -> ExitCode {
        on_runtime(async {
            let Self { listen, id, backup, apikey, faults, .. } = self;
            let mut core = FakeCore::new(id).with_faults(faults).context("--faults")?;
            if *backup {
                core = core.as_backup();
            }
            if let Some(key) = apikey {
                core = core.with_apikey(key);
            }
            if let Some(certificates) = self.certificates()? {
                core = core.with_certificates(certificates);
            }
            let mut signals = EndSignals::catch()?;
            let address = core.listen(*listen).await.with_context(|| format!("cannot listen on {listen}"))?;
            // The node serves even if standard output is closed.
            let _ = writeln!(io::stdout(), "ready: {id} at {address}");
            signals.recv().await;
            Ok(())
        })
    }

    /// Loads the certificates, if the node speaks TLS.
    fn certificates(&self) -> anyhow::Result<Option<Certificates>> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else { return Ok(None) };
        let correct = server_config(certificate, key)?;
        let wrong = match &self.wrong_certificate {
            Some(wrong) => server_config(wrong, wrong)?,
            None => Arc::clone(&correct),
        };
        Ok(Some(Certificates { correct, wrong }))
    }
}

/// Loads a certificate chain and its key from PEM files.
fn server_config(certificate: &Path, key: &Path) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let chain = tls::certificates(certificate)
        .with_context(|| format!("cannot load certificates from {}", certificate.display()))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot load a private key from {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_no_client_auth().with_single_cert(chain, private)?))
}
