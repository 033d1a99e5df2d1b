//! Sends the request of an HTTP probe and reads the response.
//!
//! A probe is one HTTP/1.1 connection of hyper, driven by the task of the target. A full HTTP
//! client would have a pool, redirects, proxies and tasks of its own. They cost more, and a probe
//! must see the node and nothing between.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;

use super::super::outcome::ProbeError;
use super::super::stream::{Tls, connect};
use super::{HttpCheck, request};
use crate::error_cause::innermost;

/// Longest idle time after which a connection is used again. Firewalls and NAT on the way drop
/// the state of idle connections, and neither end notices.
const MAX_IDLE: Duration = Duration::from_secs(90);

/// Longest wait for the rest of a body that is read only to keep its connection.
const DISCARD_TIMEOUT: Duration = Duration::from_millis(50);

/// A request to one address that is sent with every run.
pub(in crate::monitor) struct Probe {
    to: SocketAddr,
    tls: Option<Tls>,
    request: hyper::Request<Full<Bytes>>,
    check: HttpCheck,
    /// With `keep_alive`, the connection that stays open between probes, and the time of its last
    /// use. It is not polled between probes: if the node closes it, the next probe finds out.
    idle: Option<(Connection, Instant)>,
}

type Stream = tokio_util::either::Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection to a node.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Reads and writes while it is polled.
    driver: http1::Connection<TokioIo<Stream>, Full<Bytes>>,
}

/// The response of a node.
struct Response {
    status: u16,
    /// The part that the judgement needs.
    body: Vec<u8>,
    /// Nothing of the body is left to be read, so another response can follow on the connection.
    is_read_to_end: bool,
}

impl Probe {
    /// Prepares a request to an address under a host name.
    ///
    /// # Errors
    /// The host or the path cannot be part of a request.
    pub(in crate::monitor) fn new(check: &HttpCheck, to: SocketAddr, host: &str) -> Result<Self, String> {
        let tls = Tls::prepare(check.tls.as_ref(), host)?;
        let request = request::build(check, host, to.port())?;
        Ok(Self { to, tls, request, check: check.clone(), idle: None })
    }

    pub(in crate::monitor) async fn run(&mut self) -> Result<ProbeSuccess, ProbeError> {
        if let Some(connection) = self.take_idle().await {
            match self.exchange(connection).await {
                Ok(response) => return Ok(self.check.judge(response.status, &response.body)?),
                // The node may have closed the idle connection at this moment, which says nothing
                // about the node. So the request is sent again on a new connection, in two cases:
                // it was canceled before it was sent, or its method changes nothing.
                Err(error) if self.check.method.is_safe() || error.is_canceled() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let connection = self.connect().await?;
        let response = self.exchange(connection).await?;
        Ok(self.check.judge(response.status, &response.body)?)
    }

    async fn connect(&self) -> Result<Connection, ProbeError> {
        let stream = connect(self.to).await?;
        let stream = match &self.tls {
            None => Stream::Left(stream),
            Some(tls) => Stream::Right(Box::new(tls.connect(stream).await?)),
        };
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Connection { sender, driver })
    }

    /// The connection of the last probe, if it is still open and not idle for too long.
    async fn take_idle(&mut self) -> Option<Connection> {
        let (mut connection, since) = self.idle.take()?;
        // The driver is ready if the node has closed the connection.
        let is_open = futures_util::poll!(&mut connection.driver).is_pending();
        (is_open && connection.sender.is_ready() && since.elapsed() < MAX_IDLE).then_some(connection)
    }

    /// Sends the request, and reads the part of the response that the judgement needs.
    async fn exchange(&mut self, connection: Connection) -> hyper::Result<Response> {
        let Connection { mut sender, mut driver } = connection;
        let response = async {
            let response = sender.send_request(self.request.clone()).await?;
            let status = response.status().as_u16();
            let body = read_body(response.into_body(), self.check.body_limit);
            if self.check.needs_body(status) {
                let (body, is_read_to_end) = body.await?;
                return Ok(Response { status, body, is_read_to_end });
            }
            // The status decides alone. The body is read only because the connection cannot be used
            // again before; a body without an end changes nothing.
            let is_read_to_end = self.check.keep_alive
                && matches!(timeout(DISCARD_TIMEOUT, body).await, Ok(Ok((_, is_read_to_end))) if is_read_to_end);
            Ok(Response { status, body: Vec::new(), is_read_to_end })
        };
        let response = match select(pin!(response), &mut driver).await {
            Either::Left((response, _)) => response?,
            Either::Right((_, response)) => {
                // The connection has ended. hyper gives back a request that it has not sent only
                // once the driver is dropped.
                drop(driver);
                return response.await;
            }
        };
        if self.check.keep_alive && response.is_read_to_end && !sender.is_closed() {
            self.idle = Some((Connection { sender, driver }, Instant::now()));
        }
        Ok(response)
    }
}

/// Reads up to `limit` bytes of a body. The second value is true if nothing is left to be read.
async fn read_body(mut body: Incoming, limit: usize) -> hyper::Result<(Vec<u8>, bool)> {
    let mut read = Vec::new();
    while read.len() < limit {
        let Some(frame) = body.frame().await else { return Ok((read, true)) };
        let data = frame?.into_data().unwrap_or_default();
        read.extend_from_slice(&data[..data.len().min(limit - read.len())]);
    }
    Ok((read, body.is_end_stream()))
}

impl From<hyper::Error> for ProbeError {
    fn from(error: hyper::Error) -> Self {
        let cause = innermost(&error);
        match cause.downcast_ref::<io::Error>() {
            Some(error) => match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code).into(),
                None => io::Error::new(error.kind(), error.to_string()).into(),
            },
            None => Self::Failed(ProbeFailure::Connection(cause.to_string())),
        }
    }
}
