//! TLS clients: which certificates probes, role actions and webhooks trust, and which certificate
//! they present.
//!
//! The configuration builds a [`TlsClient`] per monitor, action or notification. It fails if rustls
//! cannot use a certificate or a key.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Which server certificates a client trusts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trust {
    /// Certificates of the authorities that the system trusts.
    System,
    /// These certificates, and certificates that they signed.
    Own(Vec<CertificateDer<'static>>),
    /// Every certificate.
    Any,
}

/// A TLS client. It can be compared, so that a reload recognizes unchanged monitors. All targets of
/// a monitor share its rustls configuration.
#[derive(Clone, Debug)]
pub struct TlsClient {
    trust: Trust,
    /// Certificate chain and private key. The key has the format of its file, for example PKCS#8.
    identity: Option<(Vec<CertificateDer<'static>>, Vec<u8>)>,
    config: Arc<ClientConfig>,
}

impl PartialEq for TlsClient {
    fn eq(&self, other: &Self) -> bool {
        self.trust == other.trust && self.identity == other.identity
    }
}

impl TlsClient {
    /// Prepares a client; `identity` is a certificate chain and its key.
    ///
    /// # Errors
    /// rustls cannot use a certificate or the key, or the system has no root certificates.
    pub fn new(
        trust: Trust,
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match &trust {
            Trust::System => {
                let found = rustls_native_certs::load_native_certs();
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let why = found.errors.first().map_or_else(|| "there is none".to_owned(), ToString::to_string);
                    return Err(Error::General(format!("no root certificate of the system can be used: {why}")));
                }
                builder.with_root_certificates(roots)
            }
            Trust::Own(certificates) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates {
                    roots.add(certificate.clone())?;
                }
                builder.with_root_certificates(roots)
            }
            Trust::Any => builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider))),
        };
        let (identity, config) = match identity {
            None => (None, builder.with_no_client_auth()),
            Some((chain, key)) => {
                let kept = (chain.clone(), key.secret_der().to_vec());
                (Some(kept), builder.with_client_auth_cert(chain, key)?)
            }
        };
        Ok(Self { trust, identity, config: Arc::new(config) })
    }

    /// A client that trusts no certificate, for connections that must not use TLS.
    pub(crate) fn trusting_no_server() -> Self {
        Self::new(Trust::Own(Vec::new()), None).expect("without certificates, rustls has nothing to refuse")
    }

    /// The configuration for rustls.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }
}

/// Reads the certificates of a PEM file.
///
/// # Errors
/// The file cannot be read, or is not valid PEM.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_file_iter(path)?.collect()
}

/// Accepts every certificate. The server must still prove that it has the private key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
