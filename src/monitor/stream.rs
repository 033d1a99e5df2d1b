//! Shared by the monitor kinds over TCP: connecting, TLS, and reading a bounded reply.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::outcome::ProbeError;
use crate::tls::TlsClient;

/// TLS to one host.
pub(super) struct Tls {
    connector: TlsConnector,
    /// The name that the certificate must be for.
    name: ServerName<'static>,
}

impl Tls {
    /// Prepares TLS. Returns none if the check has no TLS client.
    ///
    /// # Errors
    /// No certificate can be for the host; the message names the host.
    pub(super) fn prepare(client: Option<&TlsClient>, host: &str) -> Result<Option<Self>, String> {
        let Some(client) = client else { return Ok(None) };
        // Without a host, the name is the address. An IPv6 address has brackets here.
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| format!("{host}: {error}"))?;
        Ok(Some(Self { connector: TlsConnector::from(Arc::clone(client.config())), name }))
    }

    /// Does the handshake.
    pub(super) async fn connect(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, ProbeError> {
        let connected = self.connector.connect(self.name.clone(), stream).await;
        connected.map_err(|error| ProbeError::handshake(&error))
    }
}

/// Connects. Small messages are sent without delay (`TCP_NODELAY`).
pub(super) async fn connect(to: SocketAddr) -> Result<TcpStream, ProbeError> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads until `is_enough`, the end of the stream, or `limit` bytes.
pub(super) async fn read_until(
    stream: &mut (impl AsyncRead + Unpin),
    limit: usize,
    is_enough: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>, ProbeError> {
    let mut reply = Vec::new();
    let mut stream = stream.take(limit as u64);
    while !is_enough(&reply) && stream.read_buf(&mut reply).await? > 0 {}
    Ok(reply)
}

/// The beginning of a reply, escaped, for messages.
pub(super) fn beginning(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(reply);
    text.trim().chars().take(60).flat_map(char::escape_debug).collect()
}
