//! A session as a line of text, with which another process resumes it: `file 10.0.0.11:8008 3f2a…`.
//!
//! Sessions create tickets; `Cluster::resume` takes them. Parsing fails with
//! `Error::InvalidTicket`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use reqwest::header::HeaderValue;

use crate::error::Error;
use crate::session_id;

/// What another process needs to resume a session: its kind, its node, its identifier and, behind a
/// balancer, its cookie. `Display` writes it as one line and `FromStr` reads that line. Keep a
/// ticket with a cookie as secret as the session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ticket {
    pub(crate) kind: SessionKind,
    pub(crate) node: SocketAddr,
    pub(crate) id: String,
    pub(crate) cookie: Option<HeaderValue>,
}

/// What a session consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SessionKind {
    File,
    OpenBatch,
    ClosedBatch,
}

impl SessionKind {
    const ALL: [Self; 3] = [Self::File, Self::OpenBatch, Self::ClosedBatch];

    /// The first word of a ticket.
    fn keyword(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::OpenBatch => "batch",
            Self::ClosedBatch => "closed-batch",
        }
    }
}

impl Ticket {
    /// The node of the session.
    pub fn node(&self) -> SocketAddr {
        self.node
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind.keyword(), self.node, self.id)?;
        match self.cookie.as_ref().and_then(|cookie| cookie.to_str().ok()) {
            Some(cookie) => write!(f, " {cookie}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Ticket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |reason| Error::InvalidTicket { ticket: without_cookie(text), reason };
        // The cookie is the rest of the line: it may contain spaces.
        let mut parts = text.trim().splitn(4, ' ');
        let kind = parts.next().and_then(|word| SessionKind::ALL.into_iter().find(|kind| kind.keyword() == word));
        let kind = kind.ok_or_else(|| invalid("the first word is not file, batch or closed-batch"))?;
        let node = parts.next().and_then(|word| word.parse().ok());
        let node = node.ok_or_else(|| invalid("the second word is not ADDRESS:PORT"))?;
        let id = parts.next().filter(|word| session_id::is_valid(word));
        let id = id.ok_or_else(|| invalid("the third word is not an identifier"))?.to_owned();
        // `HeaderValue` takes more than ASCII, but does not give it back as text.
        let cookie = |text: &str| HeaderValue::from_str(text).ok().filter(|_| text.is_ascii());
        let cookie = parts.next().map(|text| cookie(text).ok_or_else(|| invalid("the last part is not a cookie")));
        let mut cookie = cookie.transpose()?;
        if let Some(cookie) = &mut cookie {
            cookie.set_sensitive(true);
        }
        Ok(Self { kind, node, id, cookie })
    }
}

/// The first three words of a ticket. The rest is as secret as the session.
pub(crate) fn without_cookie(ticket: &str) -> String {
    ticket.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_parsed_as_they_are_written() {
        for text in [
            "file 10.0.0.11:8008 3f2a0123",
            "batch [2001:db8::1]:8008 3f2a0123",
            "closed-batch 10.0.0.11:8008 3f2a_0123-x",
            "file 10.0.0.11:8008 3f2a0123 SRV=one; x=y",
        ] {
            assert_eq!(text.parse::<Ticket>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_tickets() {
        for text in [
            "",
            "file",
            "folder 10.0.0.11:8008 a",
            "file 10.0.0.11 a",
            "file 10.0.0.11:8008 ../x",
            "file 10.0.0.11:8008 a SRV=k\u{f6}ln",
        ] {
            assert!(matches!(text.parse::<Ticket>(), Err(Error::InvalidTicket { .. })), "{text}");
        }
    }
}
