//! What differs between sockets of IPv4 and of IPv6 for a UDP worker: the addresses of clients, and how a packet
//! tells which of our addresses it came to.
//!
//! With one type for both families every packet would carry the largest address there is, copied at each step.

use std::fmt::Display;

use libc::{in_addr, in_pktinfo, in6_pktinfo};
use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, SockaddrIn, SockaddrIn6, SockaddrLike};

/// An address family.
pub(super) trait Family {
    /// Address and port of a client.
    type Client: Copy + Display + SockaddrLike;

    /// The address that a client has asked.
    type Asked: Copy;

    /// Room for the control message that holds it.
    fn room() -> Vec<u8>;

    /// A client's port.
    fn port(client: &Self::Client) -> u16;

    /// Reads which address was asked.
    fn asked(message: ControlMessageOwned) -> Option<Self::Asked>;

    /// Makes an answer leave from it.
    fn source(asked: &Self::Asked) -> ControlMessage<'_>;

    /// Whether answers to both can be sent by one call.
    fn is_same(one: &Self::Asked, other: &Self::Asked) -> bool;
}

/// IPv4.
pub(super) struct V4;

/// IPv6.
pub(super) struct V6;

impl Family for V4 {
    type Client = SockaddrIn;
    type Asked = in_pktinfo;

    fn room() -> Vec<u8> {
        cmsg_space!(in_pktinfo)
    }

    fn port(client: &SockaddrIn) -> u16 {
        client.port()
    }

    fn asked(message: ControlMessageOwned) -> Option<in_pktinfo> {
        match message {
            // The address as it was asked; the route decides the interface.
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: info.ipi_addr, ipi_addr: in_addr { s_addr: 0 } })
            }
            _ => None,
        }
    }

    fn source(asked: &in_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv4PacketInfo(asked)
    }

    fn is_same(one: &in_pktinfo, other: &in_pktinfo) -> bool {
        one.ipi_spec_dst.s_addr == other.ipi_spec_dst.s_addr
    }
}

impl Family for V6 {
    type Client = SockaddrIn6;
    type Asked = in6_pktinfo;

    fn room() -> Vec<u8> {
        cmsg_space!(in6_pktinfo)
    }

    fn port(client: &SockaddrIn6) -> u16 {
        client.port()
    }

    fn asked(message: ControlMessageOwned) -> Option<in6_pktinfo> {
        match message {
            // Link-local addresses need their interface, and for the others it is the one the packet came by.
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(info),
            _ => None,
        }
    }

    fn source(asked: &in6_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv6PacketInfo(asked)
    }

    fn is_same(one: &in6_pktinfo, other: &in6_pktinfo) -> bool {
        one.ipi6_addr.s6_addr == other.ipi6_addr.s6_addr && one.ipi6_ifindex == other.ipi6_ifindex
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddrV4, SocketAddrV6};

    use libc::in6_addr;

    use super::*;

    #[test]
    fn ports_are_in_the_order_of_the_machine() {
        let client: SocketAddrV4 = "127.0.0.1:53".parse().unwrap();
        assert_eq!(V4::port(&client.into()), 53);
        let client: SocketAddrV6 = "[::1]:53".parse().unwrap();
        assert_eq!(V6::port(&client.into()), 53);
    }

    #[test]
    fn answers_go_together_when_address_and_interface_are_the_same() {
        let asked = |last: u8, interface: u32| {
            let mut s6_addr = [0; 16];
            s6_addr[15] = last;
            in6_pktinfo { ipi6_addr: in6_addr { s6_addr }, ipi6_ifindex: interface }
        };
        assert!(V6::is_same(&asked(1, 2), &asked(1, 2)));
        assert!(!V6::is_same(&asked(1, 2), &asked(1, 3)) && !V6::is_same(&asked(1, 2), &asked(2, 2)));
        let asked = |last: u8| {
            let address = in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, last]) };
            let info = in_pktinfo { ipi_ifindex: 7, ipi_spec_dst: in_addr { s_addr: 0 }, ipi_addr: address };
            V4::asked(ControlMessageOwned::Ipv4PacketInfo(info)).expect("an address")
        };
        assert!(V4::is_same(&asked(1), &asked(1)) && !V4::is_same(&asked(1), &asked(2)));
        assert_eq!(asked(1).ipi_ifindex, 0, "the route decides");
    }
}
