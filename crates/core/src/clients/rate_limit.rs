//! Limits the responses per network of clients, so that an attacker who forges the source addresses
//! of queries cannot make the server flood a victim.
//!
//! Each network, a prefix of addresses, gets a number of responses per second, and a second's worth
//! at once. The limiter keeps one number per network: the moment at which the responses so far
//! would be over at the allowed rate (the "virtual scheduling" form of a leaky bucket, ITU-T I.371).
//!
//! The memory is fixed: a network has two slots that it can use, and takes the one that has been
//! quiet for longer. If an attacker uses more networks than there are slots, networks displace each
//! other, and some responses are allowed that should not be. A response is almost never refused
//! because of another network: two networks would have to share a slot and 24 bits of a secret hash. All workers share the table without locks: two responses at the same moment may
//! count as one.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hashbrown::DefaultHashBuilder;

/// Slots of the table. A million networks per minute can be told apart at 1 MiB of memory.
const SLOTS: usize = 1 << 17;

/// Ticks per second: enough for the step of the highest limit to be exact to 2 %. 40 bits of ticks
/// are 4.5 hours. After that, a slot of a quiet network can look busy for at most two seconds.
const TICKS: u64 = 1 << 26;

/// The bits of a slot that hold a moment. The others tell networks apart.
const MOMENT: u64 = (1 << 40) - 1;

/// How many responses each network may get.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RateLimit {
    /// Responses per second and network.
    pub per_second: NonZeroU32,
    /// Length of the prefix that all IPv4 addresses of a network share, in bits, up to 32.
    pub ipv4_prefix: u8,
    /// Length of the prefix that all IPv6 addresses of a network share, in bits, up to 128.
    pub ipv6_prefix: u8,
}

/// Counts responses per network.
#[derive(Debug)]
pub struct RateLimiter {
    limit: RateLimit,
    /// Ticks per response.
    step: u64,
    start: Instant,
    hasher: DefaultHashBuilder,
    slots: Box<[AtomicU64]>,
}

impl RateLimiter {
    /// A limiter that has counted nothing. `now` is the earliest moment that it is asked about.
    pub fn new(limit: RateLimit, now: Instant) -> Self {
        let slots = std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect();
        // Rounded up: one response more than the limit would be too many.
        let step = TICKS.div_ceil(u64::from(limit.per_second.get()));
        Self { limit, step, start: now, hasher: DefaultHashBuilder::default(), slots }
    }

    /// The limit.
    pub fn limit(&self) -> RateLimit {
        self.limit
    }

    /// Counts an answer to an address. Returns false if its network is over the limit.
    pub fn allow(&self, address: IpAddr, now: Instant) -> bool {
        self.count(self.hasher.hash_one((self.network(address), 0_u8)), now)
    }

    /// Counts a cookie for an address whose network is over the limit of answers. Cookies have the
    /// same limit again.
    pub fn allow_cookie(&self, address: IpAddr, now: Instant) -> bool {
        self.count(self.hasher.hash_one((self.network(address), 1_u8)), now)
    }

    /// Counts a response under this hash.
    fn count(&self, hash: u64, now: Instant) -> bool {
        // Slot and tag come from different bits of the hash.
        let tag = hash & !MOMENT;
        let slots = [hash as usize % SLOTS, (hash >> 17) as usize % SLOTS].map(|slot| &self.slots[slot]);
        let since = now.saturating_duration_since(self.start);
        let fraction = u64::from(since.subsec_nanos()) * TICKS / 1_000_000_000;
        let now = (since.as_secs().wrapping_mul(TICKS) + fraction) & MOMENT;
        let found = slots.map(|slot| slot.load(Ordering::Relaxed));
        let lead = |value: u64| lead(value & MOMENT, now);
        let (at, lead) = match found.iter().position(|value| value & !MOMENT == tag) {
            Some(at) => (at, lead(found[at])),
            // Of two other networks, the one that is nearer to quiet is forgotten.
            None => (usize::from(lead(found[1]) < lead(found[0])), 0),
        };
        let is_allowed = lead < TICKS;
        if is_allowed {
            slots[at].store(tag | (now + lead + self.step) & MOMENT, Ordering::Relaxed);
        }
        is_allowed
    }

    /// The network of an address: the bits of its prefix, and its family.
    fn network(&self, address: IpAddr) -> (u128, bool) {
        let prefix = |bits: u128, width: u8, len: u8| match width.checked_sub(len) {
            Some(rest) => bits.checked_shr(u32::from(rest)).unwrap_or_default(),
            None => bits,
        };
        match address {
            IpAddr::V4(v4) => (prefix(u128::from(v4.to_bits()), 32, self.limit.ipv4_prefix), false),
            IpAddr::V6(v6) => (prefix(v6.to_bits(), 128, self.limit.ipv6_prefix), true),
        }
    }
}

/// How many ticks a moment is ahead of now; 0 if it has passed. Moments wrap.
fn lead(moment: u64, now: u64) -> u64 {
    let ahead = moment.wrapping_sub(now) & MOMENT;
    // At most a second and one step are ever stored, so more is a moment of the past.
    if ahead <= 2 * TICKS { ahead } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn limiter(per_second: u32, now: Instant) -> RateLimiter {
        let per_second = NonZeroU32::new(per_second).expect("the limit is above zero");
        RateLimiter::new(RateLimit { per_second, ipv4_prefix: 24, ipv6_prefix: 56 }, now)
    }

    #[test]
    fn a_network_gets_a_second_at_once_and_then_its_rate() {
        let start = Instant::now();
        let limiter = limiter(50, start);
        let allowed = |after: Duration, tries: u32| {
            (0..tries).filter(|i| limiter.allow(Ipv4Addr::new(192, 0, 2, *i as u8).into(), start + after)).count()
        };
        assert_eq!(allowed(Duration::ZERO, 1000), 50);
        assert_eq!(allowed(Duration::from_millis(500), 1000), 25);
        assert_eq!(allowed(Duration::from_secs(60), 1000), 50);
        // After 4.5 hours, the moments have wrapped; after 204 days, more bits than that.
        assert_eq!(allowed(Duration::from_secs(6 * 3600), 1000), 50);
        assert_eq!(allowed(Duration::from_secs(300 * 86_400), 1000), 50);
        assert!(limiter.allow(Ipv4Addr::new(192, 0, 3, 1).into(), start), "another network");
    }

    #[test]
    fn high_limits_are_met() {
        let start = Instant::now();
        let address = Ipv4Addr::LOCALHOST.into();
        for per_second in [20_000, 300_000, 1_000_000] {
            let limiter = limiter(per_second, start);
            let allowed = (0..2 * per_second).filter(|_| limiter.allow(address, start)).count();
            assert!(allowed.abs_diff(per_second as usize) <= per_second as usize / 50, "{allowed} of {per_second}");
            assert!(limiter.allow_cookie(address, start), "cookies have a limit of their own");
        }
    }

    #[test]
    fn ipv6_networks_are_told_apart_by_their_prefix() {
        let start = Instant::now();
        let limiter = limiter(1, start);
        let allow = |a: u16, b: u16| limiter.allow(Ipv6Addr::new(0x2001, 0xdb8, 0, a, 0, 0, 0, b).into(), start);
        assert!(allow(0x100, 1));
        assert!(!allow(0x1ff, 2), "the same 56 bits");
        assert!(allow(0x200, 1));
        // ::ffff:1 is not the network of an IPv4 address.
        assert!(limiter.allow(Ipv4Addr::new(0, 0, 1, 0).into(), start));
    }

    proptest! {
        /// Whatever the order of queries: in no second, a network gets more than twice its rate.
        #[test]
        fn no_network_gets_more_than_its_rate(
            per_second in 1..200_u32, gaps in prop::collection::vec(0..30_u64, 1..600),
        ) {
            let start = Instant::now();
            let limiter = limiter(per_second, start);
            let mut at = 0;
            let allowed: Vec<u64> = gaps
                .iter()
                .map(|gap| { at += gap; at })
                .filter(|at| limiter.allow(Ipv4Addr::LOCALHOST.into(), start + Duration::from_millis(*at)))
                .collect();
            for (i, first) in allowed.iter().enumerate() {
                let in_a_second = allowed[i..].iter().take_while(|at| **at < first + 1000).count();
                prop_assert!(in_a_second <= 2 * per_second as usize + 1, "{in_a_second} of {per_second}");
            }
        }
    }
}
