//! Certificates for the servers and nodes of a test.

use rcgen::{CertificateParams, CertifiedIssuer, CertifiedKey, DnType, KeyPair, generate_simple_self_signed};

/// A certificate authority for one test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("an authority without names is valid");
        // OpenSSL takes a certificate for self-signed if issuer and subject have the same name.
        params.distinguished_name.push(DnType::CommonName, "authority of the test");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("the system has random numbers");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("the key can sign") }
    }

    /// The certificate of the authority, as PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A signed certificate for a name and its key, both as PEM.
    pub(crate) fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("the system has random numbers");
        let params = CertificateParams::new([name.to_owned()]).expect("the name is valid");
        (params.signed_by(&key, &self.issuer).expect("the key can sign").pem(), key.serialize_pem())
    }
}

/// A self-signed certificate for a name, with its key.
pub(crate) fn self_signed(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).expect("the name is valid")
}

/// A self-signed certificate for a name and its key, both as PEM.
pub(crate) fn self_signed_pem(name: &str) -> (String, String) {
    let CertifiedKey { cert, signing_key } = self_signed(name);
    (cert.pem(), signing_key.serialize_pem())
}
