//! The OPT record (RFC 6891), with the options that evenkeel supports: NSID (RFC 5001), client
//! subnet (RFC 7871), cookies (RFC 7873), extended errors (RFC 8914), keepalive (RFC 7828) and
//! padding (RFC 7830).
//!
//! The parser reads the OPT record of a query, the encoder writes that of the response. A response
//! has an option only if the query has it and [`ResponseOptions`] allow it; extended errors need
//! only an OPT record.

use std::time::Duration;

use super::extended_error::{EXTENDED_ERROR, ExtendedError};

/// Largest UDP response in bytes, and the size that responses offer. With its headers, it fits into
/// 1,280 bytes, the smallest MTU of IPv6.
pub const MAX_UDP: u16 = 1232;

/// Largest UDP response to a query without EDNS, in bytes (RFC 1035 §4.2.1).
pub const PLAIN_UDP: u16 = 512;

/// Option code of NSID.
const NSID: u16 = 3;

/// Option code of the client subnet.
const CLIENT_SUBNET: u16 = 8;

/// Option code of cookies.
const COOKIE: u16 = 10;

/// Option code of edns-tcp-keepalive.
const KEEPALIVE: u16 = 11;

/// Option code of padding.
const PADDING: u16 = 12;

/// Length of an OPT record without options, in bytes.
const EMPTY_LEN: usize = 11;

/// Length of an option without data, in bytes.
const OPTION_HEAD: usize = 4;

/// The length of a padded response is a multiple of this, in bytes (RFC 8467 §4.1).
const PADDED_BLOCK: usize = 468;

/// The options that a response can have, besides those that echo the query.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseOptions<'s> {
    /// The identifier of the server.
    pub nsid: Option<&'s [u8]>,
    /// The cookie for the client; only if the query has one.
    pub cookie: Option<Cookie>,
    /// Why there is no answer.
    pub extended_error: Option<ExtendedError>,
    /// How long a connection over TCP or TLS can be idle.
    pub keepalive: Option<Keepalive>,
    /// Pads the response. For encrypted transports only: padding hides the length of a message
    /// that an observer cannot read.
    pub padding: bool,
}

/// The cookie of a query (RFC 7873 §4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueryCookie<'p> {
    /// Chosen by the client.
    pub client: [u8; 8],
    /// What the client got from a server: 8 to 32 bytes, or none.
    pub server: &'p [u8],
}

impl<'p> QueryCookie<'p> {
    /// Reads a COOKIE option. Returns `None` if it has another length (RFC 7873 §5.2.2).
    fn parse(data: &'p [u8]) -> Option<Self> {
        let (client, server) = data.split_first_chunk()?;
        matches!(server.len(), 0 | 8..=32).then_some(Self { client: *client, server })
    }
}

/// The cookie of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cookie {
    /// As in the query.
    pub client: [u8; 8],
    /// What the client has to send next.
    pub server: [u8; 16],
}

impl Cookie {
    /// Length of both parts, in bytes.
    const LEN: usize = 24;
}

/// The idle timeout of a connection, as edns-tcp-keepalive gives it: in units of 100 ms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keepalive(u16);

impl Keepalive {
    /// A timeout in units of 100 ms.
    pub const fn from_tenths(tenths: u16) -> Self {
        Self(tenths)
    }
}

impl From<Duration> for Keepalive {
    /// Rounds down, and limits the timeout to 6,553.5 s.
    fn from(idle_timeout: Duration) -> Self {
        Self((idle_timeout.as_millis() / 100).try_into().unwrap_or(u16::MAX))
    }
}

/// The OPT record of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Edns<'p> {
    /// Largest UDP payload that the client accepts, in bytes.
    pub udp_size: u16,
    /// The EDNS version; only 0 exists.
    pub version: u8,
    /// The DO bit (RFC 3225).
    pub dnssec_ok: bool,
    /// The client asks for the identifier of the server.
    pub wants_nsid: bool,
    /// The cookie of the client.
    pub cookie: Option<QueryCookie<'p>>,
    /// The client asks for the idle timeout of the connection.
    pub wants_keepalive: bool,
    /// The client has padded the query, and wants a padded response.
    pub wants_padding: bool,
    /// Data of a well-formed client subnet option: family, source prefix length, scope prefix
    /// length, address.
    pub client_subnet: Option<&'p [u8]>,
}

/// Why an OPT record is malformed.
pub(super) enum EdnsError<'p> {
    /// The options do not fill the rdata exactly.
    Overrun,
    /// A client subnet or a cookie is malformed. The response can use the rest of the OPT record.
    BadOption(Edns<'p>),
}

impl<'p> Edns<'p> {
    /// Reads an OPT record: the ten bytes after its owner name, and its rdata.
    pub(super) fn parse(fixed: &[u8; 10], mut options: &'p [u8]) -> Result<Self, EdnsError<'p>> {
        let [_, _, size_high, size_low, _, version, flags_high, ..] = *fixed;
        let mut edns = Self {
            udp_size: u16::from_be_bytes([size_high, size_low]),
            version,
            dnssec_ok: flags_high & 0x80 != 0,
            ..Self::default()
        };
        let mut bad_option = false;
        while let Some((head, rest)) = options.split_first_chunk::<4>() {
            let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let (data, rest) = rest.split_at_checked(len).ok_or(EdnsError::Overrun)?;
            options = rest;
            match u16::from_be_bytes([head[0], head[1]]) {
                NSID => edns.wants_nsid = true,
                // Only the first one counts (RFC 7873 §5.2).
                COOKIE if edns.cookie.is_none() => {
                    edns.cookie = QueryCookie::parse(data);
                    bad_option |= edns.cookie.is_none();
                }
                KEEPALIVE => edns.wants_keepalive = true,
                PADDING => edns.wants_padding = true,
                CLIENT_SUBNET if is_client_subnet(data) => edns.client_subnet = Some(data),
                CLIENT_SUBNET => bad_option = true,
                _ => {} // RFC 6891 §6.1.2: unknown options are ignored.
            }
        }
        if !options.is_empty() {
            return Err(EdnsError::Overrun);
        }
        // Options are only known for version 0. Another version gets BADVERS in any case.
        if bad_option && version == 0 { Err(EdnsError::BadOption(edns)) } else { Ok(edns) }
    }

    /// Largest response to this client over UDP, in bytes.
    pub fn udp_limit(&self) -> u16 {
        self.udp_size.clamp(PLAIN_UDP, MAX_UDP)
    }

    /// The options of the response to this query.
    fn granted<'s>(&self, options: &ResponseOptions<'s>) -> ResponseOptions<'s> {
        ResponseOptions {
            nsid: options.nsid.filter(|_| self.wants_nsid),
            cookie: options.cookie,
            extended_error: options.extended_error,
            keepalive: options.keepalive.filter(|_| self.wants_keepalive),
            padding: options.padding && self.wants_padding,
        }
    }

    /// Length of the OPT record of the response, in bytes, with padding of length 0.
    pub(crate) fn response_len(&self, options: &ResponseOptions<'_>) -> usize {
        let granted = self.granted(options);
        let option = |data: Option<usize>| data.map_or(0, |len| OPTION_HEAD + len);
        EMPTY_LEN
            + option(granted.nsid.map(<[u8]>::len))
            + option(granted.cookie.map(|_| Cookie::LEN))
            + option(granted.extended_error.map(ExtendedError::len))
            + option(granted.keepalive.map(|_| 2))
            + option(self.client_subnet.map(<[u8]>::len))
            + option(granted.padding.then_some(0))
    }

    /// Writes the OPT record at the end of the response. DO is copied (RFC 3225 §3), other flags
    /// are clear.
    pub(super) fn write_response(&self, rcode_high: u8, options: &ResponseOptions<'_>, out: &mut Vec<u8>) {
        let granted = self.granted(options);
        let opt_len = self.response_len(options);
        let padding = if granted.padding { padding_after(out.len() + opt_len) } else { 0 };
        out.extend([0, 0, 41]);
        out.extend(MAX_UDP.to_be_bytes());
        out.extend([rcode_high, 0, if self.dnssec_ok { 0x80 } else { 0 }, 0]);
        out.extend(((opt_len - EMPTY_LEN + padding) as u16).to_be_bytes());
        if let Some(error) = granted.extended_error {
            out.extend(EXTENDED_ERROR.to_be_bytes());
            out.extend((error.len() as u16).to_be_bytes());
            error.write(out);
        }
        let mut option = |code: u16, data: &[u8]| {
            out.extend(code.to_be_bytes());
            out.extend((data.len() as u16).to_be_bytes());
            out.extend(data);
        };
        if let Some(id) = granted.nsid {
            option(NSID, id);
        }
        if let Some(Cookie { client, server }) = granted.cookie {
            let mut cookie = [0; Cookie::LEN];
            cookie[..8].copy_from_slice(&client);
            cookie[8..].copy_from_slice(&server);
            option(COOKIE, &cookie);
        }
        if let Some(Keepalive(timeout)) = granted.keepalive {
            option(KEEPALIVE, &timeout.to_be_bytes());
        }
        if granted.padding {
            option(PADDING, &[0; PADDED_BLOCK][..padding]);
        }
        if let Some(subnet) = self.client_subnet {
            // No answer depends on the subnet, so the scope prefix length is 0 (RFC 7871 §7.2.1).
            // It is 0 in the query already, see `is_client_subnet`.
            option(CLIENT_SUBNET, subnet);
        }
    }
}

/// Bytes of padding for a response that has this length without them (RFC 8467 §4.1). The longest
/// possible message ends the last block.
fn padding_after(len: usize) -> usize {
    len.next_multiple_of(PADDED_BLOCK).min(usize::from(u16::MAX)).saturating_sub(len)
}

/// Returns true if the data is a client subnet option that a query may have (RFC 7871 §6).
///
/// The scope prefix length is 0, the address has exactly the bytes that the source prefix needs,
/// and no bits after the prefix are set. `dig +subnet=0` sends family 0 with an empty prefix.
fn is_client_subnet(data: &[u8]) -> bool {
    let Some((&[family_high, family_low, prefix, scope], address)) = data.split_first_chunk::<4>() else {
        return false;
    };
    let longest = match u16::from_be_bytes([family_high, family_low]) {
        0 => 0,
        1 => 32,
        2 => 128,
        _ => return false,
    };
    let unused_bits = address.len() * 8 - usize::from(prefix).min(address.len() * 8);
    prefix <= longest
        && scope == 0
        && address.len() == usize::from(prefix).div_ceil(8)
        && address.last().is_none_or(|last| u32::from(*last).trailing_zeros() >= unused_bits as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_fills_a_block_up_to_the_longest_message() {
        assert_eq!([1, 467, 468, 469, 936].map(padding_after), [467, 1, 0, 467, 0]);
        assert_eq!([65_520, 65_521, 65_535].map(padding_after), [0, 14, 0]);
    }

    #[test]
    fn the_keepalive_of_a_long_timeout_is_limited() {
        let keepalive = |secs| Keepalive::from(Duration::from_secs(secs));
        assert_eq!((keepalive(10), keepalive(100_000)), (Keepalive(100), Keepalive(u16::MAX)));
    }

    #[test]
    fn a_client_subnet_is_exactly_as_long_as_its_prefix() {
        let good: [&[u8]; 6] = [
            &[0, 0, 0, 0],
            &[0, 1, 0, 0],
            &[0, 1, 24, 0, 192, 0, 2],
            &[0, 1, 20, 0, 192, 0, 0x20],
            &[0, 2, 56, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0],
            &[0, 1, 32, 0, 0, 0, 0, 0],
        ];
        let bad: [&[u8]; 9] = [
            &[],
            &[0, 1, 24],
            &[0, 1, 24, 0, 192, 0],
            &[0, 1, 24, 0, 192, 0, 2, 1],
            &[0, 1, 20, 0, 192, 0, 0x21],
            &[0, 1, 33, 0, 1, 1, 1, 1, 0],
            &[0, 1, 24, 24, 192, 0, 2],
            &[0, 3, 8, 0, 1],
            &[0, 0, 8, 0, 1],
        ];
        assert!(good.iter().all(|data| is_client_subnet(data)));
        for data in bad {
            assert!(!is_client_subnet(data), "{data:?}");
        }
    }
}
