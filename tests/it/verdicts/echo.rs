//! A node for `ping` monitors, in a network of its own.

use std::sync::Arc;

use super::behaviour::{Behaviour, ChangingNode, apply_behaviours};
use crate::support::namespace::Namespace;

/// Address of the node.
pub(super) const ADDRESS: &str = "192.0.2.9";

/// Creates a network with the node and nothing else.
pub(super) fn start(node: &Arc<ChangingNode>) -> Arc<Namespace> {
    let network = Arc::new(Namespace::new());
    network.run(&format!("ip route add local {ADDRESS} dev lo"));
    let (pinged, changed) = (Arc::clone(&network), Arc::clone(&network));
    apply_behaviours(node, move || pinged.pings(), move |behaviour| behave(&changed, behaviour));
    network
}

/// Applies a behaviour in the network.
fn behave(network: &Namespace, behaviour: Behaviour) {
    if behaviour == Behaviour::Refuses {
        network.run(&format!("ip route replace unreachable {ADDRESS} table local"));
        return;
    }
    let is_silent = u8::from(behaviour != Behaviour::Well);
    network.run(&format!("echo {is_silent} > /proc/sys/net/ipv4/icmp_echo_ignore_all"));
}
