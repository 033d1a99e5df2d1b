//! `port`: the TCP port of the nodes.

use super::section::Section;

/// A port without a default. Returns 0 if it is missing or wrong, which has been reported.
pub(super) fn required(section: &Section<'_>) -> u16 {
    let port = optional(section);
    section.required("port", port, "the TCP port of the nodes, for example 8008").unwrap_or_default()
}

/// A port, if the section has one.
pub(super) fn optional(section: &Section<'_>) -> Option<u16> {
    let port = section.integer("port", 1..=u32::from(u16::MAX))?;
    u16::try_from(port.value).ok()
}
