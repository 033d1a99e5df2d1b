//! Laws of responses: what must hold of each one, and of both transports' responses together.

use evenkeel_core::message::{HEADER_LEN, Keepalive, MAX_UDP, PLAIN_UDP, Received, is_truncated, parse, truncate};
use evenkeel_core::respond::Transport;
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use hickory_proto::serialize::binary::DecodeError;

/// A query for a name in wire format, with an OPT record if `with_edns` is set.
pub fn question(name: &[u8], qtype: u16, with_edns: bool) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(with_edns)];
    packet.extend(name);
    packet.extend(qtype.to_be_bytes());
    packet.extend([0, 1]);
    if with_edns {
        packet.extend([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    }
    packet
}

/// A stream whose responses can have every option.
pub const STREAM: Transport = Transport::Tls(Keepalive::from_tenths(100));

/// Checks one response: it can be decoded, keeps its limit, and repeats what it must of the packet.
pub fn check_response(packet: &[u8], transport: Transport, response: &[u8]) -> Message {
    let message =
        decode(response).unwrap_or_else(|error| panic!("{error}\npacket   {packet:02x?}\nresponse {response:02x?}"));
    assert!(packet.len() >= HEADER_LEN && packet[2] & 0x80 == 0, "a response to no query: {packet:02x?}");
    assert_eq!(response[..2], packet[..2], "the ID");
    // QR is set, opcode and RD are copied.
    assert_eq!(response[2] & 0xf9, packet[2] & 0x79 | 0x80, "the flags of {packet:02x?}");
    // RA, Z and AD are clear, CD is copied.
    assert_eq!(response[3] & 0xf0, packet[3] & 0x10, "the flags of {packet:02x?}");
    let (question, edns) = match parse(packet) {
        Received::Ignored => panic!("a response to an ignored packet: {packet:02x?}"),
        Received::Rejected(rejection) => {
            let sections = [&message.answers, &message.authorities, &message.additionals];
            assert!(sections.iter().all(|section| section.is_empty()), "records for a rejected packet: {message}");
            (rejection.question, rejection.edns)
        }
        Received::Query(query) | Received::ServerQuery(query) => (Some(query.question.raw), query.edns),
    };
    let question = question.unwrap_or_default();
    assert_eq!(message.queries.len(), usize::from(!question.is_empty()), "{message}");
    assert!(response[HEADER_LEN..].starts_with(question), "the question of {packet:02x?}: {response:02x?}");
    assert_eq!(message.edns.is_some(), edns.is_some(), "OPT for OPT (RFC 6891): {message}");
    let limit = match transport {
        Transport::Udp => edns.map_or(PLAIN_UDP, |edns| edns.udp_limit().min(MAX_UDP)),
        Transport::Tcp(_) | Transport::Tls(_) | Transport::HttpsOrQuic => u16::MAX,
    };
    assert!(response.len() <= usize::from(limit), "{} bytes, of at most {limit}", response.len());
    check_shortened(response, &message);
    message
}

/// Checks the form that is sent if the network does not take the response: the same without
/// records.
fn check_shortened(response: &[u8], message: &Message) {
    let Some(short) = truncate(response) else {
        return assert!(message.queries.is_empty(), "{message}");
    };
    assert!(is_truncated(&short));
    let mut expected = message.clone();
    expected.metadata.truncation = true;
    expected.answers.clear();
    expected.authorities.clear();
    expected.additionals.clear();
    assert_eq!(decode(&short).expect("a shortened response can be decoded"), expected);
}

/// Decodes a response with hickory. hickory rejects a client subnet of family 0, but the command
/// `dig +subnet=0` sends it and the server echoes it. So this function changes the family to 1
/// first.
fn decode(response: &[u8]) -> Result<Message, DecodeError> {
    const FAMILY_0: &[u8] = &[0, 8, 0, 4, 0, 0, 0, 0];
    let mut response = response.to_vec();
    if response.ends_with(FAMILY_0) {
        let family = response.len() - 3;
        response[family] = 1;
    }
    Message::from_vec(&response)
}

/// Checks the responses over both transports, from the same draw, against each other.
pub fn check_both(udp: &Message, stream: &Message) {
    let shown = || format!("over UDP: {udp}\nover a stream: {stream}");
    let rcodes = [udp, stream].map(|message| (message.metadata.response_code, message.metadata.authoritative));
    assert_eq!(rcodes[0], rcodes[1], "{}", shown());
    assert!(!stream.metadata.truncation, "{}", shown());
    // Sections are written in order until one record set does not fit.
    assert!(stream.answers.starts_with(&udp.answers), "{}", shown());
    assert!(stream.authorities.starts_with(&udp.authorities), "{}", shown());
    let is_glue_whole = udp.additionals.len() == stream.additionals.len();
    let is_whole = udp.answers.len() == stream.answers.len() && udp.authorities.len() == stream.authorities.len();
    if udp.metadata.truncation {
        assert!(!is_whole || !is_glue_whole, "TC, but nothing is missing: {}", shown());
    } else if !is_whole {
        // Only drawn addresses may be cut without TC, if at least one of them is there.
        let is_address = |kind| matches!(kind, RecordType::A | RecordType::AAAA);
        let cut = &stream.answers[udp.answers.len()..];
        let last = udp.answers.last().unwrap_or_else(|| panic!("an empty answer without TC: {}", shown()));
        assert!(cut.iter().all(|record| is_address(record.record_type())), "{}", shown());
        assert_eq!((&last.name, last.record_type()), (&cut[0].name, cut[0].record_type()), "{}", shown());
    }
}
