//! Monitor kind `exec`: a program. Exit code 0 is a success; the last line of its output is the
//! reason of a failure.
//!
//! The check is the [`Program`] itself.

use std::net::IpAddr;

use evenkeel_core::health::{ProbeFailure, ProbeNotRun, ProbeSuccess};

use super::outcome::ProbeError;
use crate::program::Program;

/// Runs a program for one address.
pub(super) struct Probe {
    program: Program,
    address: String,
    host: String,
}

impl Probe {
    pub(super) fn new(program: &Program, address: IpAddr, host: &str) -> Self {
        Self { program: program.clone(), address: address.to_string(), host: host.to_owned() }
    }

    pub(super) async fn run(&self) -> Result<ProbeSuccess, ProbeError> {
        let environment = [("EVENKEEL_ADDRESS", self.address.as_str()), ("EVENKEEL_HOST", self.host.as_str())];
        // A program that cannot be started says nothing about the node.
        let not_started = |error: std::io::Error| ProbeError::NotRun(ProbeNotRun(error.to_string()));
        match self.program.run(&environment).await.map_err(not_started)? {
            Ok(()) => Ok(ProbeSuccess::FULL_WEIGHT),
            Err(failure) => Err(ProbeFailure::Program(failure.to_string()).into()),
        }
    }
}
