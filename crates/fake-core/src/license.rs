//! The license of a node: whether it takes scans.
//!
//! ```text
//!                  register                   nominate
//!   unlicensed ───────────────▶ hot backup ───────────────▶ active
//!    │  ▲  ▲                        │                        ▲  │
//!    │  │  └─────── unregister ─────┘                        │  │
//!    │  └──────────── "unregistered" of /_fake ──────────────┼──┘
//!    └─────────────────────── activate ──────────────────────┘
//! ```
//!
//! `licensing` has the requests that change it. `"unregistered"` stands for the vendor, which
//! unregisters the former active node after a nomination.

/// What a node may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum License {
    /// The node is activated and takes scans.
    #[default]
    Active,
    /// The node is a hot backup: it takes no scans until it is nominated.
    Backup {
        /// Registered with an activation key. Only such a backup can be nominated.
        is_online: bool,
    },
    /// The node takes no scans, and is not ready.
    Unlicensed,
}
