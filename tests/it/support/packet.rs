//! Queries as bytes, and responses as hickory decodes them: an independent reader of what was encoded.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record};

/// EDNS payload size of the queries.
const PAYLOAD: u16 = 1232;

/// A query with EDNS and the given header flags; the name in presentation format.
pub(crate) fn query(id: u16, flags: u16, name: &str, rtype: u16) -> Vec<u8> {
    let mut packet = plain_query(id, flags, name, rtype);
    packet[11] = 1;
    packet.extend([0, 0, 41]);
    packet.extend(PAYLOAD.to_be_bytes());
    packet.extend([0; 6]);
    packet
}

/// A query without EDNS.
pub(crate) fn plain_query(id: u16, flags: u16, name: &str, rtype: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    for word in [id, flags, 1, 0, 0, 0] {
        packet.extend(word.to_be_bytes());
    }
    let wire = evenkeel_core::name::parse_wire(name.as_bytes(), None).expect("the test's name is one");
    packet.extend(wire);
    packet.extend(rtype.to_be_bytes());
    packet.extend([0, 1]);
    packet
}

/// A UDP client of one server.
pub(crate) struct Client {
    socket: UdpSocket,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).expect("a client socket");
        socket.connect(server).expect("a route to loopback");
        Self { socket }
    }

    /// Sends bytes and gives what comes back within a second, or nothing.
    pub(crate) fn exchange(&self, packet: &[u8]) -> Option<Vec<u8>> {
        self.exchange_within(packet, Duration::from_secs(1))
    }

    pub(crate) fn exchange_within(&self, packet: &[u8], wait: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(wait)).expect("a timeout above zero");
        self.socket.send(packet).ok()?;
        let mut buffer = vec![0; 65_535];
        loop {
            let len = self.socket.recv(&mut buffer).ok()?;
            // Answers to packets of before, whose wait was over, are not for this one.
            if packet.len() < 2 || packet[..2] == buffer[..2] {
                buffer.truncate(len);
                return Some(buffer);
            }
        }
    }

    /// Sends bytes, whatever comes of them.
    pub(crate) fn send(&self, packet: &[u8]) {
        self.socket.send(packet).expect("a route to loopback");
    }

    /// The next packet that comes within a second, or nothing.
    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout above zero");
        let mut buffer = vec![0; 65_535];
        let len = self.socket.recv(&mut buffer).ok()?;
        buffer.truncate(len);
        Some(buffer)
    }

    /// Asks with EDNS, as often as needed until there is an answer.
    pub(crate) fn ask(&self, name: &str, rtype: u16) -> Message {
        self.ask_with(0, name, rtype)
    }

    /// The same of a resolver: with RD.
    pub(crate) fn ask_recursive(&self, name: &str, rtype: u16) -> Message {
        self.ask_with(0x0100, name, rtype)
    }

    fn ask_with(&self, flags: u16, name: &str, rtype: u16) -> Message {
        let packet = query(fastrand::u16(..), flags, name, rtype);
        for _ in 0..20 {
            if let Some(response) = self.exchange(&packet) {
                return Message::from_vec(&response).expect("a response that can be decoded");
            }
        }
        panic!("no answer to {name} {rtype}");
    }
}

/// Sends messages over one TCP connection and reads as many answers.
pub(crate) fn over_tcp(server: SocketAddr, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut stream = TcpStream::connect(server).expect("a TCP connection");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout above zero");
    let framed: Vec<u8> = messages.iter().flat_map(|m| framed(m)).collect();
    stream.write_all(&framed).expect("the server reads");
    messages.iter().map(|_| read_framed(&mut stream).expect("an answer over TCP")).collect()
}

/// A client over TCP that takes no answers: it has asked until the server stopped reading.
pub(crate) fn stalled(server: SocketAddr, name: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).expect("a TCP connection");
    stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a timeout above zero");
    let queries: Vec<u8> = (0..1000).flat_map(|i| framed(&query(i, 0, name, 255))).collect();
    while stream.write(&queries).is_ok() {}
    stream
}

/// A message with its length before it.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = (message.len() as u16).to_be_bytes().to_vec();
    out.extend(message);
    out
}

/// Reads one message with its length before it.
pub(crate) fn read_framed(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// What two servers must agree on.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Essence {
    pub(crate) rcode: ResponseCode,
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    pub(crate) answers: BTreeSet<String>,
    pub(crate) authority: BTreeSet<String>,
    /// Glue; the additional section of other answers is a courtesy and left out.
    pub(crate) glue: BTreeSet<String>,
}

/// Records as comparable text; letter case may differ by compression.
pub(crate) fn texts(records: &[Record]) -> BTreeSet<String> {
    records.iter().map(|record| format!("{record:?}").to_lowercase()).collect()
}

impl From<&Message> for Essence {
    fn from(message: &Message) -> Self {
        let truncated = message.metadata.truncation;
        // What a truncated response holds is for the server to choose; the client asks again over TCP.
        let records = |records: &[Record]| if truncated { BTreeSet::new() } else { texts(records) };
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

/// The IPv4 addresses of an answer, in its order.
pub(crate) fn v4(message: &Message) -> Vec<Ipv4Addr> {
    let address = |data: &RData| if let RData::A(a) = data { Some(a.0) } else { None };
    message.answers.iter().filter_map(|record| address(&record.data)).collect()
}
