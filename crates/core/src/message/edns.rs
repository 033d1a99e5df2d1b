//! The OPT record (RFC 6891), with the options that evenkeel supports: NSID (RFC 5001) and client
//! subnet (RFC 7871).
//!
//! The parser reads the OPT record of a query, the encoder writes that of the response.

/// Largest UDP response in bytes, and the size that responses offer. With its headers, it fits into
/// 1,280 bytes, the smallest MTU of IPv6.
pub const MAX_UDP: u16 = 1232;

/// Largest UDP response to a query without EDNS, in bytes (RFC 1035 §4.2.1).
pub const PLAIN_UDP: u16 = 512;

/// Option code of NSID.
const NSID: u16 = 3;

/// Option code of the client subnet.
const CLIENT_SUBNET: u16 = 8;

/// Length of an OPT record without options, in bytes.
const EMPTY_LEN: usize = 11;

/// The OPT record of a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edns<'p> {
    /// Largest UDP payload that the client accepts, in bytes.
    pub udp_size: u16,
    /// The EDNS version; only 0 exists.
    pub version: u8,
    /// The DO bit (RFC 3225).
    pub dnssec_ok: bool,
    /// The client asks for the identifier of the server.
    pub wants_nsid: bool,
    /// Data of a well-formed client subnet option: family, source prefix length, scope prefix
    /// length, address.
    pub client_subnet: Option<&'p [u8]>,
}

/// Why an OPT record is malformed.
pub(super) enum EdnsError<'p> {
    /// The options do not fill the rdata exactly.
    Overrun,
    /// A client subnet option is malformed. The response can use the rest of the OPT record.
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
            wants_nsid: false,
            client_subnet: None,
        };
        let mut bad_option = false;
        while let Some((head, rest)) = options.split_first_chunk::<4>() {
            let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let (data, rest) = rest.split_at_checked(len).ok_or(EdnsError::Overrun)?;
            options = rest;
            match u16::from_be_bytes([head[0], head[1]]) {
                NSID => edns.wants_nsid = true,
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

    /// Length of the OPT record of the response, in bytes.
    pub(crate) fn response_len(&self, nsid: Option<&[u8]>) -> usize {
        let nsid = nsid.filter(|_| self.wants_nsid).map_or(0, |id| 4 + id.len());
        EMPTY_LEN + nsid + self.client_subnet.map_or(0, |subnet| 4 + subnet.len())
    }

    /// Writes the OPT record of the response. DO is copied (RFC 3225 §3), other flags are clear.
    pub(super) fn write_response(&self, rcode_high: u8, nsid: Option<&[u8]>, out: &mut Vec<u8>) {
        let options_len = self.response_len(nsid) - EMPTY_LEN;
        out.extend([0, 0, 41]);
        out.extend(MAX_UDP.to_be_bytes());
        out.extend([rcode_high, 0, if self.dnssec_ok { 0x80 } else { 0 }, 0]);
        out.extend((options_len as u16).to_be_bytes());
        let mut option = |code: u16, data: &[u8]| {
            out.extend(code.to_be_bytes());
            out.extend((data.len() as u16).to_be_bytes());
            out.extend(data);
        };
        if let Some(id) = nsid.filter(|_| self.wants_nsid) {
            option(NSID, id);
        }
        if let Some(subnet) = self.client_subnet {
            // No answer depends on the subnet, so the scope prefix length is 0 (RFC 7871 §7.2.1).
            // It is 0 in the query already, see `is_client_subnet`.
            option(CLIENT_SUBNET, subnet);
        }
    }
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
