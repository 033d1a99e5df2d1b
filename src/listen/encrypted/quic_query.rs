//! Reads what the stream of a QUIC connection holds as a query (RFC 9250 §4.2), without I/O.

use evenkeel_core::message::parse;

/// The client breaks a rule of DNS over QUIC, which ends the connection (RFC 9250 §4.3.3).
#[derive(Debug, PartialEq)]
pub(super) struct ProtocolError;

/// Reads the whole content of a stream: the length of the message in two bytes, and the message.
///
/// # Errors
/// - The length is wrong: the stream ends early, or holds more than one query.
/// - The identifier of the message is not 0 (RFC 9250 §4.2.1).
/// - The message has the option edns-tcp-keepalive (RFC 9250 §5.5.2).
pub(super) fn read(content: &[u8]) -> Result<&[u8], ProtocolError> {
    let (len, message) = content.split_first_chunk::<2>().ok_or(ProtocolError)?;
    let has_id = message.get(..2).is_some_and(|id| id != [0, 0]);
    if usize::from(u16::from_be_bytes(*len)) != message.len() || has_id {
        return Err(ProtocolError);
    }
    let wants_keepalive = parse(message).edns().is_some_and(|edns| edns.wants_keepalive);
    if wants_keepalive { Err(ProtocolError) } else { Ok(message) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A query for the root with an identifier and EDNS options, with its length before it.
    fn framed(id: u8, options: &[u8]) -> Vec<u8> {
        let mut message = vec![0, id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1];
        message.extend([0, 0, 41, 4, 0, 0, 0, 0, 0, 0, options.len() as u8]);
        message.extend(options);
        [&(message.len() as u16).to_be_bytes(), message.as_slice()].concat()
    }

    #[test]
    fn a_stream_holds_one_query_without_identifier_and_keepalive() {
        let good = framed(0, &[0, 3, 0, 0]);
        assert_eq!(read(&good), Ok(&good[2..]));
        assert_eq!(read(&framed(1, &[])), Err(ProtocolError));
        assert_eq!(read(&framed(0, &[0, 11, 0, 0])), Err(ProtocolError));
        assert_eq!(read(&[good.clone(), good.clone()].concat()), Err(ProtocolError));
        for len in 0..good.len() {
            assert_eq!(read(&good[..len]), Err(ProtocolError), "{len}");
        }
    }

    proptest! {
        #[test]
        fn no_content_causes_a_panic(content in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(message) = read(&content) {
                prop_assert_eq!(message, &content[2..]);
            }
        }
    }
}
