//! The adapter between the listeners of hickory-server and the responder.
//!
//! hickory parses each request before the adapter sees it, and writes each response itself. The
//! answers are the same as over UDP and TCP: the adapter gives the raw request to the responder,
//! and only parses the response again for hickory.

use async_trait::async_trait;
use hickory_proto::op::{Header, HeaderCounts, Message, MessageType, Metadata, ResponseCode};
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tracing::{debug, error};

use super::stream_responder::StreamResponder;
use evenkeel_core::snapshot::CurrentSnapshot;

/// Answers the requests of hickory's listeners.
pub(super) struct Handler {
    pub(super) current: CurrentSnapshot,
    pub(super) responder: StreamResponder,
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut client: R) -> ResponseInfo {
        let mut out = Vec::new();
        if !self.responder.respond(request.as_slice(), &self.current.load(), &mut out) {
            // hickory drops the messages that get no response before they come here.
            return not_sent(request);
        }
        let message = Message::from_vec(&out).unwrap_or_else(|error| {
            error!("hickory cannot read a response of this server, SERVFAIL is sent instead: {error}");
            Message::error_msg(request.metadata.id, request.metadata.op_code, ResponseCode::ServFail)
        });
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
