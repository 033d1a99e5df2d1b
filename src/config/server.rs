//! `[server]`. Its tables are read by `server_tls`, `server_cookies` and `server_rate_limit`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::listen::{self, Listen};
use super::section::Section;
use super::server_cookies::{self, Cookies};
use super::server_rate_limit::{self, ResponseRateLimit};
use super::server_tls::{self, Tls};
use super::value::Placed;

/// Longest `nsid` (RFC 5001) and `version`, in bytes. They must leave room in a response of 512
/// bytes.
const MAX_TEXT: usize = 64;

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Addresses for UDP and TCP, each once.
    pub listen: Vec<Listen>,
    /// Longest wait for the first probes.
    pub startup_grace: Duration,
    /// UDP threads per address.
    pub workers: NonZeroUsize,
    /// Probes that may run at the same time.
    pub probes_in_flight: usize,
    /// Limits on TCP connections.
    pub tcp: TcpLimits,
    /// The identifier for clients that ask for it (RFC 5001).
    pub nsid: Option<Box<[u8]>>,
    /// The version that clients are told, in class CH.
    pub version: Option<Box<[u8]>>,
    /// DNS cookies (RFC 7873).
    pub cookies: Cookies,
    /// The limit on responses per network of clients.
    pub rate_limit: Option<ResponseRateLimit>,
    /// The directory for state that survives a restart.
    pub state_dir: Option<PathBuf>,
    /// Encrypted transports.
    pub tls: Option<Tls>,
}

/// Limits on TCP connections, per address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TcpLimits {
    /// Open connections; a new one replaces the one that is idle for the longest time.
    pub connections: NonZeroUsize,
    /// How long a connection may be silent or stalled.
    pub idle_timeout: Duration,
}

/// Reads the section.
pub(super) fn read(section: Section<'_>) -> Server {
    let second = Duration::from_secs(1);
    let count = |key, range, default| section.integer(key, range).map_or(default, |n| n.value);
    let duration = |key, range, default| section.duration(key, range).map_or(default, |d| d.value);
    let listen = listen::read(&section, "listen").unwrap_or_else(|| {
        let any = [(Ipv4Addr::UNSPECIFIED, 53).into(), (Ipv6Addr::UNSPECIFIED, 53).into()];
        any.map(|address| Listen::by_default(&section, address)).to_vec()
    });
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let (nsid, version) = (short_text(&section, "nsid"), short_text(&section, "version"));
    let tls = section.subsection("tls", "[server.tls]").and_then(server_tls::read);
    if let Some(tls) = &tls {
        listen::report_conflicts(&section, &[("listen", &listen), ("dot", &tls.dot), ("doh", &tls.doh)]);
        listen::report_conflicts(&section, &[("listen", &listen), ("doq", &tls.doq)]);
    }
    let server = Server {
        listen,
        startup_grace: duration("startup_grace", Duration::ZERO..=60 * second, 3 * second),
        workers: at_least_one(count("workers", 1..=256, cores.clamp(1, 256))),
        probes_in_flight: count("probes_in_flight", 1..=10_000, 512) as usize,
        tcp: TcpLimits {
            connections: at_least_one(count("tcp_connections", 1..=100_000, 1000)),
            idle_timeout: duration("tcp_idle_timeout", second / 10..=600 * second, 10 * second),
        },
        nsid,
        version,
        cookies: section.subsection("cookies", "[server.cookies]").map(server_cookies::read).unwrap_or_default(),
        rate_limit: section.subsection("rate_limit", "[server.rate_limit]").and_then(server_rate_limit::read),
        state_dir: section.path("state_dir").map(|path| state_dir(&section, path)),
        tls,
    };
    section.finish();
    server
}

/// A text for responses: `nsid` or `version`.
fn short_text(section: &Section<'_>, key: &'static str) -> Option<Box<[u8]>> {
    let text = section.string(key)?;
    let fits = (1..=MAX_TEXT).contains(&text.value.len());
    if !fits {
        let message = format!("`{key}` has the wrong length");
        section.report.error(text.span, message, format!("accepted: 1 to {MAX_TEXT} bytes"));
    }
    fits.then(|| text.value.as_bytes().into())
}

/// `state_dir`: a directory, or a path where one can be created.
fn state_dir(section: &Section<'_>, Placed { value: path, span }: Placed<PathBuf>) -> PathBuf {
    if path.exists() && !path.is_dir() {
        let message = format!("`state_dir` {} is not a directory", path.display());
        section.report.error(span, message, "accepted: a directory; it is created if it is missing");
    }
    path
}

/// The number, or 1 if it is 0.
fn at_least_one(count: u32) -> NonZeroUsize {
    NonZeroUsize::new(count as usize).unwrap_or(NonZeroUsize::MIN)
}
