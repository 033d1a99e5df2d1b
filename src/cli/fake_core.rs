//! `evenkeel fake-core`: one node that is none, for tests and CI.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::operate::on_runtime;
use crate::fake_core::{Certificates, FakeCore};
use crate::signals::EndSignals;
use crate::tls;

/// Where it listens, and how it is.
#[derive(Args, Debug)]
pub(super) struct Node {
    /// Where it listens; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8008")]
    listen: SocketAddr,
    /// Its name in the X-Core-Id header
    #[arg(long, default_value = "fake-core", value_parser = visible)]
    id: String,
    /// Begin as a hot backup, which refuses scans
    #[arg(long)]
    backup: bool,
    /// Refuse requests without this key in the apikey header
    #[arg(long, value_name = "KEY", value_parser = visible)]
    apikey: Option<String>,
    /// Faults to begin with, as for PUT /_fake; GET /_fake shows all there are
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = faults)]
    faults: String,
    /// PEM file with a certificate chain: speak TLS
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// PEM file with its private key
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// The chain that is shown with the fault wrong_certificate; its key stands in the same file
    #[arg(long, value_name = "FILE", requires = "certificate")]
    wrong_certificate: Option<PathBuf>,
}

fn faults(text: &str) -> Result<String, String> {
    FakeCore::new("fake-core").with_faults(text).map(|_| text.to_owned())
}

fn visible(text: &str) -> Result<String, String> {
    let is_visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_visible { Ok(text.to_owned()) } else { Err("accepted: visible ASCII characters".to_owned()) }
}

pub(super) fn run(node: Node) -> ExitCode {
    on_runtime(async {
        let Node { listen, id, backup, apikey, faults, .. } = &node;
        let mut core = FakeCore::new(id).with_faults(faults).map_err(|why| anyhow::anyhow!("--faults: {why}"))?;
        if *backup {
            core = core.as_backup();
        }
        if let Some(key) = apikey {
            core = core.with_apikey(key);
        }
        if let Some(certificates) = node.certificates()? {
            core = core.with_certificates(certificates);
        }
        let mut signals = EndSignals::catch()?;
        let address = core.listen(*listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
        // Whether anybody reads it is their matter.
        let _ = writeln!(io::stdout(), "ready: {id} at {address}");
        signals.recv().await;
        Ok(())
    })
}

impl Node {
    fn certificates(&self) -> anyhow::Result<Option<Certificates>> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else { return Ok(None) };
        let right = server_config(certificate, key)?;
        let wrong = match &self.wrong_certificate {
            Some(wrong) => server_config(wrong, wrong)?,
            None => Arc::clone(&right),
        };
        Ok(Some(Certificates { right, wrong }))
    }
}

fn server_config(certificate: &Path, key: &Path) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let chain =
        tls::certificates(certificate).with_context(|| format!("{} holds no certificates", certificate.display()))?;
    let private = PrivateKeyDer::from_pem_file(key).with_context(|| format!("{} holds no key", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_no_client_auth().with_single_cert(chain, private)?))
}
