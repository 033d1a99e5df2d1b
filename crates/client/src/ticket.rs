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
    ClosedBatch,
}

impl Kind {
    const ALL: [Self; 3] = [Self::File, Self::Batch, Self::ClosedBatch];

    fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Batch => "batch",
            Self::ClosedBatch => "closed-batch",
        }
    }
}

/// Whether a text can be an identifier of a node: it stands in paths, headers and tickets.
pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

impl Ticket {
    pub(super) fn of(kind: Kind, pin: &Pin, id: &str) -> Self {
        Self { kind, node: pin.node(), id: id.to_owned(), cookie: pin.cookie().cloned() }
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind.word(), self.node, self.id)?;
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
        let kind = words.next().and_then(|word| Kind::ALL.into_iter().find(|kind| kind.word() == word));
        let kind = kind.ok_or_else(|| odd("it begins with none of \"file\", \"batch\" and \"closed-batch\""))?;
        let node = words.next().and_then(|node| node.parse().ok()).ok_or_else(|| odd("its second word is no node"))?;
        let id = words.next().filter(|id| is_identifier(id)).ok_or_else(|| odd("its third word is no identifier"))?;
        let cookie = words.next().map(HeaderValue::from_str).transpose();
        let mut cookie = cookie.map_err(|_| odd("its last part is no cookie"))?;
        if let Some(cookie) = &mut cookie {
            cookie.set_sensitive(true);
        }
        let id = id.to_owned();
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
            "closed-batch 10.0.0.11:8008 3f2a_0123-x",
            "file 10.0.0.11:8008 3f2a0123 SRV=one; x=y",
        ] {
            assert_eq!(text.parse::<Ticket>().unwrap().to_string(), text);
        }
        for text in ["", "file", "folder 10.0.0.11:8008 a", "file 10.0.0.11 a", "file 10.0.0.11:8008 ../x"] {
            assert!(matches!(text.parse::<Ticket>(), Err(Error::Ticket(..))), "{text}");
        }
    }
}
