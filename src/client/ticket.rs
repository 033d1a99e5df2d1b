//! A session as a short text, for another process to go on with it: `file 10.0.0.11:8008 3f2a…`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use reqwest::header::HeaderValue;

use super::error::Error;
use super::pin::Pin;

/// A session: what it is, where, its identifier and, behind a balancer, its cookie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ticket {
    pub(super) kind: Kind,
    pub(super) node: SocketAddr,
    pub(super) id: String,
    pub(super) cookie: Option<HeaderValue>,
}

/// What a session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    File,
    Batch,
}

impl Ticket {
    pub(super) fn of(kind: Kind, pin: &Pin, id: &str) -> Self {
        Self { kind, node: pin.node(), id: id.to_owned(), cookie: pin.cookie().cloned() }
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::File => "file",
            Kind::Batch => "batch",
        };
        write!(f, "{kind} {} {}", self.node, self.id)?;
        match self.cookie.as_ref().and_then(|cookie| cookie.to_str().ok()) {
            Some(cookie) => write!(f, " {cookie}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Ticket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let odd = |why| Error::Ticket(text.to_owned(), why);
        let mut words = text.trim().splitn(4, ' ');
        let kind = match words.next() {
            Some("file") => Kind::File,
            Some("batch") => Kind::Batch,
            _ => return Err(odd("it begins with neither \"file\" nor \"batch\"")),
        };
        let node = words.next().and_then(|node| node.parse().ok()).ok_or_else(|| odd("its second word is no node"))?;
        let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let id = words.next().filter(is_id).ok_or_else(|| odd("its third word is no identifier"))?.to_owned();
        let cookie = words.next().map(HeaderValue::from_str).transpose();
        let cookie = cookie.map_err(|_| odd("its last part is no cookie"))?;
        Ok(Self { kind, node, id, cookie })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_read_as_they_are_written() {
        for text in [
            "file 10.0.0.11:8008 3f2a0123",
            "batch [2001:db8::1]:8008 3f2a0123",
            "file 10.0.0.11:8008 3f2a0123 SRV=one; x=y",
        ] {
            assert_eq!(text.parse::<Ticket>().unwrap().to_string(), text);
        }
        for text in ["", "file", "folder 10.0.0.11:8008 a", "file 10.0.0.11 a", "file 10.0.0.11:8008 ../x"] {
            assert!(matches!(text.parse::<Ticket>(), Err(Error::Ticket(..))), "{text}");
        }
    }
}
