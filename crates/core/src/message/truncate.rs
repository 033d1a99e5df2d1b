//! Truncation of a response that the operating system cannot send as one packet.
//!
//! The UDP listener calls [`truncate`] if the network accepts no packet of that size (RFC 9715 R4).
//! The client then asks again over TCP.

use super::header::{HEADER_LEN, Header};
use super::query::{RecordAt, question_len};

/// The TC bit in the third byte of the header.
const TC: u8 = (Header::TC >> 8) as u8;

/// Keeps the header, the question and the OPT record of a response, and sets TC.
///
/// Returns `None` if the response has no question.
pub fn truncate(response: &[u8]) -> Option<Vec<u8>> {
    let (head, body) = response.split_first_chunk::<HEADER_LEN>()?;
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    if word(4) != 1 {
        return None;
    }
    let after_question = HEADER_LEN + question_len(body)?;
    // The encoder writes one OPT record, after all records of the answer.
    let mut opt: &[u8] = &[];
    let mut at = after_question;
    for _ in 0..[6, 8, 10].into_iter().map(word).map(u32::from).sum::<u32>() {
        let record = RecordAt::read(response, at)?;
        if record.is_opt() {
            opt = &response[at..record.end];
        }
        at = record.end;
    }
    let mut short = [&response[..after_question], opt].concat();
    short[2] |= TC;
    short[6..HEADER_LEN].copy_from_slice(&[0, 0, 0, 0, 0, u8::from(!opt.is_empty())]);
    Some(short)
}

/// Returns true if a response has TC set.
pub fn is_truncated(response: &[u8]) -> bool {
    response.get(2).is_some_and(|flags| flags & TC != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_without_a_question_cannot_be_truncated() {
        let not_implemented = [0, 1, 0xa0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
        let malformed = [0, 1, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(truncate(&not_implemented), None);
        assert_eq!(truncate(&malformed), None);
        assert_eq!(truncate(&malformed[..11]), None);
    }

    #[test]
    fn the_extended_rcode_and_the_options_are_kept() {
        // BADVERS, with a client subnet.
        let question = [0, 0, 1, 0, 1];
        let opt = [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 8, 0, 8, 0, 4, 0, 1, 0, 0];
        let response = [&[0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 1], &question[..], &opt].concat();
        let short = truncate(&response).expect("the response has a question");
        assert_eq!(short[2], 0x82);
        assert_eq!((&short[..2], &short[3..]), (&response[..2], &response[3..]));
        assert!(is_truncated(&short) && !is_truncated(&response));
    }
}
