//! `ca`, `client_certificate`, `client_key` and `verify`: TLS of probes, actions and webhooks.

use super::secret_files;
use super::section::Section;
use crate::tls::{TlsClient, Trust};

/// The keys that need TLS.
const KEYS: [&str; 4] = ["ca", "client_certificate", "client_key", "verify"];

/// Reads the keys. Without TLS, reports each of them; `switch` is what turns TLS on.
pub(super) fn read(section: &Section<'_>, over_tls: bool, switch: &str) -> Option<TlsClient> {
    let (ca, certificate, key) = (section.path("ca"), section.path("client_certificate"), section.path("client_key"));
    let verify = section.boolean("verify").unwrap_or(true);
    if !over_tls {
        for key in KEYS {
            if let Some(span) = section.span_of(key) {
                section.report.error(span, format!("`{key}` is for TLS"), format!("set {switch}"));
            }
        }
        return None;
    }
    if !verify {
        let message = format!("{} accepts every certificate", section.heading());
        let span = section.span_of("verify").unwrap_or_default();
        section.report.warn(span, message, "an attacker on the way can pretend to be the node; set `ca` instead");
    }
    let trust = match (verify, ca) {
        (false, _) => Trust::Any,
        (true, None) => Trust::System,
        (true, Some(file)) => Trust::Own(secret_files::certificates(section, &file)?),
    };
    let identity = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            Some((secret_files::certificates(section, &certificate)?, secret_files::private_key(section, &key)?))
        }
        (Some(one), None) | (None, Some(one)) => {
            section.report.error(one.span, "`client_certificate` and `client_key` need each other", "set both");
            None
        }
    };
    let client = TlsClient::new(trust, identity);
    let unusable = |error| section.report.error(section.span.clone(), format!("TLS cannot be set up: {error}"), "");
    client.map_err(unusable).ok()
}
