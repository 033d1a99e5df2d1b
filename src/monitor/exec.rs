//! Program probes: exit code 0 passes, the last line that the program prints is the reason.

use std::net::IpAddr;

use evenkeel_core::health::{ProbeFailure, ProbeSuccess};

use super::outcome::Broken;
use crate::program::Program;

pub(super) struct Probe {
    program: Program,
    address: String,
    host: String,
}

impl Probe {
    pub(super) fn new(program: &Program, address: IpAddr, host: &str) -> Self {
        Self { program: program.clone(), address: address.to_string(), host: host.to_owned() }
    }

    pub(super) async fn run(&self) -> Result<ProbeSuccess, Broken> {
        let environment = [("EVENKEEL_ADDRESS", self.address.as_str()), ("EVENKEEL_HOST", self.host.as_str())];
        // A program that cannot be started says nothing about the node.
        let ended = self.program.run(&environment).await.map_err(|error| Broken::Machine(error.to_string()))?;
        ended.map(|()| ProbeSuccess::FULL_WEIGHT).map_err(|failure| ProbeFailure::Program(failure.to_string()).into())
    }
}
