//! `[server.rate_limit]`: the limit on responses over UDP per network of clients.

use std::num::NonZeroU32;

use evenkeel_core::clients::RateLimit;

use super::section::Section;

/// The limit, and what happens to responses beyond it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResponseRateLimit {
    /// The limit per network.
    pub limit: RateLimit,
    /// One in so many responses beyond the limit is sent truncated; the others are not sent. `None`
    /// if none is sent.
    pub slip: Option<NonZeroU32>,
}

/// Reads the section. Returns `None` if it has no limit, which is reported.
pub(super) fn read(section: Section<'_>) -> Option<ResponseRateLimit> {
    let per_second = section.integer("responses_per_second", 1..=1_000_000);
    let per_second = section.required("responses_per_second", per_second, "for example: responses_per_second = 200");
    let number = |key, range, default| section.integer(key, range).map_or(default, |number| number.value);
    let slip = NonZeroU32::new(number("slip", 0..=100, 2));
    let (ipv4_prefix, ipv6_prefix) = (number("ipv4_prefix", 1..=32, 24), number("ipv6_prefix", 1..=128, 56));
    section.finish();
    let per_second = NonZeroU32::new(per_second?.value)?;
    let limit = RateLimit { per_second, ipv4_prefix: ipv4_prefix as u8, ipv6_prefix: ipv6_prefix as u8 };
    Some(ResponseRateLimit { limit, slip })
}
