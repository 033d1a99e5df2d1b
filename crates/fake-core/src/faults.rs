//! The faults of a node: their JSON form, their default values, and which values are accepted.
//!
//! Tests set them with `PUT /_fake`; the handlers and the server obey them.

use serde::{Deserialize, Serialize};

/// Longest accepted outage in milliseconds: one hour.
const LONGEST_OUTAGE_MS: u64 = 3_600_000;

/// The faults of a node at one moment. `PUT /_fake` returns them in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Faults {
    /// Status of `/readyz`.
    pub(crate) readyz: u16,
    /// Milliseconds after which `/readyz` alternates between `readyz` and 503; 0 disables it.
    pub(crate) flap_ms: u64,
    /// Status of uploads and of opening a batch. Any status but 2xx refuses them.
    pub(crate) scan: u16,
    /// Status of a nomination. After any status but 2xx the node stays a hot backup.
    pub(crate) nomination: u16,
    /// Delay of every response in milliseconds.
    pub(crate) slow_ms: u64,
    /// Requests are read and get no response.
    pub(crate) hang: bool,
    /// Number of bytes of an upload after which the node resets the connection; 0 disables it.
    pub(crate) reset_after: u64,
    /// Duration of a scan in milliseconds.
    pub(crate) scan_ms: u64,
    /// Most scans in progress; further uploads are refused.
    pub(crate) queue: usize,
    /// The license has expired: the node is not ready and refuses scans.
    pub(crate) license_expired: bool,
    /// New TLS connections get the wrong certificate.
    pub(crate) wrong_certificate: bool,
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

/// The body of `PUT /_fake`: members that are left out keep their values.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object of faults")]
pub(crate) struct FaultsUpdate {
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
    /// Takes away the license, as the vendor does, or gives it back. The license is a state that
    /// requests change as well, so [`Faults`] does not hold it.
    pub(crate) unregistered: Option<bool>,
    /// Starts an outage. It is an action, so [`Faults`] does not hold it.
    pub(crate) outage: Option<Outage>,
}

/// A period during which the node is unreachable. When it starts, the node closes all connections.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `ms`")]
pub(crate) struct Outage {
    /// Its duration in milliseconds.
    pub(crate) ms: u64,
    /// What happens to new connections.
    #[serde(default)]
    pub(crate) kind: OutageKind,
    /// If false, the node has lost its files and batches when it returns, as after a crash.
    #[serde(default = "yes")]
    pub(crate) keeps_sessions: bool,
}

/// The default of `keeps_sessions`, in the form that serde wants.
fn yes() -> bool {
    true
}

/// What happens to new connections during an outage.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutageKind {
    /// The kernel refuses them.
    #[default]
    Refuse,
    /// The kernel drops their packets, so that clients run into their timeout.
    Blackhole,
}

/// Why a JSON object of faults was refused.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// Malformed JSON, an unknown member, or a value of the wrong type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A member holds a number that is not a status code.
    #[error("{0} must be a status code from 200 to 999")]
    Status(&'static str),
    /// The node could not be brought back earlier: it does not listen during an outage.
    #[error("outage.ms must be at most {}", LONGEST_OUTAGE_MS)]
    OutageTooLong,
    /// An outage was requested for a node that does not run yet.
    #[error("outage cannot be set before the node runs; send it with PUT /_fake")]
    OutageAtStart,
}

impl FaultsUpdate {
    /// Parses the body of `PUT /_fake`.
    ///
    /// # Errors
    /// Returns [`FaultsError::Json`] if the body is not valid. [`Faults::updated`] checks the
    /// values.
    pub(crate) fn parse(json: &str) -> Result<Self, FaultsError> {
        Ok(serde_json::from_str(json)?)
    }
}

impl Faults {
    /// Returns these faults with the members of `update` replaced.
    ///
    /// # Errors
    /// A member has a value out of its range.
    pub(crate) fn updated(self, update: &FaultsUpdate) -> Result<Self, FaultsError> {
        for (member, status) in [("readyz", update.readyz), ("scan", update.scan), ("nomination", update.nomination)] {
            if status.is_some_and(|status| !(200..=999).contains(&status)) {
                return Err(FaultsError::Status(member));
            }
        }
        if update.outage.is_some_and(|outage| outage.ms > LONGEST_OUTAGE_MS) {
            return Err(FaultsError::OutageTooLong);
        }
        Ok(Self {
            readyz: update.readyz.unwrap_or(self.readyz),
            flap_ms: update.flap_ms.unwrap_or(self.flap_ms),
            scan: update.scan.unwrap_or(self.scan),
            nomination: update.nomination.unwrap_or(self.nomination),
            slow_ms: update.slow_ms.unwrap_or(self.slow_ms),
            hang: update.hang.unwrap_or(self.hang),
            reset_after: update.reset_after.unwrap_or(self.reset_after),
            scan_ms: update.scan_ms.unwrap_or(self.scan_ms),
            queue: update.queue.unwrap_or(self.queue),
            license_expired: update.license_expired.unwrap_or(self.license_expired),
            wrong_certificate: update.wrong_certificate.unwrap_or(self.wrong_certificate),
        })
    }
}
