//! Monitor kind `icap`: OPTIONS of a service (RFC 3507 §4.10), judged by its status and the methods
//! that it offers.

use std::net::SocketAddr;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use tokio::io::AsyncWriteExt;

use super::outcome::ProbeError;
use super::stream::{beginning, connect, read_until};

/// Bytes that are read of a reply.
const REPLY_LIMIT: usize = 16 * 1024;

/// What an ICAP probe asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct IcapCheck {
    /// TCP port.
    pub port: u16,
    /// Path of the service, without the leading slash.
    pub service: String,
    /// A method that the service must offer.
    pub method: Option<String>,
}

/// Asks an ICAP service.
pub(super) struct Probe {
    to: SocketAddr,
    request: String,
    method: Option<String>,
}

impl Probe {
    pub(super) fn new(check: &IcapCheck, to: SocketAddr, host: &str) -> Self {
        let request = format!(
            "OPTIONS icap://{host}:{}/{} ICAP/1.0\r\nHost: {host}\r\nUser-Agent: evenkeel\r\nEncapsulated: null-body=0\r\n\r\n",
            to.port(),
            check.service
        );
        Self { to, request, method: check.method.clone() }
    }

    pub(super) async fn run(&self) -> Result<ProbeSuccess, ProbeError> {
        let mut stream = connect(self.to).await?;
        stream.write_all(self.request.as_bytes()).await?;
        let has_all_headers = |reply: &[u8]| reply.windows(4).any(|window| window == b"\r\n\r\n");
        let reply = read_until(&mut stream, REPLY_LIMIT, has_all_headers).await?;
        Ok(judge(&reply, self.method.as_deref()).map(|()| ProbeSuccess::FULL_WEIGHT)?)
    }
}

fn judge(reply: &[u8], method: Option<&str>) -> Result<(), ProbeFailure> {
    let text = String::from_utf8_lossy(reply);
    let mut lines = text.split("\r\n");
    let mut status_line = lines.next().unwrap_or_default().split(' ');
    let is_icap = status_line.next().is_some_and(|version| version.starts_with("ICAP/1."));
    let status = status_line.next().filter(|_| is_icap);
    match status.and_then(|status| status.parse::<u16>().ok()) {
        None if reply.is_empty() => return Err(ProbeFailure::Connection("replied nothing".to_owned())),
        None => return Err(ProbeFailure::Reply(format!("replied \"{}\", which is not ICAP", beginning(reply)))),
        Some(200) => {}
        Some(status) => return Err(ProbeFailure::Status(status)),
    }
    let Some(wanted) = method else { return Ok(()) };
    let methods = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("methods"));
    let offered = methods.map_or("", |(_, methods)| methods.trim());
    if offered.split(',').any(|offered| offered.trim().eq_ignore_ascii_case(wanted)) {
        Ok(())
    } else {
        Err(ProbeFailure::Reply(format!("offers the methods \"{}\", not {wanted}", beginning(offered.as_bytes()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_and_the_method_are_judged() {
        let good = b"ICAP/1.0 200 OK\r\nMethods: RESPMOD, REQMOD\r\nISTag: \"x\"\r\n\r\n";
        assert_eq!(judge(good, None), Ok(()));
        assert_eq!(judge(good, Some("REQMOD")), Ok(()));
        let why = judge(good, Some("OTHER")).unwrap_err().to_string();
        assert_eq!(why, "offers the methods \"RESPMOD, REQMOD\", not OTHER");
        assert_eq!(judge(b"ICAP/1.0 404 ICAP Service not found\r\n\r\n", None), Err(ProbeFailure::Status(404)));
        assert_eq!(judge(b"", None), Err(ProbeFailure::Connection("replied nothing".to_owned())));
        for reply in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"ICAP/1.0\r\n", b"\xff\xfe"] {
            assert!(matches!(judge(reply, None), Err(ProbeFailure::Reply(_))), "{reply:?}");
        }
    }
}
