//! How long a cache may keep a response, for `Cache-Control` over HTTPS (RFC 8484 §5.1).

use super::header::HEADER_LEN;
use super::query::{RecordAt, question_len};

/// The smallest TTL of the records in a response of this server, in seconds. `None` if it has no
/// record besides the OPT record: then no cache may keep it.
///
/// All sections count: in a negative response, the TTL of the SOA record is the negative TTL.
pub fn smallest_ttl(response: &[u8]) -> Option<u32> {
    let head = response.first_chunk::<HEADER_LEN>()?;
    let count = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let mut at = HEADER_LEN;
    for _ in 0..count(4) {
        at += question_len(&response[at..])?;
    }
    let mut smallest = None;
    for _ in 0..usize::from(count(6)) + usize::from(count(8)) + usize::from(count(10)) {
        let record = RecordAt::read(response, at)?;
        if !record.is_opt() {
            smallest = Some(smallest.unwrap_or(u32::MAX).min(record.ttl()));
        }
        at = record.end;
    }
    smallest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A response for the root with these records: types and TTLs.
    fn response(records: &[(u8, u32)]) -> Vec<u8> {
        let mut out = vec![0, 0, 0x80, 0, 0, 1, 0, records.len() as u8, 0, 0, 0, 0, 0, 0, 1, 0, 1];
        for (rtype, ttl) in records {
            out.extend([0, 0, *rtype, 0, 1]);
            out.extend(ttl.to_be_bytes());
            out.extend([0, 1, 7]);
        }
        out
    }

    #[test]
    fn the_smallest_ttl_leaves_out_the_opt_record() {
        assert_eq!(smallest_ttl(&response(&[(1, 300), (1, 5), (16, 60), (41, 0)])), Some(5));
        assert_eq!(smallest_ttl(&response(&[(41, 3)])), None);
        assert_eq!(smallest_ttl(&response(&[])), None);
    }

    #[test]
    fn a_response_that_is_cut_has_no_ttl() {
        let whole = response(&[(1, 300), (1, 5)]);
        for len in 0..whole.len() {
            assert_eq!(smallest_ttl(&whole[..len]), None, "{len}");
        }
    }
}
