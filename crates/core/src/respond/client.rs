//! Who has sent a packet, and when.

use std::net::IpAddr;

use super::Transport;
use crate::time::Now;

/// The sender of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The source address of the packet. Over UDP, it can be forged.
    pub address: IpAddr,
    /// When the packet was received.
    pub now: Now,
}

/// How a packet came to the server, and which client has sent it.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// How the packet came.
    pub transport: Transport,
    /// Who has sent it. `None` if this is not known: then the query is answered without a cookie,
    /// and no limit applies.
    pub client: Option<Client>,
}

impl From<Transport> for Sender {
    /// A sender that is not known.
    fn from(transport: Transport) -> Self {
        Self { transport, client: None }
    }
}
