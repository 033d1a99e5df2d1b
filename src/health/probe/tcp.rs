//! TCP probes: connect, perhaps over TLS, perhaps with a word each way.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{Broken, Failure, Passed, Tls, connect, read_until, shown, tls};
use crate::health::TcpCheck;

/// Bytes of a reply that are read.
const LIMIT: usize = 64 * 1024;

pub(super) struct Probe {
    check: TcpCheck,
    to: SocketAddr,
    tls: Option<Tls>,
}

impl Probe {
    /// # Errors
    /// The host is none that a certificate could be for.
    pub(super) fn new(check: &TcpCheck, to: SocketAddr, host: &str) -> Result<Self, String> {
        let tls = tls(check.tls.as_ref(), host)?;
        Ok(Self { check: check.clone(), to, tls })
    }

    pub(super) async fn attempt(&self) -> Result<Passed, Broken> {
        let stream = connect(self.to).await?;
        match &self.tls {
            None => self.converse(stream).await,
            Some((connector, name)) => self.converse(connector.connect(name.clone(), stream).await?).await,
        }
    }

    async fn converse(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Passed, Broken> {
        stream.write_all(&self.check.send).await?;
        stream.flush().await?;
        if let Some(expected) = &self.check.expect {
            let reply = read_until(&mut stream, LIMIT, |reply| expected.0.is_match(reply)).await?;
            if !expected.0.is_match(&reply) {
                let unlike = |said: &str| format!("replied {said}, which does not match {}", expected.0);
                let failure = match &reply[..] {
                    [] => Failure::Connection(unlike("nothing")),
                    reply => Failure::Reply(unlike(&format!("\"{}\"", shown(reply)))),
                };
                return Err(failure.into());
            }
        }
        Ok(Passed::FULLY)
    }
}
