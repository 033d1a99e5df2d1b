//! The kinds of `[monitors.NAME]`: one line in [`KINDS`] and one reader of keys per kind.
//!
//! A reader returns a value in any case. If a key is wrong, it reports that and uses a stand-in, so
//! that the remaining keys are checked, too.

use toml::de::DeValue;

use super::kind_section::Kind;
use super::section::Section;
use super::value::{Unaccepted, as_str};
use super::{http_request, pattern, port, program, response_conditions, tls_client};
use crate::monitor::{AgentCheck, HttpCheck, IcapCheck, MonitorKind, TcpCheck};

/// Every kind, in the order in which messages list them.
pub(super) const KINDS: &[Kind<MonitorKind>] =
    &[("http", http), ("tcp", tcp), ("icap", icap), ("exec", exec), ("agent", agent), ("ping", ping)];

/// Port of ICAP services (RFC 3507 §4.2).
const ICAP_PORT: u16 = 1344;

/// A request, judged by status and body.
fn http(section: &Section<'_>) -> MonitorKind {
    MonitorKind::Http(Box::new(HttpCheck {
        busy: response_conditions::busy(section),
        keep_alive: section.boolean("keep_alive").unwrap_or(false),
        ..http_request::read(section)
    }))
}

/// A connection, with a text in each direction if configured.
fn tcp(section: &Section<'_>) -> MonitorKind {
    let over_tls = section.boolean("tls").unwrap_or(false);
    MonitorKind::Tcp(TcpCheck {
        port: port::required(section),
        tls: tls_client::read(section, over_tls, "tls = true"),
        send: text_to_send(section),
        expect: section.read("expect", pattern::parse).map(|pattern| pattern.value),
    })
}

/// OPTIONS of an ICAP service.
fn icap(section: &Section<'_>) -> MonitorKind {
    let word = |value: &DeValue<'_>| {
        let word = as_str(value)?;
        let is_visible = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
        let refused = || Unaccepted {
            message: format!("cannot be \"{}\"", word.escape_debug()),
            hint: "accepted: visible ASCII characters".to_owned(),
        };
        if is_visible { Ok(word.to_owned()) } else { Err(refused()) }
    };
    let service = section.required("service", section.read("service", word), "for example: \"avscan\"");
    MonitorKind::Icap(IcapCheck {
        port: port::optional(section).unwrap_or(ICAP_PORT),
        service: service.map_or_else(String::new, |service| service.value.trim_start_matches('/').to_owned()),
        method: section.read("method", word).map(|method| method.value),
    })
}

/// A program on this machine.
fn exec(section: &Section<'_>) -> MonitorKind {
    MonitorKind::Exec(program::read(section))
}

/// A line of an agent on the node.
fn agent(section: &Section<'_>) -> MonitorKind {
    MonitorKind::Agent(AgentCheck { send: text_to_send(section), port: port::required(section) })
}

/// An ICMP echo, which has no keys.
fn ping(_: &Section<'_>) -> MonitorKind {
    MonitorKind::Ping
}

/// `send`: the text to send after connecting.
fn text_to_send(section: &Section<'_>) -> Vec<u8> {
    section.string("send").map_or_else(Vec::new, |send| send.value.into())
}
