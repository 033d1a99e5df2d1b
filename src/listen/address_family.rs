//! The address families of UDP: the type of client addresses, and the packet information that holds
//! the local address of a query.
//!
//! [`super::udp`] is generic over the family. With one type for both, each packet would carry the
//! larger socket address, copied at each step.

use std::fmt::Display;
use std::net::IpAddr;

use libc::{in_addr, in_pktinfo, in6_pktinfo};
use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, SockaddrIn, SockaddrIn6, SockaddrLike};

/// An address family.
pub(super) trait AddressFamily {
    /// Address and port of a client.
    type Client: Copy + Display + SockaddrLike;

    /// The local address to which a query was sent. Its response must leave from there.
    type PacketInfo: Copy;

    /// A buffer for the control message that holds the packet information.
    fn control_buffer() -> Vec<u8>;

    /// The address of a client.
    fn ip(client: &Self::Client) -> IpAddr;

    /// The port of a client.
    fn port(client: &Self::Client) -> u16;

    /// Reads the packet information of a query, in the form that its response needs.
    fn packet_info(message: ControlMessageOwned) -> Option<Self::PacketInfo>;

    /// The control message that makes a response leave from a local address.
    fn control_message(info: &Self::PacketInfo) -> ControlMessage<'_>;

    /// Returns true if one system call can send the responses of both.
    fn is_same_source(one: &Self::PacketInfo, other: &Self::PacketInfo) -> bool;
}

/// IPv4.
pub(super) struct V4;

/// IPv6.
pub(super) struct V6;

impl AddressFamily for V4 {
    type Client = SockaddrIn;
    type PacketInfo = in_pktinfo;

    fn control_buffer() -> Vec<u8> {
        cmsg_space!(in_pktinfo)
    }

    fn ip(client: &SockaddrIn) -> IpAddr {
        client.ip().into()
    }

    fn port(client: &SockaddrIn) -> u16 {
        client.port()
    }

    fn packet_info(message: ControlMessageOwned) -> Option<in_pktinfo> {
        match message {
            // Interface 0: the route to the client decides the interface.
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: info.ipi_addr, ipi_addr: in_addr { s_addr: 0 } })
            }
            _ => None,
        }
    }

    fn control_message(info: &in_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv4PacketInfo(info)
    }

    fn is_same_source(one: &in_pktinfo, other: &in_pktinfo) -> bool {
        one.ipi_spec_dst.s_addr == other.ipi_spec_dst.s_addr
    }
}

impl AddressFamily for V6 {
    type Client = SockaddrIn6;
    type PacketInfo = in6_pktinfo;

    fn control_buffer() -> Vec<u8> {
        cmsg_space!(in6_pktinfo)
    }

    fn ip(client: &SockaddrIn6) -> IpAddr {
        client.ip().into()
    }

    fn port(client: &SockaddrIn6) -> u16 {
        client.port()
    }

    fn packet_info(message: ControlMessageOwned) -> Option<in6_pktinfo> {
        match message {
            // The interface on which the query arrived stays: link-local addresses need it.
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(info),
            _ => None,
        }
    }

    fn control_message(info: &in6_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv6PacketInfo(info)
    }

    fn is_same_source(one: &in6_pktinfo, other: &in6_pktinfo) -> bool {
        one.ipi6_addr.s6_addr == other.ipi6_addr.s6_addr && one.ipi6_ifindex == other.ipi6_ifindex
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddrV4, SocketAddrV6};

    use libc::in6_addr;

    use super::*;

    #[test]
    fn ports_are_in_host_byte_order() {
        let client: SocketAddrV4 = "127.0.0.1:53".parse().unwrap();
        assert_eq!(V4::port(&client.into()), 53);
        let client: SocketAddrV6 = "[::1]:53".parse().unwrap();
        assert_eq!(V6::port(&client.into()), 53);
    }

    #[test]
    fn ipv6_sources_are_the_same_if_address_and_interface_are() {
        let info = |last_octet: u8, interface: u32| {
            let mut s6_addr = [0; 16];
            s6_addr[15] = last_octet;
            in6_pktinfo { ipi6_addr: in6_addr { s6_addr }, ipi6_ifindex: interface }
        };
        assert!(V6::is_same_source(&info(1, 2), &info(1, 2)));
        assert!(!V6::is_same_source(&info(1, 2), &info(1, 3)));
        assert!(!V6::is_same_source(&info(1, 2), &info(2, 2)));
    }

    #[test]
    fn ipv4_sources_are_the_same_if_the_address_is_and_name_no_interface() {
        let info = |last_octet: u8| {
            let address = in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, last_octet]) };
            let received = in_pktinfo { ipi_ifindex: 7, ipi_spec_dst: in_addr { s_addr: 0 }, ipi_addr: address };
            V4::packet_info(ControlMessageOwned::Ipv4PacketInfo(received)).expect("the message is of IPv4")
        };
        assert!(V4::is_same_source(&info(1), &info(1)));
        assert!(!V4::is_same_source(&info(1), &info(2)));
        assert_eq!(info(1).ipi_ifindex, 0, "the route decides the interface");
    }
}
