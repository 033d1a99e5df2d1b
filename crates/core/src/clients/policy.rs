//! What the server asks of clients over UDP. A configuration sets it; each snapshot has it.

use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{CookieSecrets, RateLimiter};

/// Cookies and the rate limit. Without either, every query is answered.
#[derive(Clone, Debug, Default)]
pub struct ClientPolicy {
    /// The secrets of cookies, which roll while the snapshot stays; `None` without cookies.
    pub cookies: Option<Arc<ArcSwap<CookieSecrets>>>,
    /// The limit on responses per network of clients.
    pub rate_limit: Option<LimitedResponses>,
}

impl ClientPolicy {
    /// Returns true if responses depend on the client and the time.
    pub fn needs_clients(&self) -> bool {
        self.cookies.is_some() || self.rate_limit.is_some()
    }
}

/// A limit on responses, and what happens beyond it.
#[derive(Clone, Debug)]
pub struct LimitedResponses {
    /// Counts the responses. It can outlive a configuration.
    pub limiter: Arc<RateLimiter>,
    /// Beyond the limit, one in so many responses is sent without records and with TC set, so that
    /// clients can ask again over TCP; the others are not sent. `None` if none is sent.
    pub slip: Option<NonZeroU32>,
}
