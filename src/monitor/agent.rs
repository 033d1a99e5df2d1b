//! Monitor kind `agent`: one line that a program on the node sends, in the words of HAProxy's
//! agent-check.
//!
//! | words | result |
//! |---|---|
//! | `up`, `ready` | success |
//! | `down`, `fail`, `failed`, `stopped` | failure; the text after a `#` is the reason |
//! | `drain`, `maint` | failure: the node must not get new sessions |
//! | `75%` | success with this part of the weight; `0%` is a failure |
//! | `maxconn:…` | ignored: connections are not counted here |
//!
//! A line can have several words, separated by spaces or commas. If any word is a failure or
//! unknown, the probe fails. If the line has several percentages, the last one counts.

use std::net::SocketAddr;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use tokio::io::AsyncWriteExt;

use super::outcome::ProbeError;
use super::stream::{beginning, connect, read_until};

/// Longest line that is read, in bytes.
const LINE_LIMIT: usize = 1024;

/// Longest reason that is shown, in characters.
const REASON_LIMIT: usize = 200;

/// Where the agent listens (HAProxy's agent-check).
#[derive(Clone, Debug, PartialEq)]
pub struct AgentCheck {
    /// TCP port.
    pub port: u16,
    /// Sent after the connection is established.
    pub send: Vec<u8>,
}

/// Probes an agent.
pub(super) struct Probe {
    check: AgentCheck,
    to: SocketAddr,
}

impl Probe {
    pub(super) fn new(check: &AgentCheck, to: SocketAddr) -> Self {
        Self { check: check.clone(), to }
    }

    pub(super) async fn run(&self) -> Result<ProbeSuccess, ProbeError> {
        let mut stream = connect(self.to).await?;
        stream.write_all(&self.check.send).await?;
        let reply = read_until(&mut stream, LINE_LIMIT, |reply| reply.contains(&b'\n')).await?;
        Ok(judge(&reply)?)
    }
}

/// The meaning of one word of a line.
enum Word<'w> {
    Up,
    Ignored,
    /// The part of its weight that the node gets, in percent.
    Weight(u8),
    /// The node must not be eligible, for this reason.
    Down(&'w str),
    Unknown,
}

impl<'w> Word<'w> {
    /// Reads a word in lower case.
    fn parse(word: &'w str) -> Self {
        match word {
            "up" | "ready" => Self::Up,
            "down" | "fail" | "failed" | "stopped" | "drain" | "maint" => Self::Down(word),
            _ if word.starts_with("maxconn:") => Self::Ignored,
            _ => match word.strip_suffix('%').and_then(|number| number.parse::<u16>().ok()) {
                Some(0) => Self::Down("0%"),
                // The weight is never more than the configured one.
                Some(percent) => Self::Weight(percent.min(100) as u8),
                None => Self::Unknown,
            },
        }
    }
}

fn judge(reply: &[u8]) -> Result<ProbeSuccess, ProbeFailure> {
    let text = String::from_utf8_lossy(reply);
    let line = text.lines().next().unwrap_or_default();
    let (words, comment) = line.split_once('#').map_or((line, ""), |(words, comment)| (words, comment.trim()));
    let mut weight_percent = 100;
    let (mut has_words, mut has_unknown_words) = (false, false);
    for word in words.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
        has_words = true;
        match Word::parse(&word.to_ascii_lowercase()) {
            Word::Up | Word::Ignored => {}
            Word::Weight(percent) => weight_percent = percent,
            Word::Down(word) => return Err(ProbeFailure::Agent(reason(word, comment))),
            Word::Unknown => has_unknown_words = true,
        }
    }
    match (has_words, reply) {
        (true, _) if has_unknown_words => {
            let line = beginning(reply);
            Err(ProbeFailure::Agent(format!("\"{line}\", which contains an unknown word")))
        }
        (true, _) => Ok(ProbeSuccess { weight_percent }),
        // The agent closed the connection without a reply.
        (false, []) => Err(ProbeFailure::Connection("agent says nothing".to_owned())),
        (false, _) => Err(ProbeFailure::Agent("nothing".to_owned())),
    }
}

/// The reason that users see: the word, and the comment of the agent.
fn reason(word: &str, comment: &str) -> String {
    let text = if comment.is_empty() { word.to_owned() } else { format!("{word}: {comment}") };
    text.chars().take(REASON_LIMIT).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_words_and_weights_are_successes() {
        for (line, weight_percent) in [
            ("up\n", 100),
            ("ready\n", 100),
            ("up 75%\n", 75),
            ("75%\n", 75),
            ("READY,UP,50%\r\n", 50),
            ("250%\n", 100),
            ("maxconn:30 up\n", 100),
            ("up", 100),
            ("25% 75%\n", 75),
        ] {
            assert_eq!(judge(line.as_bytes()), Ok(ProbeSuccess { weight_percent }), "{line}");
        }
    }

    #[test]
    fn down_words_are_failures_with_a_reason() {
        for (line, why) in [
            ("down\n", "agent says down"),
            ("down#disk is full\n", "agent says down: disk is full"),
            ("fail # engine gone\n", "agent says fail: engine gone"),
            ("stopped\n", "agent says stopped"),
            ("drain\n", "agent says drain"),
            ("maint\n", "agent says maint"),
            ("up 0%\n", "agent says 0%"),
            ("ready drain 50%\n", "agent says drain"),
            ("hello down\n", "agent says down"),
        ] {
            assert_eq!(judge(line.as_bytes()).unwrap_err().to_string(), why, "{line}");
        }
    }

    #[test]
    fn other_lines_are_failures_but_no_bad_responses() {
        for line in ["\n", "# busy\n", "hello\n", "150\n", "-5%\n", "%\n"] {
            let failure = judge(line.as_bytes()).unwrap_err();
            assert!(matches!(failure, ProbeFailure::Agent(_)) && !failure.is_bad_response(), "{line}");
        }
        let why = judge(b"up hello\n").unwrap_err().to_string();
        assert_eq!(why, "agent says \"up hello\", which contains an unknown word");
        assert_eq!(judge(b"\n").unwrap_err().to_string(), "agent says nothing");
        assert!(matches!(judge(b""), Err(ProbeFailure::Connection(_))));
    }
}
