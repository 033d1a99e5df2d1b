//! The adapter for programs that embed evenkeel in a server of hickory-server, behind the cargo
//! feature `hickory`.
//!
//! evenkeel's own listeners do not use it. hickory parses each request before the adapter sees it,
//! and writes each response itself:
//!
//! - hickory responds itself to messages that it cannot parse.
//! - Responses have the same records as those of evenkeel, but names are compressed less. So a UDP
//!   response near the size limit can be truncated.
//! - Responses are not padded, and have no edns-tcp-keepalive.
//! - hickory-server decides how many connections it accepts.
//!
//! ```text
//! let mut server = hickory_server::Server::new(Handler::new(current, counters.worker(Protocol::Udp)));
//! server.register_socket(socket);
//! ```
//!
//! `examples/hickory.rs` is a whole program.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use hickory_proto::op::{Header, HeaderCounts, Message, MessageType, Metadata, ResponseCode};
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tracing::{debug, error};

use evenkeel_core::counters::WorkerCounters;
use evenkeel_core::respond::{Client, Responder, Sender, Transport};
use evenkeel_core::snapshot::CurrentSnapshot;

use crate::clock;

/// Answers the requests of a hickory server from the current snapshot.
#[derive(Debug)]
pub struct Handler {
    current: CurrentSnapshot,
    /// A query of hickory-server costs far more than a lock.
    responder: Mutex<Responder>,
}

impl Handler {
    /// A handler that counts its responses in `counters`.
    pub fn new(current: CurrentSnapshot, counters: WorkerCounters) -> Self {
        Self { current, responder: Mutex::new(Responder::new(counters)) }
    }

    /// The response of evenkeel, if the request gets one.
    fn respond(&self, request: &Request) -> Option<Message> {
        let transport = if request.protocol() == Protocol::Udp { Transport::Udp } else { Transport::Tcp(None) };
        let mut out = Vec::new();
        // Counters stay valid after a panic, so lock poisoning is ignored.
        let mut responder = self.responder.lock().unwrap_or_else(PoisonError::into_inner);
        let client = Client { address: request.src().ip(), now: clock::now() };
        let sender = Sender { transport, client: Some(client) };
        if !responder.respond(request.as_slice(), sender, &self.current.load(), &mut out) {
            return None;
        }
        drop(responder);
        Some(Message::from_vec(&out).unwrap_or_else(|error| {
            error!("hickory cannot read a response of evenkeel, SERVFAIL is sent instead: {error}");
            Message::error_msg(request.metadata.id, request.metadata.op_code, ResponseCode::ServFail)
        }))
    }
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut client: R) -> ResponseInfo {
        let Some(message) = self.respond(request) else {
            // hickory drops the messages that get no response before they come here.
            return not_sent(request);
        };
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &message.edns {
            builder.edns(edns);
        }
        let response =
            builder.build(message.metadata, &message.answers, &message.authorities, [], &message.additionals);
        client.send_response(response).await.unwrap_or_else(|error| {
            debug!("cannot send a response to {}: {error}", request.src());
            not_sent(request)
        })
    }
}

/// What hickory gets if no response was sent.
fn not_sent(request: &Request) -> ResponseInfo {
    let mut metadata = Metadata::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
    metadata.response_code = ResponseCode::ServFail;
    ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use arc_swap::ArcSwap;
    use hickory_proto::rr::Record;
    use hickory_proto::serialize::binary::BinEncoder;
    use hickory_server::net::NetError;
    use hickory_server::net::runtime::TokioTime;
    use hickory_server::zone_handler::MessageResponse;

    use evenkeel_core::counters::{Counters, NodeNumbers, Protocol as CountedProtocol};
    use evenkeel_core::diagnostic::{Diagnostics, Source};
    use evenkeel_core::name::Name;
    use evenkeel_core::snapshot::{Snapshot, SnapshotConfig};
    use evenkeel_core::zone::{NoIncludes, Zones, load};

    use super::*;

    const ZONE: &str = "@ 300 SOA ns1 hostmaster 1 3600 900 604800 5\n@ 300 NS ns1\nns1 300 A 192.0.2.1\n";

    fn current() -> CurrentSnapshot {
        let mut diagnostics = Diagnostics::default();
        let apex = Name::parse("lb.example").unwrap();
        let zone = load(Source::from_text("z", ZONE), Path::new("z"), &apex, &NoIncludes, &mut diagnostics).unwrap();
        let config = SnapshotConfig::new(Zones::new(vec![zone]), None, NodeNumbers::default());
        Arc::new(ArcSwap::from_pointee(Snapshot { generation: 1, config: Arc::new(config), pools: Vec::new() }))
    }

    /// Keeps the message that hickory writes.
    #[derive(Clone, Default)]
    struct Sent(Arc<Mutex<Vec<u8>>>);

    #[async_trait]
    impl ResponseHandler for Sent {
        async fn send_response<'a>(
            &mut self,
            response: MessageResponse<
                '_,
                'a,
                impl Iterator<Item = &'a Record> + Send + 'a,
                impl Iterator<Item = &'a Record> + Send + 'a,
                impl Iterator<Item = &'a Record> + Send + 'a,
                impl Iterator<Item = &'a Record> + Send + 'a,
            >,
        ) -> Result<ResponseInfo, NetError> {
            let mut out = self.0.lock().unwrap();
            Ok(response.destructive_emit(&mut BinEncoder::new(&mut out))?)
        }
    }

    #[tokio::test]
    async fn responses_have_the_records_of_the_responder() {
        let handler = Handler::new(current(), Counters::default().worker(CountedProtocol::Udp));
        let mut responder = Responder::new(Counters::default().worker(CountedProtocol::Udp));
        for (name, rtype) in
            [("\x03ns1\x02lb\x07example\0", 1), ("\x02no\x02lb\x07example\0", 1), ("\x02lb\x07example\0", 2)]
        {
            let edns = [0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 0];
            let query = [&[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1], name.as_bytes(), &[0, rtype, 0, 1], &edns].concat();
            let mut expected = Vec::new();
            assert!(responder.respond(&query, Transport::Udp, &current().load(), &mut expected));
            let request = Request::from_bytes(query, ([192, 0, 2, 9], 5353).into(), Protocol::Udp).unwrap();
            let sent = Sent::default();
            handler.handle_request::<_, TokioTime>(&request, sent.clone()).await;
            let sent = Message::from_vec(&sent.0.lock().unwrap()).unwrap();
            assert_eq!(sent, Message::from_vec(&expected).unwrap(), "{name:?}");
        }
    }
}
