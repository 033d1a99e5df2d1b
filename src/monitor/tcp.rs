//! Monitor kind `tcp`: connects, optionally over TLS, and optionally exchanges one message each
//! way.

use std::net::SocketAddr;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::outcome::ProbeError;
use super::pattern::Pattern;
use super::stream::{Tls, beginning, connect, read_until};
use crate::tls::TlsClient;

/// Bytes that are read of a reply.
const REPLY_LIMIT: usize = 64 * 1024;

/// What a TCP probe sends and expects.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpCheck {
    /// TCP port.
    pub port: u16,
    /// None for plain TCP.
    pub tls: Option<TlsClient>,
    /// Sent once connected.
    pub send: Vec<u8>,
    /// What the reply must match. Without it, a connection is a success.
    pub expect: Option<Pattern>,
}

/// Connects to a port.
pub(super) struct Probe {
    check: TcpCheck,
    to: SocketAddr,
    tls: Option<Tls>,
}

impl Probe {
    /// Prepares a probe, with TLS if it is configured.
    ///
    /// # Errors
    /// No certificate can be for the host; the message names the host.
    pub(super) fn new(check: &TcpCheck, to: SocketAddr, host: &str) -> Result<Self, String> {
        let tls = Tls::prepare(check.tls.as_ref(), host)?;
        Ok(Self { check: check.clone(), to, tls })
    }

    pub(super) async fn run(&self) -> Result<ProbeSuccess, ProbeError> {
        let stream = connect(self.to).await?;
        match &self.tls {
            None => self.exchange(stream).await,
            Some(tls) => self.exchange(tls.connect(stream).await?).await,
        }
    }

    async fn exchange(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<ProbeSuccess, ProbeError> {
        stream.write_all(&self.check.send).await?;
        stream.flush().await?;
        if let Some(expected) = &self.check.expect {
            let reply = read_until(&mut stream, REPLY_LIMIT, |reply| expected.0.is_match(reply)).await?;
            if !expected.0.is_match(&reply) {
                let mismatch = |shown: &str| format!("replied {shown}, which does not match {}", expected.0);
                let failure = match &reply[..] {
                    [] => ProbeFailure::Connection(mismatch("nothing")),
                    reply => ProbeFailure::Reply(mismatch(&format!("\"{}\"", beginning(reply)))),
                };
                return Err(failure.into());
            }
        }
        Ok(ProbeSuccess::FULL_WEIGHT)
    }
}
