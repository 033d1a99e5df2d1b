//! Probes: one attempt of a monitor against one address. One file a kind.

mod agent;
mod exec;
mod http;
mod icap;
mod ping;
#[cfg(test)]
pub(super) mod script;
mod tcp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Kind;
use crate::cause::innermost;
use crate::program::Ended;
use crate::tls::TlsClient;

/// Why a probe failed; the text is the reason that users see.
#[derive(Clone, Debug, Eq, thiserror::Error, PartialEq)]
pub enum Failure {
    /// Nothing came in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection could not be made or broke.
    #[error("{0}")]
    Connection(String),
    /// Another status code than expected.
    #[error("status {0}")]
    Status(u16),
    /// The body is not what it must be.
    #[error("body {0}")]
    Body(String),
    /// A reply that is not what it must be.
    #[error("{0}")]
    Reply(String),
    /// The program says no.
    #[error(transparent)]
    Program(#[from] Ended),
    /// The agent takes the node out.
    #[error("agent says {0}")]
    Agent(String),
}

impl Failure {
    /// Whether the node answered the probe itself, only not well. Programs and agents judge by means that nobody sees
    /// here, and what they say counts.
    pub fn is_bad_answer(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Body(_) | Self::Reply(_))
    }
}

/// What a good probe found besides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Passed {
    /// Part of its weight that the node can carry, 1 to 100.
    pub percent: u8,
}

impl Passed {
    /// All of it.
    pub const FULLY: Self = Self { percent: 100 };
}

/// Why a probe says nothing about the node: this machine could not even try.
#[derive(Clone, Debug, Eq, thiserror::Error, PartialEq)]
#[error("this machine cannot probe: {0}")]
pub struct Untried(pub String);

/// What a probe found: a verdict, or nothing.
pub type Outcome = Result<Result<Passed, Failure>, Untried>;

/// Who is to blame for a probe that came to nothing.
#[derive(Debug)]
enum Broken {
    Node(Failure),
    Machine(String),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Node(failure)
    }
}

impl From<io::Error> for Broken {
    /// In the words of the system where it is one of its errors.
    fn from(error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            // No file descriptor, memory or process is left, or the kernel does not allow it.
            Some(
                own @ (Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOBUFS
                | Errno::ENOMEM
                | Errno::EACCES
                | Errno::EPERM
                | Errno::EAGAIN),
            ) => Self::Machine(own.desc().to_lowercase()),
            Some(errno) => Self::Node(Failure::Connection(errno.desc().to_lowercase())),
            // Errors of TLS come wrapped, this one with an address to read more at.
            None if error.to_string().starts_with("peer closed connection") => {
                Self::Node(Failure::Connection("connection closed before message completed".to_owned()))
            }
            None => Self::Node(Failure::Connection(innermost(&error).to_string())),
        }
    }
}

/// Prepares the probes of all kinds; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Prober {
    /// Takes the place of the network.
    #[cfg(test)]
    script: Option<Arc<script::Script>>,
}

impl Prober {
    /// Prepares a check of one address, under a host name.
    pub(crate) fn prepare(&self, kind: &Kind, timeout: Duration, address: IpAddr, host: &str) -> Probe {
        let at = |port| SocketAddr::new(address, port);
        let attempt = match kind {
            #[cfg(test)]
            _ if self.script.is_some() => Attempt::Script(self.script.clone().expect("just seen"), address),
            Kind::Http(check) => match http::Probe::new(check, at(check.port), host) {
                Ok(probe) => Attempt::Http(Box::new(probe)),
                Err(why) => Attempt::Impossible(why),
            },
            Kind::Tcp(check) => match tcp::Probe::new(check, at(check.port), host) {
                Ok(probe) => Attempt::Tcp(probe),
                Err(why) => Attempt::Impossible(why),
            },
            Kind::Icap(check) => Attempt::Icap(icap::Probe::new(check, at(check.port), host)),
            Kind::Exec(check) => Attempt::Exec(exec::Probe::new(check, address, host)),
            Kind::Agent(check) => Attempt::Agent(agent::Probe::new(check, at(check.port))),
            Kind::Ping => Attempt::Ping(ping::Probe::new(address)),
        };
        Probe { attempt, timeout }
    }
}

/// What is done to one address, ready to be done again and again.
pub(crate) struct Probe {
    attempt: Attempt,
    timeout: Duration,
}

enum Attempt {
    Http(Box<http::Probe>),
    Tcp(tcp::Probe),
    Icap(icap::Probe),
    Exec(exec::Probe),
    Agent(agent::Probe),
    Ping(ping::Probe),
    /// It could not be prepared.
    Impossible(String),
    #[cfg(test)]
    Script(Arc<script::Script>, IpAddr),
}

impl Probe {
    /// Probes once, within the timeout.
    ///
    /// # Errors
    /// The probe could not be tried; the address counts neither as good nor as failed.
    pub(crate) async fn attempt(&mut self) -> Outcome {
        #[cfg(test)]
        let is_script = matches!(self.attempt, Attempt::Script(..));
        let attempt = async {
            match &mut self.attempt {
                Attempt::Http(probe) => probe.attempt().await,
                Attempt::Tcp(probe) => probe.attempt().await,
                Attempt::Icap(probe) => probe.attempt().await,
                // Apart, since it is the one with large buffers, and every target has room for the largest kind.
                Attempt::Exec(probe) => Box::pin(probe.attempt()).await,
                Attempt::Agent(probe) => probe.attempt().await,
                Attempt::Ping(probe) => probe.attempt().await,
                Attempt::Impossible(why) => Err(Broken::Machine(why.clone())),
                #[cfg(test)]
                Attempt::Script(script, address) => script.probe(*address).await.map_err(Broken::Node),
            }
        };
        #[cfg(test)]
        if is_script {
            return attempt.await.map_or_else(|broken| broken.into_outcome(), |passed| Ok(Ok(passed)));
        }
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(Ok(passed)) => Ok(Ok(passed)),
            Ok(Err(broken)) => broken.into_outcome(),
            Err(_) => Ok(Err(Failure::Timeout(self.timeout))),
        }
    }
}

impl Broken {
    fn into_outcome(self) -> Outcome {
        match self {
            Self::Node(failure) => Ok(Err(failure)),
            Self::Machine(why) => Err(Untried(why)),
        }
    }
}

/// How TLS is spoken to a host, and the name that its certificate must be for.
type Tls = (TlsConnector, ServerName<'static>);

/// Prepares TLS for a check that speaks it.
///
/// # Errors
/// Says of which host no certificate can be.
fn tls(client: Option<&TlsClient>, host: &str) -> Result<Option<Tls>, String> {
    let Some(client) = client else { return Ok(None) };
    // A host that is no name is the address itself, when a pool has neither.
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|error| format!("{host}: {error}"))?;
    Ok(Some((TlsConnector::from(Arc::clone(client.config())), name)))
}

/// Connects, without waiting for more to send.
async fn connect(to: SocketAddr) -> Result<TcpStream, Broken> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads until `enough`, the end, or `limit` bytes.
async fn read_until(
    stream: &mut (impl AsyncRead + Unpin),
    limit: usize,
    enough: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>, Broken> {
    let mut reply = Vec::new();
    let mut stream = stream.take(limit as u64);
    while !enough(&reply) && stream.read_buf(&mut reply).await? > 0 {}
    Ok(reply)
}

/// The beginning of a reply, for messages.
fn shown(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(reply);
    text.trim().chars().take(60).flat_map(char::escape_debug).collect()
}
