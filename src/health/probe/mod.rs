//! Probes: one attempt of a monitor against one address.

mod http;
#[cfg(test)]
pub(super) mod script;

use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use super::{Kind, Monitor};

/// Why a probe failed; the text is the reason that users see.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Failure {
    /// Nothing came in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection could not be made or broke.
    #[error("{0}")]
    Connection(String),
    /// Another status code than expected.
    #[error("status {0}")]
    Status(u16),
    /// The body lacks what it must hold.
    #[error("body {0}")]
    Body(String),
}

/// Why a probe says nothing about the node: this machine could not even try.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("this machine cannot probe: {0}")]
pub struct Untried(pub String);

/// What a probe found: a verdict, or nothing.
pub type Outcome = Result<Result<(), Failure>, Untried>;

/// Carries out the probes of all kinds; cheap to clone.
#[derive(Clone, Debug)]
pub struct Prober {
    http: http::Prober,
    /// Takes the place of the network.
    #[cfg(test)]
    script: Option<std::sync::Arc<script::Script>>,
}

impl Prober {
    /// Prepares the clients that probes share.
    ///
    /// # Errors
    /// The system does not let them be made.
    pub fn new() -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http::Prober::new()?,
            #[cfg(test)]
            script: None,
        })
    }

    /// Probes once, within the monitor's timeout.
    ///
    /// # Errors
    /// The probe could not be tried; the address counts neither as good nor as failed.
    pub async fn probe(&self, monitor: &Monitor, address: IpAddr, host: &str) -> Outcome {
        #[cfg(test)]
        if let Some(script) = &self.script {
            return Ok(script.probe(address).await);
        }
        let Kind::Http(check) = &monitor.kind;
        tokio::time::timeout(monitor.timeout, self.http.probe(check, address, host))
            .await
            .unwrap_or(Ok(Err(Failure::Timeout(monitor.timeout))))
    }
}
