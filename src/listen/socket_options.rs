//! Socket options of Linux that no library has.
//!
//! The macros define the types as nix defines its own, so there is no `unsafe` here. Systems that
//! imitate Linux may lack the options; then reading or setting one fails.

use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// Seconds for which the kernel keeps a connection that has sent nothing, before the listener
    /// can accept it (`tcp(7)`). The kernel rounds up to its next repetition of the SYN-ACK.
    TcpDeferAccept,
    Both,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    libc::c_int
);

/// Memory and drops of a socket; the positions of the members are those of `SK_MEMINFO_…` in
/// `linux/sock_diag.h`.
type MemoryInfo = [u32; 9];

/// The position of the number of dropped packets (`SK_MEMINFO_DROPS`).
pub(super) const DROPS: usize = 8;

sockopt_impl!(
    /// Memory of the socket, and the packets that it dropped.
    SocketMemory,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_MEMINFO,
    MemoryInfo
);
