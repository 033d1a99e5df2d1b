//! `host` of a pool: the name in the Host header, and the name that TLS verifies.

use std::sync::Arc;

use evenkeel_core::name::Name;
use rustls::pki_types::ServerName;
use toml::de::DeValue;

use super::names::DefinedName;
use super::section::Section;
use super::value::{Unaccepted, as_str};
use crate::monitor::MonitorKind;
use crate::pool_config::PoolConfig;
use crate::role_action::RoleAction;

/// Hint for a host that TLS cannot verify.
const CERTIFIED: &str = "the name that the certificates of the nodes hold";

/// Returns `host`, or else the one shared name that uses the pool. `users` are all of these names.
pub(super) fn read(section: &Section<'_>, config: &PoolConfig, users: &[&DefinedName]) -> Option<Arc<str>> {
    let pool = &config.pool.name;
    let actions = || config.actions.nominate.iter().chain(&config.actions.demote);
    let over_https =
        config.all_monitors().any(|monitor| matches!(&monitor.kind, MonitorKind::Http(check) if check.tls.is_some()))
            || actions().any(RoleAction::is_over_tls);
    if let Some(given) = section.read("host", host) {
        if over_https && !can_be_certified(given.value) {
            let message = format!("`host` cannot be \"{}\" with a request over https", given.value);
            section.report.error(given.span, message, CERTIFIED);
        }
        return Some(given.value.trim_end_matches('.').into());
    }
    let ambiguity = match users {
        [only] if only.owner.is_wildcard() => Some("a wildcard uses it"),
        [] | [_] => None,
        _ => Some("several names use it"),
    };
    if let Some(why) = ambiguity {
        let needs_host = config.all_monitors().next().is_some() || actions().next().is_some();
        if needs_host && section.span_of("host").is_none() {
            let message = format!("pool \"{pool}\" needs a `host` for its probes: {why}");
            section.report.error(section.span.clone(), message, "the name that the nodes expect in the Host header");
        }
        return None;
    }
    let only = users.first()?.owner.to_string();
    if over_https && !can_be_certified(&only) {
        let message =
            format!("pool \"{pool}\" needs a `host` for its requests over https: no certificate is for {only}");
        section.report.error(section.span.clone(), message, CERTIFIED);
    }
    Some(only.into())
}

/// A host name without a port.
fn host<'a>(value: &'a DeValue<'a>) -> Result<&'a str, Unaccepted> {
    let host = as_str(value)?;
    // Letters, digits and hyphens (RFC 1123 §2.1), and underscores, which are in use.
    let is_accepted = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if host != "." && host.bytes().all(is_accepted) && Name::parse(host).is_ok() {
        return Ok(host);
    }
    let (message, hint) = (format!("cannot be \"{host}\""), "accepted: a host name without a port".to_owned());
    Err(Unaccepted { message, hint })
}

/// Returns true if a certificate can be for this name.
fn can_be_certified(host: &str) -> bool {
    matches!(ServerName::try_from(host.trim_end_matches('.')), Ok(ServerName::DnsName(_)))
}
