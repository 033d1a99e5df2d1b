//! DNS over HTTPS (RFC 8484), over HTTP/1.1 and HTTP/2.
//!
//! A connection ends after the idle timeout without a response with a DNS message, whatever else it
//! sends or reads. Refused requests do not count.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::http_query::{self, HttpQuery, Refusal};
use super::http_response;
use super::limits::{MAX_QUERY, MAX_STREAMS};
use super::read_budget::{Budgeted, ReadBudget};
use super::tls::handshake;

use crate::config::TcpLimits;
use crate::listen::accept::accept;
use crate::listen::connection_budget::ListenerShare;
use crate::listen::last_response::LastResponse;
use crate::listen::stream_connection::FIRST_QUERY;
use crate::listen::stream_responder::StreamResponder;

/// Longest head of a request, in bytes: a query of the longest length in its URI, and headers.
const MAX_HEAD: u32 = 16 * 1024;

/// Flow control window of an HTTP/2 connection, in bytes: the smallest that it can have (RFC 9113
/// §6.9.2).
const CONNECTION_WINDOW: u32 = 65_535;

/// Response bytes of one stream that wait for the client, in bytes. A longer response waits in its
/// own buffer.
const SEND_BUFFER: usize = 16 * 1024;

/// Streams that the client may reset before they are answered, and streams that the server resets
/// for errors of the client, before the connection ends.
const MAX_RESETS: usize = 32;

/// The rest of a refused body that is read, in bytes, and for how long.
const MAX_DRAINED: usize = 64 * 1024;
const DRAIN: Duration = Duration::from_secs(1);

/// How long a connection may take to end once the server asks for it.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// A listener of DNS over HTTPS; cheap to clone.
#[derive(Clone)]
pub(super) struct HttpsListener {
    pub(super) tls: Arc<ServerConfig>,
    /// The path of queries.
    pub(super) path: Arc<str>,
    pub(super) responder: StreamResponder,
    pub(super) limits: TcpLimits,
}

impl HttpsListener {
    /// Accepts and answers until `stop`. Then answers the queries that have arrived, and returns.
    pub(super) async fn serve(self, listener: TcpListener, share: ListenerShare, stop: CancellationToken) {
        accept(listener, share, stop.clone(), |stream, client, last_response| {
            let listener = Self { responder: self.responder.for_client(client), ..self.clone() };
            listener.serve_connection(stream, last_response, stop.clone())
        })
        .await;
    }

    async fn serve_connection(self, stream: TcpStream, last_response: LastResponse, stop: CancellationToken) {
        // The option saves a delay; a socket without it works, too.
        let _ = stream.set_nodelay(true);
        let budget = ReadBudget::new();
        let stream = Budgeted::new(stream, budget.clone());
        let Some(stream) = handshake(Arc::clone(&self.tls), stream, self.limits, &stop).await else {
            return;
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let stream = TokioIo::new(stream);
        let exchange = Exchange { listener: self.clone(), last_response: last_response.clone(), budget };
        let service = service_fn(move |request| {
            let exchange = exchange.clone();
            async move { Ok::<_, Infallible>(exchange.respond(request).await) }
        });
        let run = Run { last_response, limits: self.limits, stop };
        if is_http2 {
            run.until_end(http2_settings().serve_connection(stream, service), http2::Connection::graceful_shutdown)
                .await;
        } else {
            let settings = self.http1_settings();
            run.until_end(settings.serve_connection(stream, service), http1::Connection::graceful_shutdown).await;
        }
    }

    fn http1_settings(&self) -> http1::Builder {
        let mut settings = http1::Builder::new();
        settings
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle_timeout)
            .max_buf_size(MAX_HEAD as usize)
            .max_headers(64);
        settings
    }
}

fn http2_settings() -> http2::Builder<TokioExecutor> {
    let mut settings = http2::Builder::new(TokioExecutor::new());
    settings
        .timer(TokioTimer::new())
        .max_concurrent_streams(u32::from(MAX_STREAMS))
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(MAX_QUERY as u32)
        .max_header_list_size(MAX_HEAD)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS);
    settings
}

/// Runs one connection to its end.
struct Run {
    last_response: LastResponse,
    limits: TcpLimits,
    stop: CancellationToken,
}

impl Run {
    /// Runs a connection until it ends, is idle, or the listener stops. In the last case, a client
    /// that has just connected gets some time for its first query.
    async fn until_end<C: Future>(self, connection: C, begin_shutdown: fn(Pin<&mut C>)) {
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.last_response.idle_for(self.limits.idle_timeout) => {}
            () = self.stop.cancelled() => {
                if self.last_response.is_none() && timeout(FIRST_QUERY, connection.as_mut()).await.is_ok() {
                    return;
                }
            }
        }
        begin_shutdown(connection.as_mut());
        // Requests in progress get their responses.
        let _ = timeout(SHUTDOWN, connection).await;
    }
}

/// The exchanges of one connection; cheap to clone.
#[derive(Clone)]
struct Exchange {
    listener: HttpsListener,
    last_response: LastResponse,
    budget: ReadBudget,
}

impl Exchange {
    async fn respond(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, mut body) = request.into_parts();
        let outcome = match http_query::read(&head, &self.listener.path) {
            Ok(HttpQuery::InHead(message)) => Ok(Bytes::from(message)),
            Ok(HttpQuery::InBody) => self.read_body(&mut body).await,
            Err(refusal) => Err(refusal),
        };
        let answer = outcome.and_then(|message| {
            let mut out = Vec::new();
            if self.listener.responder.respond(&message, &mut out) { Ok(out) } else { Err(Refusal::BAD_MESSAGE) }
        });
        match answer {
            Ok(message) => {
                self.last_response.set_now();
                self.budget.refill();
                http_response::answer(message, &head.method)
            }
            Err(refusal) => {
                // Closing a connection with unread bytes resets it, and the client loses the reason.
                let _ = timeout(DRAIN, Limited::new(body, MAX_DRAINED).collect()).await;
                http_response::refusal(refusal, &head.method)
            }
        }
    }

    async fn read_body(&self, body: &mut Incoming) -> Result<Bytes, Refusal> {
        let whole = timeout(self.listener.limits.idle_timeout, Limited::new(body, MAX_QUERY).collect()).await;
        match whole.map_err(|_| Refusal::TOO_SLOW)? {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Refusal::TOO_LARGE),
            Err(_) => Err(Refusal::BROKEN_BODY),
        }
    }
}
