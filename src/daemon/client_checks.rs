//! Cookies and the rate limit: what lasts longer than one configuration.
//!
//! The daemon opens [`ClientChecks`] at the start. Each configuration that it adopts gets its
//! [`ClientPolicy`] from here, so that a reload forgets neither secrets nor what clients have got.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use evenkeel_core::clients::{ClientPolicy, CookieSecrets, LimitedResponses, RateLimiter};
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::abort_on_panic;
use crate::clock::{self, unix_now};
use crate::config::{Cookies, ResponseRateLimit, Server};
use crate::state_dir::CookieStore;

/// Time between two checks whether the secret of cookies is old.
const ROLL_INTERVAL: Duration = Duration::from_secs(3600);

/// The secrets of cookies that the server has made, and the counts of responses.
#[derive(Debug)]
pub(super) struct ClientChecks {
    own_secrets: Arc<ArcSwap<CookieSecrets>>,
    limiter: Option<Arc<RateLimiter>>,
    /// Rolls the secrets.
    _roll_task: AbortOnDropHandle<()>,
}

impl ClientChecks {
    /// Opens the secrets in `state_dir`, and begins to roll them.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn open(state_dir: Option<&Path>) -> io::Result<Self> {
        let store = CookieStore::open(state_dir, unix_now())?;
        let own_secrets = Arc::new(ArcSwap::from_pointee(store.secrets()));
        let roll = abort_on_panic::task(roll(store, Arc::clone(&own_secrets)));
        Ok(Self { own_secrets, limiter: None, _roll_task: AbortOnDropHandle::new(tokio::spawn(roll)) })
    }

    /// The policy of a configuration.
    pub(super) fn policy(&mut self, server: &Server) -> ClientPolicy {
        let cookies = match &server.cookies {
            Cookies::Off => None,
            Cookies::OwnSecrets => Some(Arc::clone(&self.own_secrets)),
            Cookies::SharedSecrets(secrets) => Some(Arc::new(ArcSwap::from_pointee(secrets.clone()))),
        };
        let rate_limit = server.rate_limit.map(|ResponseRateLimit { limit, slip }| {
            let counted = self.limiter.take().filter(|limiter| limiter.limit() == limit);
            let limiter = counted.unwrap_or_else(|| Arc::new(RateLimiter::new(limit, clock::now().instant)));
            self.limiter = Some(Arc::clone(&limiter));
            LimitedResponses { limiter, slip }
        });
        ClientPolicy { cookies, rate_limit }
    }
}

/// Rolls the secrets for as long as the server runs.
async fn roll(mut store: CookieStore, secrets: Arc<ArcSwap<CookieSecrets>>) {
    let mut interval = tokio::time::interval(ROLL_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let rolling = tokio::task::spawn_blocking(move || {
            let outcome = store.roll(unix_now());
            (store, outcome)
        });
        let outcome;
        (store, outcome) = match rolling.await {
            Ok(rolled) => rolled,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        if let Err(error) = outcome {
            warn!("the secret of DNS cookies cannot be stored: {error}");
        }
        secrets.store(Arc::new(store.secrets()));
    }
}
