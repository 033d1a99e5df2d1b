//! Fields of hexadecimal groups: EUI48, EUI64 (RFC 7043), and the 64-bit values of NID and L64 (RFC
//! 6742).

use super::encoded::hex_bytes;
use super::field::Field;
use super::rdata_error::RdataError;
use super::words::Words;

/// `xx-xx-xx-xx-xx-xx`.
pub(super) const EUI48: Field =
    Field::new(|words, out| read(words, out, "an address, as 00-00-5e-00-53-2a", "-", 2, 6), |_| Some(6));

/// `xx-xx-xx-xx-xx-xx-xx-xx`.
pub(super) const EUI64: Field =
    Field::new(|words, out| read(words, out, "an address, as 00-00-5e-ef-10-00-00-2a", "-", 2, 8), |_| Some(8));

/// `xxxx:xxxx:xxxx:xxxx`, with leading zeros left out.
pub(super) const LOCATOR: Field =
    Field::new(|words, out| read(words, out, "four groups of digits, as 2001:db8:1140:1000", ":", 4, 8), |_| Some(8));

/// Reads `len` bytes in groups of hexadecimal digits.
fn read(
    words: &mut Words<'_, '_>,
    out: &mut Vec<u8>,
    what: &str,
    separator: &str,
    digits: usize,
    len: usize,
) -> Result<(), RdataError> {
    // The octets of addresses have both digits (RFC 7043 §3.2).
    let is_group = |group: &str| group.len() == digits || (separator == ":" && (1..digits).contains(&group.len()));
    let bytes = words.parse(what, |word| {
        let groups: Vec<&str> = word.split(separator).collect();
        let are_groups = groups.iter().all(|group| is_group(group)) && groups.len() * digits == len * 2;
        let all: String = groups.iter().map(|group| format!("{group:0>digits$}")).collect();
        are_groups.then(|| hex_bytes(all.as_bytes()))?
    })?;
    out.extend(bytes);
    Ok(())
}
