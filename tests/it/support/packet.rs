//! Queries as bytes, and responses as hickory decodes them.
//!
//! evenkeel encodes responses itself, so hickory is an independent reader of them.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record};

use super::WAIT_LIMIT;

/// UDP payload size in the OPT record of queries.
const PAYLOAD: u16 = 1232;

/// A query with an OPT record and these header flags; the name is in presentation format.
pub(crate) fn query(id: u16, flags: u16, name: &str, rtype: u16) -> Vec<u8> {
    let mut packet = plain_query(id, flags, name, rtype);
    packet[11] = 1;
    packet.extend([0, 0, 41]);
    packet.extend(PAYLOAD.to_be_bytes());
    packet.extend([0; 6]);
    packet
}

/// A query without an OPT record.
pub(crate) fn plain_query(id: u16, flags: u16, name: &str, rtype: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    for word in [id, flags, 1, 0, 0, 0] {
        packet.extend(word.to_be_bytes());
    }
    let wire = evenkeel_core::name::parse_wire(name.as_bytes(), None).expect("the test uses valid names");
    packet.extend(wire);
    packet.extend(rtype.to_be_bytes());
    packet.extend([0, 1]);
    packet
}

/// A UDP client of one server, with one socket.
pub(crate) struct UdpClient {
    socket: UdpSocket,
}

impl UdpClient {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).expect("the system has a free port");
        socket.connect(server).expect("loopback has a route");
        Self { socket }
    }

    /// Sends a packet; returns the response, or `None` after five seconds.
    pub(crate) fn exchange(&self, packet: &[u8]) -> Option<Vec<u8>> {
        self.exchange_within(packet, Duration::from_secs(5))
    }

    /// Sends a packet; returns the response, or `None` after this time.
    pub(crate) fn exchange_within(&self, packet: &[u8], timeout: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(timeout)).expect("the timeout is above zero");
        self.socket.send(packet).ok()?;
        let mut buffer = vec![0; 65_535];
        loop {
            let len = self.socket.recv(&mut buffer).ok()?;
            // A late response to an earlier packet is skipped.
            if packet.len() < 2 || packet[..2] == buffer[..2] {
                buffer.truncate(len);
                return Some(buffer);
            }
        }
    }

    /// Sends a packet without waiting for a response.
    pub(crate) fn send(&self, packet: &[u8]) {
        self.socket.send(packet).expect("loopback has a route");
    }

    /// Returns the next packet that arrives.
    pub(crate) fn receive(&self) -> Vec<u8> {
        self.socket.set_read_timeout(Some(WAIT_LIMIT)).expect("the timeout is above zero");
        let mut buffer = vec![0; 65_535];
        let len = self.socket.recv(&mut buffer).expect("a packet arrives");
        buffer.truncate(len);
        buffer
    }

    /// Asks until a response arrives, at most 20 times.
    pub(crate) fn ask(&self, name: &str, rtype: u16) -> Message {
        self.ask_with(0, name, rtype)
    }

    /// Asks a resolver: as `ask`, with RD set.
    pub(crate) fn ask_recursive(&self, name: &str, rtype: u16) -> Message {
        self.ask_with(0x0100, name, rtype)
    }

    fn ask_with(&self, flags: u16, name: &str, rtype: u16) -> Message {
        let packet = query(fastrand::u16(..), flags, name, rtype);
        for _ in 0..20 {
            if let Some(response) = self.exchange(&packet) {
                return Message::from_vec(&response).expect("hickory decodes the response");
            }
        }
        panic!("no response to {name} {rtype}");
    }
}

/// Sends messages over one TCP connection, and reads one response per message.
pub(crate) fn over_tcp(server: SocketAddr, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut stream = TcpStream::connect(server).expect("the server accepts connections");
    stream.set_read_timeout(Some(WAIT_LIMIT)).expect("the timeout is above zero");
    let framed: Vec<u8> = messages.iter().flat_map(|m| framed(m)).collect();
    stream.write_all(&framed).expect("the server reads requests");
    messages.iter().map(|_| read_framed(&mut stream).expect("the server responds over TCP")).collect()
}

/// A TCP client that reads no responses. It has sent queries until the server stopped reading.
pub(crate) fn stalled_client(server: SocketAddr, name: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).expect("the server accepts connections");
    stream.set_write_timeout(Some(Duration::from_millis(300))).expect("the timeout is above zero");
    let queries: Vec<u8> = (0..1000).flat_map(|i| framed(&query(i, 0, name, 255))).collect();
    while stream.write(&queries).is_ok() {}
    stream
}

/// A message with the length prefix of DNS over TCP.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = (message.len() as u16).to_be_bytes().to_vec();
    out.extend(message);
    out
}

/// Reads one message with the length prefix of DNS over TCP.
pub(crate) fn read_framed(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// The parts of a response in which two servers must agree.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ComparableResponse {
    pub(crate) rcode: ResponseCode,
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    pub(crate) answers: BTreeSet<String>,
    pub(crate) authority: BTreeSet<String>,
    /// Additional records of referrals. Those of other responses are optional, so they are left
    /// out.
    pub(crate) glue: BTreeSet<String>,
}

/// Records as comparable text, in lower case: compression can change the letter case of names.
fn record_texts(records: &[Record]) -> BTreeSet<String> {
    records.iter().map(|record| format!("{record:?}").to_lowercase()).collect()
}

impl From<&Message> for ComparableResponse {
    fn from(message: &Message) -> Self {
        let truncated = message.metadata.truncation;
        // The records of a truncated response are up to the server; the client asks again over TCP.
        let records = |records: &[Record]| if truncated { BTreeSet::new() } else { record_texts(records) };
        let is_referral = !message.metadata.authoritative && !message.authorities.is_empty();
        let follows_referral = message.authorities.iter().any(|r| r.record_type() == hickory_proto::rr::RecordType::NS);
        Self {
            rcode: message.metadata.response_code,
            authoritative: message.metadata.authoritative,
            truncated,
            answers: records(&message.answers),
            authority: records(&message.authorities),
            glue: if is_referral || follows_referral { records(&message.additionals) } else { BTreeSet::new() },
        }
    }
}

/// The IPv4 addresses of a response, in their order.
pub(crate) fn ipv4_addresses(message: &Message) -> Vec<Ipv4Addr> {
    let address = |data: &RData| if let RData::A(a) = data { Some(a.0) } else { None };
    message.answers.iter().filter_map(|record| address(&record.data)).collect()
}
