//! How a node misbehaves on request.

use serde::{Deserialize, Serialize};

/// Longest outage in milliseconds: an hour.
const LONGEST_OUTAGE: u64 = 3_600_000;

/// What is wrong with a node, and how it works.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Faults {
    /// Status of `/readyz`.
    pub readyz: u16,
    /// Milliseconds for which the node is ready, and then not, in turn; 0 for always.
    pub flap_ms: u64,
    /// Status of uploads and of opening a batch; anything but success refuses them, ready or not.
    pub scan: u16,
    /// Status of a nomination; anything but success changes nothing.
    pub nomination: u16,
    /// Milliseconds before every answer.
    pub slow_ms: u64,
    /// Requests are read and never answered.
    pub hang: bool,
    /// Bytes of an upload after which its connection is reset; 0 for never.
    pub reset_after: u64,
    /// Milliseconds that a scan takes.
    pub scan_ms: u64,
    /// Scans at a time; more uploads are refused.
    pub queue: usize,
    /// There is no valid license: the node is not ready and refuses scans.
    pub license_expired: bool,
    /// Presents the wrong certificate.
    pub wrong_certificate: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            readyz: 200,
            flap_ms: 0,
            scan: 200,
            nomination: 200,
            slow_ms: 0,
            hang: false,
            reset_after: 0,
            scan_ms: 300,
            queue: 1500,
            license_expired: false,
            wrong_certificate: false,
        }
    }
}

/// The body of `PUT /_fake`: what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFaults {
    readyz: Option<u16>,
    flap_ms: Option<u64>,
    scan: Option<u16>,
    nomination: Option<u16>,
    slow_ms: Option<u64>,
    hang: Option<bool>,
    reset_after: Option<u64>,
    scan_ms: Option<u64>,
    queue: Option<usize>,
    license_expired: Option<bool>,
    wrong_certificate: Option<bool>,
    /// Goes away for some time.
    pub(crate) outage: Option<Outage>,
}

/// A time during which nobody reaches the node. Open connections are closed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outage {
    pub(crate) ms: u64,
    #[serde(default)]
    pub(crate) kind: OutageKind,
    /// Whether it still knows its sessions afterwards.
    #[serde(default = "yes")]
    pub(crate) keeps_sessions: bool,
}

fn yes() -> bool {
    true
}

/// What connections meet meanwhile.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutageKind {
    /// They are refused.
    #[default]
    Refuse,
    /// They are met with silence.
    Blackhole,
}

impl Faults {
    /// With new ones.
    ///
    /// # Errors
    /// A status that is none, or an outage without an end; the text names it and what is accepted.
    pub(crate) fn with(self, new: &NewFaults) -> Result<Self, String> {
        for (name, status) in [("readyz", new.readyz), ("scan", new.scan), ("nomination", new.nomination)] {
            if status.is_some_and(|status| !(200..=999).contains(&status)) {
                return Err(format!("{name} must be a status code from 200 to 999"));
            }
        }
        if new.outage.is_some_and(|outage| outage.ms > LONGEST_OUTAGE) {
            // Nobody could end it: nothing listens meanwhile.
            return Err(format!("outage.ms must be at most {LONGEST_OUTAGE}"));
        }
        Ok(Self {
            readyz: new.readyz.unwrap_or(self.readyz),
            flap_ms: new.flap_ms.unwrap_or(self.flap_ms),
            scan: new.scan.unwrap_or(self.scan),
            nomination: new.nomination.unwrap_or(self.nomination),
            slow_ms: new.slow_ms.unwrap_or(self.slow_ms),
            hang: new.hang.unwrap_or(self.hang),
            reset_after: new.reset_after.unwrap_or(self.reset_after),
            scan_ms: new.scan_ms.unwrap_or(self.scan_ms),
            queue: new.queue.unwrap_or(self.queue),
            license_expired: new.license_expired.unwrap_or(self.license_expired),
            wrong_certificate: new.wrong_certificate.unwrap_or(self.wrong_certificate),
        })
    }
}
