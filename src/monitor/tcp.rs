//! TCP probes: connect, perhaps over TLS, perhaps with a word each way.

use std::net::SocketAddr;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::outcome::Broken;
use super::pattern::Pattern;
use super::stream::{Tls, beginning, connect, read_until};
use crate::tls::TlsClient;

/// Bytes of a reply that are read.
const LIMIT: usize = 64 * 1024;

/// What a TCP probe sends and expects.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpCheck {
    /// TCP port.
    pub port: u16,
    /// Spoken over TLS.
    pub tls: Option<TlsClient>,
    /// Sent once connected.
    pub send: Vec<u8>,
    /// What the reply must match; without it, being connected is enough.
    pub expect: Option<Pattern>,
}

/// Connects to a port.
pub(super) struct Probe {
    check: TcpCheck,
    to: SocketAddr,
    tls: Option<Tls>,
}

impl Probe {
    /// # Errors
    /// The host is none that a certificate could be for.
    pub(super) fn new(check: &TcpCheck, to: SocketAddr, host: &str) -> Result<Self, String> {
        let tls = Tls::prepare(check.tls.as_ref(), host)?;
        Ok(Self { check: check.clone(), to, tls })
    }

    pub(super) async fn run(&self) -> Result<ProbeSuccess, Broken> {
        let stream = connect(self.to).await?;
        match &self.tls {
            None => self.converse(stream).await,
            Some(tls) => self.converse(tls.connect(stream).await?).await,
        }
    }

    async fn converse(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<ProbeSuccess, Broken> {
        stream.write_all(&self.check.send).await?;
        stream.flush().await?;
        if let Some(expected) = &self.check.expect {
            let reply = read_until(&mut stream, LIMIT, |reply| expected.0.is_match(reply)).await?;
            if !expected.0.is_match(&reply) {
                let unlike = |said: &str| format!("replied {said}, which does not match {}", expected.0);
                let failure = match &reply[..] {
                    [] => ProbeFailure::Connection(unlike("nothing")),
                    reply => ProbeFailure::Reply(unlike(&format!("\"{}\"", beginning(reply)))),
                };
                return Err(failure.into());
            }
        }
        Ok(ProbeSuccess::FULL_WEIGHT)
    }
}
