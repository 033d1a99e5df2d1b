//! TCP probes: connect, perhaps over TLS, perhaps with a word each way.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::{Broken, Failure, Passed, connect, read_until, shown};
use crate::health::TcpCheck;

/// Bytes of a reply that are read.
const LIMIT: usize = 64 * 1024;

pub(super) struct Probe {
    check: TcpCheck,
    to: SocketAddr,
    host: Arc<str>,
}

impl Probe {
    pub(super) fn new(check: &TcpCheck, to: SocketAddr, host: &str) -> Self {
        Self { check: check.clone(), to, host: host.into() }
    }

    pub(super) async fn attempt(&self) -> Result<Passed, Broken> {
        let stream = connect(self.to).await?;
        match &self.check.tls {
            None => self.converse(stream).await,
            Some(tls) => {
                // A host that is no name is the address itself, when a pool has neither.
                let name = ServerName::try_from(self.host.trim_matches(['[', ']']).to_owned());
                let name = name.map_err(|error| Broken::Machine(format!("{}: {error}", self.host)))?;
                self.converse(TlsConnector::from(Arc::clone(tls.config())).connect(name, stream).await?).await
            }
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
