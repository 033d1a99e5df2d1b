//! The keys of each kind of monitor; those of HTTP requests are in `requests`. What is wrong has a stand-in, so that the
//! rest is read all the same.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use regex::bytes::Regex;
use toml::de::DeValue;

use super::Origin;
use super::secret;
use super::section::{Placed, Section, Unaccepted, as_str};
use crate::monitor::{AgentCheck, IcapCheck, Pattern, TcpCheck};
use crate::program::Program;
use crate::tls::{TlsClient, Trust};

/// Port that ICAP services have (RFC 3507 §4.2).
const ICAP_PORT: u16 = 1344;

/// A section that names files, and where their paths begin.
pub(super) struct Files<'s, 'a> {
    pub(super) section: &'s Section<'a>,
    pub(super) origin: &'s Origin,
}

impl Files<'_, '_> {
    /// The file that a key names.
    pub(super) fn path(&self, key: &'static str) -> Option<Placed<PathBuf>> {
        let named = self.section.string(key)?;
        Some(Placed { value: self.origin.path(named.value), span: named.span })
    }

    pub(super) fn problem(&self, file: &Placed<PathBuf>, what: &str, hint: &str) {
        self.section.reading.error(file.span.clone(), format!("{}: {what}", file.value.display()), hint);
    }
}

pub(super) fn port(section: &Section<'_>) -> u16 {
    let port = section.integer("port", 1..=65_535);
    let port = section.required("port", port, "the TCP port of the nodes, for example 8008");
    port.and_then(|port| u16::try_from(port.value).ok()).unwrap_or_default()
}

/// `ca`, `client_certificate`, `client_key` and `verify`; `switch` says how TLS is switched on.
pub(super) fn tls(files: &Files<'_, '_>, wanted: bool, switch: &str) -> Option<TlsClient> {
    let section = files.section;
    let (ca, certificate, key) = (files.path("ca"), files.path("client_certificate"), files.path("client_key"));
    let verify = section.boolean("verify").unwrap_or(true);
    if !wanted {
        for used in ["ca", "client_certificate", "client_key", "verify"] {
            if let Some(span) = section.place_of(used) {
                section.reading.error(span, format!("`{used}` is for TLS"), format!("set {switch}"));
            }
        }
        return None;
    }
    if !verify {
        let message = format!("{} believes every certificate", section.shown());
        let span = section.place_of("verify").unwrap_or_default();
        section.reading.warn(span, message, "whoever stands between can pretend to be a node; give a `ca` instead");
    }
    let trust = match (verify, ca) {
        (false, _) => Trust::Any,
        (true, None) => Trust::System,
        (true, Some(file)) => Trust::Own(secret::certificates(files, &file)?),
    };
    let identity = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            Some((secret::certificates(files, &certificate)?, secret::private_key(files, &key)?))
        }
        (Some(one), None) | (None, Some(one)) => {
            section.reading.error(one.span, "a client certificate needs its key, and the other way round", "give both");
            None
        }
    };
    let client = TlsClient::new(trust, identity);
    let unusable = |error| section.reading.error(section.span.clone(), format!("TLS cannot be set up: {error}"), "");
    client.map_err(unusable).ok()
}

/// A regular expression.
pub(super) fn pattern(value: &DeValue<'_>) -> Result<Pattern, Unaccepted> {
    Regex::new(as_str(value)?).map(Pattern).map_err(|error| Unaccepted {
        message: "is no regular expression".to_owned(),
        hint: error.to_string().lines().last().unwrap_or_default().to_owned(),
    })
}

pub(super) fn tcp(files: &Files<'_, '_>) -> TcpCheck {
    let section = files.section;
    let over_tls = section.boolean("tls").unwrap_or(false);
    TcpCheck {
        port: port(section),
        tls: tls(files, over_tls, "tls = true"),
        send: section.string("send").map_or_else(Vec::new, |send| send.value.into()),
        expect: section.read("expect", pattern).map(|pattern| pattern.value),
    }
}

pub(super) fn icap(section: &Section<'_>) -> IcapCheck {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    let word = |value: &DeValue<'_>| {
        let word = as_str(value)?.to_owned();
        let refused = Unaccepted {
            message: format!("cannot be \"{}\"", word.escape_debug()),
            hint: "accepted: visible ASCII characters".to_owned(),
        };
        if is_word(&word) { Ok(word) } else { Err(refused) }
    };
    let service = section.required("service", section.read("service", word), "for example: \"avscan\"");
    IcapCheck {
        port: section.integer("port", 1..=65_535).map_or(ICAP_PORT, |port| port.value as u16),
        service: service.map_or_else(String::new, |service| service.value.trim_start_matches('/').to_owned()),
        method: section.read("method", word).map(|method| method.value),
    }
}

/// A program, for a monitor or anything else.
pub(super) fn program(section: &Section<'_>) -> Program {
    let accepted = "a list: the absolute path of a program, then its arguments";
    let command = section.required("command", section.list("command", accepted, as_str), accepted);
    let mut words = command.into_iter().flat_map(|command| {
        let sound = command.value.first().is_some_and(|program| program.value.starts_with('/'));
        if !sound {
            section.reading.error(command.span.clone(), "`command` names no program", accepted);
        }
        command.value
    });
    let program = words.next();
    if let Some(program) = program.as_ref().filter(|program| program.value.starts_with('/'))
        && let Some(why) = not_a_program(program.value)
    {
        let message = format!("{} cannot be run: {why}", program.value);
        section.reading.error(program.span.clone(), message, "the absolute path of a program");
    }
    let environment = section.section("environment", "[monitors.NAME.environment]");
    let pairs = environment.into_iter().flat_map(|table| {
        let pair = |(name, value): (Placed<&str>, Placed<&DeValue<'_>>)| {
            let text = as_str(value.value).ok().filter(|text| !text.contains('\0'));
            if name.value.starts_with("EVENKEEL_") {
                let message = format!("{} is a variable of the server's own", name.value);
                table.reading.error(name.span, message, "give it another name");
                return None;
            }
            if text.is_none() || name.value.is_empty() || name.value.contains(['=', '\0']) {
                table.reading.error(name.span, "not a variable", "accepted: NAME = \"value\"");
                return None;
            }
            Some((name.value.to_owned(), text?.to_owned()))
        };
        table.entries().into_iter().filter_map(pair).collect::<Vec<_>>()
    });
    Program {
        path: program.map_or_else(PathBuf::new, |program| program.value.into()),
        arguments: words.map(|word| word.value.to_owned()).collect(),
        environment: pairs.collect(),
    }
}

fn not_a_program(path: &str) -> Option<String> {
    match std::fs::metadata(path) {
        Err(error) => Some(error.to_string()),
        Ok(file) if !file.is_file() => Some("it is no file".to_owned()),
        Ok(file) if file.permissions().mode() & 0o111 == 0 => Some("nobody may execute it".to_owned()),
        Ok(_) => None,
    }
}

pub(super) fn agent(section: &Section<'_>) -> AgentCheck {
    let send = section.string("send").map_or_else(Vec::new, |send| send.value.into());
    AgentCheck { port: port(section), send }
}
