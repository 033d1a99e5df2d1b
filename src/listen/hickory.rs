//! The adapter for the encrypted transports: hickory-server's [`RequestHandler`] on top of [`super::Responder`].
//!
//! hickory has parsed the request before it comes here, and it writes the response itself; what is answered is the
//! same as on UDP and TCP, because the raw request goes through the same code and the bytes that come out are only
//! taken apart again.

use async_trait::async_trait;
use hickory_proto::op::{Header, HeaderCounts, Message, MessageType, Metadata, ResponseCode};
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tracing::{debug, error};

use super::shared_responder::SharedResponder;
use evenkeel_core::snapshot::CurrentSnapshot;

/// Answers the requests of hickory's listeners.
pub(super) struct Handler {
    pub(super) current: CurrentSnapshot,
    pub(super) responder: SharedResponder,
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut client: R) -> ResponseInfo {
        let mut out = Vec::new();
        let answered = self.responder.respond(request.as_slice(), &self.current.load(), &mut out);
        if !answered {
            return failure(request); // to nothing that gets here, but then there is nothing to say
        }
        let message = Message::from_vec(&out).unwrap_or_else(|error| {
            error!("hickory cannot read an answer of ours, SERVFAIL is sent instead: {error}");
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
            failure(request)
        })
    }
}

/// What hickory is told when nothing was sent.
fn failure(request: &Request) -> ResponseInfo {
    let mut metadata = Metadata::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
    metadata.response_code = ResponseCode::ServFail;
    ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
}
