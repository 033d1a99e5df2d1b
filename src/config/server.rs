//! `[server]`, `[server.tls]` and `[admin]`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::sign::CertifiedKey;

use super::Origin;
use super::checks::Files;
use super::secret;
use super::section::{Placed, Section, Unaccepted, parsed};
use evenkeel_core::diagnostic::Diagnostic;

/// Where the admin socket is unless the configuration says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/evenkeel/admin.sock";

/// Longest identifier for RFC 5001, in bytes: it must leave room in a response of 512 bytes.
const MAX_NSID: usize = 64;

/// Longest path of a Unix socket, in bytes (`sun_path` of Linux without its NUL).
const LONGEST_SOCKET: usize = 107;

/// An address to listen on.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Port 0 lets the system choose.
    pub address: SocketAddr,
    /// Points at the address in the file, for errors at start.
    at: Diagnostic,
}

impl Listen {
    /// What is wrong with this address, shown where it stands in the file.
    pub fn problem(&self, message: impl Into<String>) -> Diagnostic {
        self.at.clone().message(message)
    }
}

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// UDP and TCP. No address stands twice.
    pub listen: Vec<Listen>,
    /// Longest wait for the first round of probes.
    pub startup_grace: Duration,
    /// UDP threads for each address.
    pub workers: NonZeroUsize,
    /// Probes under way at the same time, at most.
    pub probes_in_flight: usize,
    /// Limits of TCP connections.
    pub tcp: TcpLimits,
    /// Identifier for clients that ask (RFC 5001).
    pub nsid: Option<Box<[u8]>>,
    /// Where overrides are kept.
    pub state_dir: Option<PathBuf>,
    /// Encrypted transports.
    pub tls: Option<Tls>,
}

/// Limits of TCP connections, for each address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TcpLimits {
    /// Open connections, at most; the idlest is closed for a new one.
    pub connections: NonZeroUsize,
    /// How long a connection may be silent or stalled.
    pub idle_timeout: Duration,
}

/// `[server.tls]`.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificate chain and key.
    pub certified: Arc<CertifiedKey>,
    /// DNS over TLS (RFC 7858).
    pub dot: Vec<Listen>,
    /// DNS over HTTPS (RFC 8484).
    pub doh: Vec<Listen>,
    /// DNS over QUIC (RFC 9250).
    pub doq: Vec<Listen>,
    /// Path of the HTTPS endpoint.
    pub doh_path: String,
}

pub(super) fn read(section: Section<'_>, origin: &Origin) -> Server {
    let second = Duration::from_secs(1);
    let count = |key, range, default| section.integer(key, range).map_or(default, |n| n.value);
    let listen = listen(&section, "listen").unwrap_or_else(|| {
        let at = section.reading.source.error(section.span.clone(), "");
        let any = [(Ipv4Addr::UNSPECIFIED, 53).into(), (Ipv6Addr::UNSPECIFIED, 53).into()];
        any.map(|address| Listen { address, at: at.clone() }).to_vec()
    });
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let nsid = section.string("nsid").and_then(|nsid| {
        let fits = (1..=MAX_NSID).contains(&nsid.value.len());
        if !fits {
            section.reading.error(nsid.span, "`nsid` has the wrong length", format!("accepted: 1 to {MAX_NSID} bytes"));
        }
        fits.then(|| nsid.value.as_bytes().into())
    });
    let tls = section.section("tls", "[server.tls]").and_then(|tls| read_tls(tls, origin));
    report_conflicts(&section, &listen, tls.as_ref());
    let server = Server {
        listen,
        startup_grace: section.duration("startup_grace", Duration::ZERO..=60 * second).map_or(3 * second, |d| d.value),
        workers: at_least_one(count("workers", 1..=256, cores.clamp(1, 256))),
        probes_in_flight: count("probes_in_flight", 1..=10_000, 512) as usize,
        tcp: TcpLimits {
            connections: at_least_one(count("tcp_connections", 1..=100_000, 1000)),
            idle_timeout: section
                .duration("tcp_idle_timeout", second / 10..=600 * second)
                .map_or(10 * second, |d| d.value),
        },
        nsid,
        state_dir: section.string("state_dir").map(|named| state_dir(&section, named, origin)),
        tls,
    };
    section.finish();
    server
}

fn state_dir(section: &Section<'_>, named: Placed<&str>, origin: &Origin) -> PathBuf {
    let path = origin.path(named.value);
    if path.exists() && !path.is_dir() {
        let message = format!("`state_dir` {} is no directory", path.display());
        section.reading.error(named.span, message, "accepted: a directory, which is made when it is not there");
    }
    path
}

/// Different transports cannot share an address; the same one may have a wildcard and an address of its own.
fn report_conflicts(section: &Section<'_>, plain: &[Listen], tls: Option<&Tls>) {
    let Some(tls) = tls else { return };
    let over_tcp = [("listen", plain), ("dot", &tls.dot), ("doh", &tls.doh)];
    let over_udp = [("listen", plain), ("doq", &tls.doq)];
    for group in [&over_tcp[..], &over_udp[..]] {
        for (i, (later_key, later)) in group.iter().enumerate() {
            for (earlier_key, earlier) in &group[..i] {
                for listen in *later {
                    let conflict = earlier.iter().find(|other| overlap(other.address, listen.address));
                    if let Some(other) = conflict {
                        let message = format!(
                            "{} of `{later_key}` is taken by {} of `{earlier_key}`",
                            listen.address, other.address
                        );
                        section.reading.push(listen.problem(message).hint("each transport has a port of its own"));
                    }
                }
            }
        }
    }
}

/// Whether two addresses cannot both be bound exclusively: the same port, and the same address or a wildcard.
pub fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let same_address = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && a.is_ipv4() == b.is_ipv4() && same_address
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#{}".contains(&byte))
}

/// Why nothing can be bound to an address, if so.
fn unusable(address: SocketAddr) -> Option<&'static str> {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_broadcast() => Some("the broadcast address"),
        SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some() => Some("an IPv4 address in disguise"),
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => {
            Some("a link-local address needs the number of its interface, as in \"[fe80::1%2]:53\"")
        }
        _ if address.ip().is_multicast() => Some("a multicast address"),
        _ => None,
    }
}

fn at_least_one(count: u32) -> NonZeroUsize {
    NonZeroUsize::new(count as usize).unwrap_or(NonZeroUsize::MIN)
}

/// `[admin]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    /// Who may open its file may say and ask everything.
    pub socket: PathBuf,
    /// For asking only; an address of loopback.
    pub listen: Option<SocketAddr>,
}

pub(super) fn read_admin(section: Section<'_>, origin: &Origin) -> Admin {
    let socket = section.string("socket");
    let path = origin.path(socket.as_ref().map_or(DEFAULT_SOCKET, |socket| socket.value));
    if let Some(socket) = socket
        && let Some(why) = no_socket(socket.value, &path)
    {
        section.reading.error(socket.span, format!("`socket` {why}"), "for example: \"/run/evenkeel/admin.sock\"");
    }
    let accepted = "an address of loopback and a port: \"127.0.0.1:5380\"";
    let listen = section.read("listen", |value| {
        let address = parsed::<SocketAddr>(accepted)(value)?;
        let refused = || Unaccepted {
            message: format!("cannot be {address}, which others can reach"),
            hint: format!("accepted: {accepted}"),
        };
        if address.ip().is_loopback() { Ok(address) } else { Err(refused()) }
    });
    section.finish();
    Admin { socket: path, listen: listen.map(|listen| listen.value) }
}

/// Why nobody can listen at a path, if so.
fn no_socket(named: &str, path: &Path) -> Option<String> {
    if named.is_empty() || named.ends_with('/') || path.file_name().is_none() {
        return Some("names no file".to_owned());
    }
    let len = path.as_os_str().len();
    (len > LONGEST_SOCKET).then(|| format!("is too long: {len} bytes of at most {LONGEST_SOCKET}, {}", path.display()))
}

/// Reads a list of socket addresses, each of them once.
fn listen(section: &Section<'_>, key: &'static str) -> Option<Vec<Listen>> {
    let accepted = "an address and a port: \"127.0.0.1:53\", \"[::]:53\"";
    let all_accepted = "a list of addresses and ports: [\"127.0.0.1:53\", \"[::]:53\"]";
    let list = section.list(key, all_accepted, parsed::<SocketAddr>(accepted))?;
    if list.value.is_empty() {
        section.reading.error(list.span, format!("`{key}` names no address"), accepted);
    }
    let mut listen: Vec<Listen> = Vec::new();
    for Placed { value: address, span } in list.value {
        if listen.iter().any(|other| other.address == address) {
            section.reading.error(span, format!("{address} stands twice in `{key}`"), "each address once");
        } else if let Some(why) = unusable(address) {
            section.reading.error(span, format!("{address} cannot be listened on: {why}"), accepted);
        } else {
            listen.push(Listen { address, at: section.reading.source.error(span, "") });
        }
    }
    Some(listen)
}

fn read_tls(section: Section<'_>, origin: &Origin) -> Option<Tls> {
    let files = Files { section: &section, origin };
    let file = |key| section.required(key, files.path(key), "a PEM file, relative to this one");
    let (certificate, key) = (file("certificate"), file("key"));
    let listen = |key| listen(&section, key).unwrap_or_default();
    let (dot, doh, doq) = (listen("dot"), listen("doh"), listen("doq"));
    if dot.is_empty() && doh.is_empty() && doq.is_empty() {
        let hint = "give addresses with `dot`, `doh` or `doq`";
        section.reading.error(section.span.clone(), "no encrypted transport has an address", hint);
    }
    let doh_path = section.string("doh_path");
    if let Some(path) = doh_path.as_ref().filter(|path| !is_path(path.value)) {
        section.reading.error(path.span.clone(), "`doh_path` is no path", "for example: \"/dns-query\"");
    }
    let certified = match (certificate, key) {
        (Some(certificate), Some(key)) => certified_key(&files, &certificate, &key),
        _ => None,
    };
    section.finish();
    Some(Tls {
        certified: Arc::new(certified?),
        dot,
        doh,
        doq,
        doh_path: doh_path.map_or("/dns-query", |path| path.value).to_owned(),
    })
}

/// Reads a certificate chain and its key; notes what is wrong with either.
fn certified_key(files: &Files<'_, '_>, certificate: &Placed<PathBuf>, key: &Placed<PathBuf>) -> Option<CertifiedKey> {
    let (chain, private) = (secret::certificates(files, certificate), secret::private_key(files, key));
    let certified = CertifiedKey::from_der(chain?, private?, &rustls::crypto::ring::default_provider());
    let unusable = |error| {
        let message = format!("does not belong to {}: {error}", certificate.value.display());
        files.problem(key, &message, "the private key of the first certificate in the chain");
    };
    certified.map_err(unusable).ok()
}
