//! Exit codes of the program. Those above 63 are from `sysexits.h`.

/// Something failed.
pub(super) const FAILED: u8 = 1;
/// The command line is wrong (`EX_USAGE`).
pub(super) const USAGE: u8 = 64;
/// The configuration is wrong (`EX_CONFIG`).
pub(super) const CONFIG: u8 = 78;
