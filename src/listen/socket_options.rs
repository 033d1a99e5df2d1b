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
