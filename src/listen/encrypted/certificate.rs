//! The certificate that all encrypted transports present, and the settings of TLS.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificate that all encrypted transports present. A reload replaces it.
#[derive(Debug)]
pub(crate) struct Certificate(ArcSwap<CertifiedKey>);

impl Certificate {
    pub(crate) fn new(certified: Arc<CertifiedKey>) -> Self {
        Self(ArcSwap::new(certified))
    }

    /// Presents another certificate in all later handshakes. Open connections go on.
    pub(crate) fn replace(&self, certified: Arc<CertifiedKey>) {
        self.0.store(certified);
    }

    /// The settings of TLS for a transport with these protocol names. A client that names protocols
    /// must name one of them (RFC 7301 §3.2).
    ///
    /// # Errors
    /// The cryptography of this build lacks a version of TLS.
    pub(crate) fn server_config(
        self: &Arc<Self>,
        protocol_names: &[&[u8]],
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let certificate: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = builder.with_no_client_auth().with_cert_resolver(certificate);
        config.alpn_protocols = protocol_names.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}
