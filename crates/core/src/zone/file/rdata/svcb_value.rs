//! The values of SVCB parameters: text to wire format, and the check of the wire format.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::super::period::decimal;
use super::encoded::base64;
use super::field::text_len;
use super::svcb_key::{MANDATORY, key_number};

/// The kind of a value.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Value {
    /// Keys in ascending order (RFC 9460 §8).
    Keys,
    /// Character strings (RFC 9460 §7.1).
    Protocols,
    /// No value.
    Nothing,
    Port,
    V4,
    Base64,
    V6,
    /// A URI template with the variable `dns` (RFC 9461 §5).
    Path,
    /// Numbers of TLS groups.
    Groups,
    /// Any bytes.
    Opaque,
}

/// The kind of value of a key.
pub(super) fn value_of(key: u16) -> Value {
    match key {
        MANDATORY => Value::Keys,
        1 => Value::Protocols,
        2 | 8 => Value::Nothing,
        3 => Value::Port,
        4 => Value::V4,
        5 => Value::Base64,
        6 => Value::V6,
        7 => Value::Path,
        9 => Value::Groups,
        _ => Value::Opaque,
    }
}

impl Value {
    /// What is expected, for messages.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Keys => "different keys other than mandatory, separated by commas",
            Self::Protocols => "protocol names of 1 to 255 bytes, separated by commas",
            Self::Nothing => "no value",
            Self::Port => "a number from 0 to 65535",
            Self::V4 => "IPv4 addresses, separated by commas",
            Self::Base64 => "base64 data",
            Self::V6 => "IPv6 addresses, separated by commas",
            Self::Path => "a path with the variable dns, as /dns-query{?dns}",
            Self::Groups => "different numbers of groups, separated by commas",
            Self::Opaque => "a value of at most 65,535 bytes",
        }
    }

    /// Reads the text after the equals sign, whose escapes are resolved.
    ///
    /// # Errors
    /// The description of what is expected.
    pub(super) fn read(self, text: Option<Vec<u8>>) -> Result<Vec<u8>, &'static str> {
        let wire = match (self, text) {
            (Self::Nothing, None) => Some(Vec::new()),
            (Self::Opaque, text) => Some(text.unwrap_or_default()),
            (Self::Nothing, Some(_)) | (_, None) => None,
            (Self::Protocols, Some(text)) => protocols(&text),
            (Self::Path, Some(text)) => Some(text),
            (Self::Base64, Some(text)) => base64(&text),
            (_, Some(text)) => std::str::from_utf8(&text).ok().and_then(|text| self.read_items(text)),
        };
        wire.ok_or_else(|| self.description())
    }

    /// Reads items that are separated by commas.
    fn read_items(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Keys => {
                let mut keys = text.split(',').map(key_number).collect::<Option<Vec<u16>>>()?;
                keys.sort_unstable();
                Some(keys.iter().flat_map(|key| key.to_be_bytes()).collect())
            }
            Self::Port => decimal::<u16>(text).map(|port| port.to_be_bytes().to_vec()),
            Self::V4 => items::<Ipv4Addr>(text).map(|list| list.iter().flat_map(Ipv4Addr::octets).collect()),
            Self::V6 => items::<Ipv6Addr>(text).map(|list| list.iter().flat_map(Ipv6Addr::octets).collect()),
            Self::Groups => {
                let groups = text.split(',').map(decimal::<u16>).collect::<Option<Vec<u16>>>()?;
                Some(groups.iter().flat_map(|group| group.to_be_bytes()).collect())
            }
            Self::Protocols | Self::Nothing | Self::Base64 | Self::Path | Self::Opaque => None,
        }
    }

    /// Returns true if the bytes are the wire format of such a value.
    pub(super) fn is_valid(self, wire: &[u8]) -> bool {
        let numbers = || wire.chunks(2).map(|number| u16::from_be_bytes([number[0], *number.get(1).unwrap_or(&0)]));
        let are_whole = |len| !wire.is_empty() && wire.len().is_multiple_of(len);
        match self {
            Self::Keys => are_whole(2) && numbers().is_sorted_by(|a, b| a < b) && numbers().all(|key| key != MANDATORY),
            Self::Protocols => !wire.is_empty() && are_protocols(wire),
            Self::Nothing => wire.is_empty(),
            Self::Port => wire.len() == 2,
            Self::V4 => are_whole(4),
            Self::Base64 => !wire.is_empty(),
            Self::V6 => are_whole(16),
            Self::Path => std::str::from_utf8(wire).is_ok_and(|path| path.starts_with('/') && path.contains("dns")),
            Self::Groups => {
                let mut groups: Vec<u16> = numbers().collect();
                groups.sort_unstable();
                are_whole(2) && groups.windows(2).all(|pair| pair[0] != pair[1])
            }
            Self::Opaque => true,
        }
    }
}

/// Parses items that are separated by commas.
fn items<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').map(|item| item.parse().ok()).collect()
}

/// Protocol names, separated by commas. A backslash keeps the special meaning from a comma or a
/// backslash in a name (RFC 9460 appendix A.1).
fn protocols(text: &[u8]) -> Option<Vec<u8>> {
    let mut names = vec![Vec::new()];
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        match byte {
            b',' => names.push(Vec::new()),
            b'\\' => names.last_mut()?.push(*rest.next().filter(|&next| b"\\,".contains(next))?),
            byte => names.last_mut()?.push(byte),
        }
    }
    let mut wire = Vec::new();
    for name in names {
        wire.push(u8::try_from(name.len()).ok()?);
        wire.extend(name);
    }
    Some(wire)
}

/// Returns true if the bytes are character strings that are not empty.
fn are_protocols(mut wire: &[u8]) -> bool {
    while let Some(len) = text_len(wire) {
        match wire.get(len..) {
            Some(rest) if len > 1 => wire = rest,
            _ => return false,
        }
    }
    true
}
