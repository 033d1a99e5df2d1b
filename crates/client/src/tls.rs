//! TLS configuration of the connections to nodes: which root certificates are trusted.
//!
//! The builder of a cluster calls it once; all pins of the cluster share the result. It fails if
//! rustls rejects a certificate, or if the system has none.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, Error, RootCertStore};

/// Root certificates of the chains that nodes present.
#[derive(Clone, Debug)]
pub(crate) enum RootCertificates {
    /// Those of the system.
    System,
    /// Only these.
    Given(Vec<CertificateDer<'static>>),
}

impl RootCertificates {
    /// The configuration of a client that trusts these certificates and presents none of its own.
    ///
    /// # Errors
    /// rustls rejects one of the given certificates, or the system has none.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, Error> {
        let mut roots = RootCertStore::empty();
        match self {
            Self::System => {
                let found = rustls_native_certs::load_native_certs();
                // Systems ship certificates that rustls rejects; the others are still usable.
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let why = found.errors.first().map_or_else(|| "there is none".to_owned(), ToString::to_string);
                    return Err(Error::General(format!("no root certificate of the system can be used: {why}")));
                }
            }
            Self::Given(certificates) => certificates.iter().try_for_each(|root| roots.add(root.clone()))?,
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_cannot_be_parsed_is_an_error() {
        let invalid = RootCertificates::Given(vec![CertificateDer::from(vec![0; 8])]);
        assert!(invalid.client_config().is_err());
        assert!(RootCertificates::Given(Vec::new()).client_config().is_ok());
    }
}
