//! The keys of SVCB parameters, by name and number.

use super::super::period::decimal;

/// Keys and the names of their parameters (IANA registry).
const KEYS: &[(&str, u16)] = &[
    ("mandatory", MANDATORY),
    ("alpn", ALPN),
    ("no-default-alpn", NO_DEFAULT_ALPN),
    ("port", 3),
    ("ipv4hint", 4),
    ("ech", 5),
    ("ipv6hint", 6),
    ("dohpath", 7),
    ("ohttp", 8),
    ("tls-supported-groups", 9),
];

pub(super) const MANDATORY: u16 = 0;
pub(super) const ALPN: u16 = 1;
pub(super) const NO_DEFAULT_ALPN: u16 = 2;

/// Key 65535 is reserved and never valid (RFC 9460 §14.3.2).
pub(super) const INVALID_KEY: u16 = u16::MAX;

/// The number of a key that is written by name or as `keyNNNNN`.
pub(super) fn key_number(name: &str) -> Option<u16> {
    let known = KEYS.iter().find(|(known, _)| *known == name).map(|&(_, key)| key);
    let numbered = || {
        let digits = name.strip_prefix("key")?;
        decimal(digits).filter(|key: &u16| key.to_string() == digits && *key != INVALID_KEY)
    };
    known.or_else(numbered)
}

/// The name of a key, for messages.
pub(super) fn key_name(key: u16) -> String {
    let known = KEYS.iter().find(|(_, known)| *known == key);
    known.map_or_else(|| format!("key{key}"), |(name, _)| (*name).to_owned())
}

/// The names of all keys that have one, for messages.
pub(super) fn names() -> String {
    KEYS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
