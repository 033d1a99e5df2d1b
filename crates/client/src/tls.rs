//! TLS configuration of the connections to nodes: which root certificates are trusted.
//!
//! The builder of a cluster calls it once; all pins of the cluster share the result. It fails if
//! rustls rejects a certificate, or if the system has none.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Root certificates of the chains that nodes present.
#[derive(Clone, Debug)]
pub(crate) enum RootCertificates {
    /// Those of the system.
    System,
    /// Only these.
    Given(Vec<CertificateDer<'static>>),
}

/// What a client presents to nodes that ask for a certificate.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl RootCertificates {
    /// The configuration of a client that trusts these certificates, and presents `identity`.
    ///
    /// # Errors
    /// rustls rejects one of the certificates or the key, or the system has no certificates.
    pub(crate) fn client_config(&self, identity: Option<&Identity>) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let mut roots = RootCertStore::empty();
        let builder = match self {
            Self::System => {
                let found = rustls_native_certs::load_native_certs();
                // Systems ship certificates that rustls rejects; the others are still usable.
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let why = found.errors.first().map_or_else(|| "there is none".to_owned(), ToString::to_string);
                    return Err(Error::General(format!("no root certificate of the system can be used: {why}")));
                }
                builder.with_root_certificates(roots)
            }
            // Over HTTP, no certificate is given, and none is verified.
            Self::Given(given) if given.is_empty() => builder.with_root_certificates(roots),
            Self::Given(given) => {
                given.iter().try_for_each(|root| roots.add(root.clone()))?;
                let chains = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build();
                let chains = chains.map_err(|error| Error::General(error.to_string()))?;
                let verifier = Arc::new(GivenCertificates { chains, given: given.clone() });
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        match identity {
            None => Ok(builder.with_no_client_auth()),
            Some(Identity { chain, key }) => builder.with_client_auth_cert(chain.clone(), key.clone_key()),
        }
    }
}

/// Verifies chains that lead to one of the given certificates. Also accepts a given certificate
/// that a node presents as its own.
///
/// `openssl req -x509` makes self-signed certificates that are marked as those of a CA. webpki
/// accepts no such certificate from a server (RFC 5280 §4.2.1.9), while OpenSSL and curl do if it
/// is trusted as such.
#[derive(Debug)]
struct GivenCertificates {
    chains: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for GivenCertificates {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.chains.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // webpki has already checked the validity period. The signatures of the handshake prove
            // that the node has the private key.
            Err(error) if is_ca_as_server(&error) && self.given.contains(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Returns true if the only objection is that the certificate of the server is that of a CA.
fn is_ca_as_server(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    #[test]
    fn a_certificate_that_cannot_be_parsed_is_an_error() {
        let invalid = RootCertificates::Given(vec![CertificateDer::from(vec![0; 8])]);
        assert!(invalid.client_config(None).is_err());
        assert!(RootCertificates::Given(Vec::new()).client_config(None).is_ok());
    }

    /// A self-signed certificate as `openssl req -x509` makes it.
    fn self_signed_ca(name: &str) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_given_ca_certificate_may_be_that_of_a_node_with_its_name_while_it_is_valid() {
        let (given, other) = (self_signed_ca("core.lb.example"), self_signed_ca("core.lb.example"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(given.clone()).unwrap();
        let chains = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let verifier = GivenCertificates { chains, given: vec![given.clone()] };
        let verify = |certificate: &CertificateDer<'_>, name: &str, year: u64| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600));
            verifier.verify_server_cert(certificate, &[], &name, &[], now).map(drop)
        };
        assert_eq!(verify(&given, "core.lb.example", 2026), Ok(()));
        assert!(verify(&given, "other.example", 2026).is_err(), "another name");
        assert!(verify(&given, "core.lb.example", 2031).is_err(), "expired");
        assert!(verify(&other, "core.lb.example", 2026).is_err(), "not given");
    }
}
