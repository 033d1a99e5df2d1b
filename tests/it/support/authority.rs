//! Certificates for the nodes of a test.

use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};

/// An authority, and certificates that it has signed.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // OpenSSL takes certificates for self-signed whose issuer has the name of their subject.
        params.distinguished_name.push(DnType::CommonName, "authority of the test");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key for the test");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate for the test") }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a name, and its key, PEM.
    pub(crate) fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key for the test");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.issuer).expect("a certificate for the test").pem(), key.serialize_pem())
    }
}
