//! TTLs: how they are read, and the TTL of records that have none.

use super::entries::Token;
use super::period::parse_period;
use super::problems::{Kind, Problems};
use crate::diagnostic::{Diagnostic, Source};

/// Longest TTL, in seconds (RFC 2181 §8).
pub(super) const MAX_TTL: u32 = i32::MAX as u32;

/// Reads a TTL in seconds. A larger one than [`MAX_TTL`] counts as 0 (RFC 2181 §8).
pub(super) fn read_ttl(source: &Source, token: &Token<'_>, problems: &mut Problems) -> Result<u32, Diagnostic> {
    let word = std::str::from_utf8(token.text).ok().filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let ttl = word.and_then(parse_period).filter(|_| !token.quoted).ok_or_else(|| {
        source
            .error(token.span(), "not a TTL")
            .with_hint(format!("seconds up to {MAX_TTL}, or with units: 5s, 1h30m, 2d"))
    })?;
    if ttl <= MAX_TTL {
        return Ok(ttl);
    }
    problems.warn(Kind::LargeTtl, || {
        let warning = source.warning(token.span(), format!("a TTL above {MAX_TTL} seconds counts as 0"));
        warning.with_hint("RFC 2181 §8")
    });
    Ok(0)
}

/// MINIMUM: the last four bytes of the SOA rdata (RFC 1035 §3.3.13), as a TTL.
pub(super) fn soa_minimum(rdata: &[u8]) -> Option<u32> {
    rdata.last_chunk().map(|minimum| u32::from_be_bytes(*minimum)).map(|ttl| if ttl > MAX_TTL { 0 } else { ttl })
}
