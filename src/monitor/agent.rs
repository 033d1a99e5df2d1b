//! Agent probes: one line that a program on the node says of it, in the words of HAProxy's agent-check.
//!
//! | words | meaning here |
//! |---|---|
//! | `up`, `ready` | passes |
//! | `down`, `fail`, `failed`, `stopped` | fails; what follows a `#` is the reason |
//! | `drain`, `maint` | fails: the node shall get no new sessions |
//! | `75%` | passes with that part of its weight; `0%` fails |
//! | `maxconn:…` | nothing, connections are not counted here |
//!
//! Several words may stand in a line, with blanks or commas between them; the worst decides.

use std::net::SocketAddr;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};
use tokio::io::AsyncWriteExt;

use super::outcome::Broken;
use super::stream::{beginning, connect, read_until};

/// Bytes of a line that are read.
const LIMIT: usize = 1024;

/// Where the agent listens (HAProxy's agent-check).
#[derive(Clone, Debug, PartialEq)]
pub struct AgentCheck {
    /// TCP port.
    pub port: u16,
    /// Sent once connected.
    pub send: Vec<u8>,
}

/// Asks an agent.
pub(super) struct Probe {
    check: AgentCheck,
    to: SocketAddr,
}

impl Probe {
    pub(super) fn new(check: &AgentCheck, to: SocketAddr) -> Self {
        Self { check: check.clone(), to }
    }

    pub(super) async fn run(&self) -> Result<ProbeSuccess, Broken> {
        let mut stream = connect(self.to).await?;
        stream.write_all(&self.check.send).await?;
        let reply = read_until(&mut stream, LIMIT, |reply| reply.contains(&b'\n')).await?;
        Ok(judge(&reply)?)
    }
}

fn judge(reply: &[u8]) -> Result<ProbeSuccess, ProbeFailure> {
    let text = String::from_utf8_lossy(reply);
    let line = text.lines().next().unwrap_or_default();
    let (words, reason) = line.split_once('#').map_or((line, ""), |(words, reason)| (words, reason.trim()));
    let out = |word: &str| {
        let why = if reason.is_empty() { word.to_owned() } else { format!("{word}: {reason}") };
        Err(ProbeFailure::Agent(why.chars().take(200).filter(|c| !c.is_control()).collect()))
    };
    let (mut percent, mut understood) = (100, false);
    for word in words.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "up" | "ready" => understood = true,
            "down" | "fail" | "failed" | "stopped" | "drain" | "maint" | "0%" => return out(&lower),
            _ if lower.starts_with("maxconn:") => understood = true,
            _ => match lower.strip_suffix('%').and_then(|number| number.parse::<u16>().ok()) {
                Some(0) => return out("0%"),
                Some(number) => {
                    // More than all of its weight is still the weight of the configuration.
                    percent = number.min(100) as u8;
                    understood = true;
                }
                None => {
                    return Err(ProbeFailure::Reply(format!(
                        "agent said \"{}\", which is no word of agents",
                        beginning(reply)
                    )));
                }
            },
        }
    }
    let nothing = "agent said nothing".to_owned();
    match (understood, reply) {
        (true, _) => Ok(ProbeSuccess { weight_percent: percent }),
        (false, []) => Err(ProbeFailure::Connection(nothing)),
        (false, _) => Err(ProbeFailure::Reply(nothing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_protocol_has_its_meaning() {
        for (line, percent) in [
            ("up\n", 100),
            ("ready\n", 100),
            ("up 75%\n", 75),
            ("75%\n", 75),
            ("READY,UP,50%\r\n", 50),
            ("250%\n", 100),
            ("maxconn:30 up\n", 100),
            ("up", 100),
        ] {
            assert_eq!(judge(line.as_bytes()), Ok(ProbeSuccess { weight_percent: percent }), "{line}");
        }
        for (line, why) in [
            ("down\n", "agent says down"),
            ("down#disk is full\n", "agent says down: disk is full"),
            ("fail # engine gone\n", "agent says fail: engine gone"),
            ("stopped\n", "agent says stopped"),
            ("drain\n", "agent says drain"),
            ("maint\n", "agent says maint"),
            ("up 0%\n", "agent says 0%"),
            ("ready drain 50%\n", "agent says drain"),
        ] {
            assert_eq!(judge(line.as_bytes()).unwrap_err().to_string(), why, "{line}");
        }
        assert!(matches!(judge(b""), Err(ProbeFailure::Connection(_))));
        for odd in ["\n", "# busy\n", "hello\n", "150\n", "-5%\n", "%\n"] {
            assert!(matches!(judge(odd.as_bytes()), Err(ProbeFailure::Reply(_))), "{odd}");
        }
    }
}
