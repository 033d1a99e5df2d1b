//! `[server.tls]`: the encrypted transports.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::listen::{self, Listen};
use super::secret_files;
use super::section::Section;
use super::value::Placed;

/// `[server.tls]`.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificate chain and key.
    pub certified: Arc<CertifiedKey>,
    /// DNS over TLS (RFC 7858).
    pub dot: Vec<Listen>,
    /// DNS over HTTPS (RFC 8484).
    pub doh: Vec<Listen>,
    /// DNS over QUIC (RFC 9250).
    pub doq: Vec<Listen>,
    /// Path of the HTTPS endpoint.
    pub doh_path: String,
}

/// Reads the section. Returns `None` if the certificate cannot be used, which is reported.
pub(super) fn read(section: Section<'_>) -> Option<Tls> {
    let file = |key| section.required(key, section.path(key), "a PEM file, relative to this one");
    let (certificate, key) = (file("certificate"), file("key"));
    let listen = |key| listen::read(&section, key).unwrap_or_default();
    let (dot, doh, doq) = (listen("dot"), listen("doh"), listen("doq"));
    if dot.is_empty() && doh.is_empty() && doq.is_empty() {
        let hint = "set addresses in `dot`, `doh` or `doq`";
        section.report.error(section.span.clone(), "no encrypted transport has an address", hint);
    }
    let doh_path = section.string("doh_path");
    if let Some(path) = doh_path.as_ref().filter(|path| !is_path(path.value)) {
        section.report.error(path.span.clone(), "`doh_path` is not a path", "for example: \"/dns-query\"");
    }
    let certified = match (certificate, key) {
        (Some(certificate), Some(key)) => certified_key(&section, &certificate, &key),
        _ => None,
    };
    section.finish();
    Some(Tls {
        certified: Arc::new(certified?),
        dot,
        doh,
        doq,
        doh_path: doh_path.map_or("/dns-query", |path| path.value).to_owned(),
    })
}

/// Returns true for a path without query, fragment and placeholders.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#{}".contains(&byte))
}

/// Reads a certificate chain and its key. Reports what is wrong with either.
fn certified_key(section: &Section<'_>, certificate: &Placed<PathBuf>, key: &Placed<PathBuf>) -> Option<CertifiedKey> {
    let (chain, private) = (secret_files::certificates(section, certificate), secret_files::private_key(section, key));
    let certified = CertifiedKey::from_der(chain?, private?, &rustls::crypto::ring::default_provider());
    let unusable = |error| {
        let message = format!("does not belong to {}: {error}", certificate.value.display());
        section.report.file_error(key, &message, "the private key of the first certificate in the chain");
    };
    certified.map_err(unusable).ok()
}
