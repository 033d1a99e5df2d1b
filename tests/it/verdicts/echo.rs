//! A node that answers pings, or does not, in a network of its own.

use std::sync::Arc;

use super::behaviour::{Behaviour, Turning, follow};
use crate::support::namespace::Namespace;

/// Its address.
pub(super) const ADDRESS: &str = "192.0.2.9";

/// A network that holds the node and nothing else.
pub(super) fn start(node: &Arc<Turning>) -> Arc<Namespace> {
    let network = Arc::new(Namespace::new());
    network.run(&format!("ip route add local {ADDRESS} dev lo"));
    let (pinged, set) = (Arc::clone(&network), Arc::clone(&network));
    follow(node, move || pinged.pings(), move |behaviour| behave(&set, behaviour));
    network
}

fn behave(network: &Namespace, behaviour: Behaviour) {
    if behaviour == Behaviour::Refuses {
        network.run(&format!("ip route replace unreachable {ADDRESS} table local"));
        return;
    }
    let is_silent = u8::from(behaviour != Behaviour::Well);
    network.run(&format!("echo {is_silent} > /proc/sys/net/ipv4/icmp_echo_ignore_all"));
}
