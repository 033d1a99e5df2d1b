//! Whether a query over UDP is answered: not if its client's network has got too many responses,
//! unless a cookie proves the address of the client.
//!
//! ```text
//!                  ┌ the server cookie is right ──────────────────────► answered
//!  query over UDP ─┤                  ┌ within the limit ─────────────► answered
//!                  └ otherwise, it is ┤               ┌ a cookie ─────► BADCOOKIE, with the cookie
//!                                     └ over it, with ┤                 to send next time, or no
//!                                                     │                 response if there were too
//!                                                     │                 many
//!                                                     └ no cookie ────► TC, or no response
//! ```
//!
//! Clients over other transports have proven their addresses, and only get cookies.

use super::client::{Client, Sender};
use super::transport::Transport;
use crate::clients::{ClientPolicy, LimitedResponses};
use crate::message::{Cookie, Edns};

/// What is done about a query.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Admission {
    /// It is answered. The response has the cookie if the client has sent one.
    Answer(Option<Cookie>),
    /// The response is BADCOOKIE, with a cookie for the next query.
    AskForCookie(Cookie),
    /// The response has TC set and no records.
    Truncate,
    /// There is no response.
    Drop,
}

/// Decides about a query with this OPT record. `rng` decides which queries over the limit get a
/// truncated response, so that no client can count on it.
pub(super) fn admit(
    edns: Option<&Edns<'_>>,
    sender: &Sender,
    policy: &ClientPolicy,
    rng: &mut fastrand::Rng,
) -> Admission {
    let Some(Client { address, now }) = sender.client else { return Admission::Answer(None) };
    let asked = edns.and_then(|edns| edns.cookie.as_ref());
    let mut is_proven = sender.transport != Transport::Udp;
    let mut cookie = None;
    if let (Some(asked), Some(secrets)) = (asked, &policy.cookies) {
        let (server, is_accepted) = secrets.load().answer(asked.server, &asked.client, address, now.unix);
        is_proven |= is_accepted;
        cookie = Some(Cookie { client: asked.client, server });
    }
    match &policy.rate_limit {
        Some(LimitedResponses { limiter, slip }) if !is_proven && !limiter.allow(address, now.instant) => {
            match (cookie, slip) {
                (Some(cookie), _) if limiter.allow_cookie(address, now.instant) => Admission::AskForCookie(cookie),
                (None, Some(slip)) if rng.u32(..).is_multiple_of(slip.get()) => Admission::Truncate,
                _ => Admission::Drop,
            }
        }
        _ => Admission::Answer(cookie),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::time::Instant;

    use arc_swap::ArcSwap;

    use super::*;
    use crate::clients::{CookieSecrets, RateLimit, RateLimiter};
    use crate::message::QueryCookie;
    use crate::time::Now;

    fn edns(cookie: Option<QueryCookie<'_>>) -> Edns<'_> {
        Edns { cookie, ..Edns::default() }
    }

    #[test]
    fn a_network_over_the_limit_gets_answers_only_with_a_good_cookie() {
        let start = Instant::now();
        let limit = RateLimit { per_second: NonZeroU32::new(2).unwrap(), ipv4_prefix: 24, ipv6_prefix: 56 };
        let secrets = CookieSecrets { current: [7; 16], accepted: Vec::new() };
        let policy = ClientPolicy {
            cookies: Some(Arc::new(ArcSwap::from_pointee(secrets))),
            rate_limit: Some(LimitedResponses {
                limiter: Arc::new(RateLimiter::new(limit, start)),
                slip: NonZeroU32::new(2),
            }),
        };
        let mut rng = fastrand::Rng::with_seed(1);
        let mut ask = |transport, last, cookie: Option<QueryCookie<'_>>| {
            let now = Now { instant: start, unix: 1_000_000 };
            let client = Client { address: [192, 0, 2, last].into(), now };
            let sender = Sender { transport, client: Some(client) };
            admit(Some(&edns(cookie)), &sender, &policy, &mut rng)
        };
        let new = |client| Some(QueryCookie { client, server: &[] });
        assert_eq!(ask(Transport::Udp, 1, None), Admission::Answer(None));
        let Admission::Answer(Some(cookie)) = ask(Transport::Udp, 2, new([1; 8])) else { panic!("within the limit") };
        // Now the network has got its two responses.
        let over: Vec<_> = (0..100).map(|i| ask(Transport::Udp, i, None)).collect();
        let truncated = over.iter().filter(|admission| **admission == Admission::Truncate).count();
        assert!((30..70).contains(&truncated), "{truncated} of 100 with a slip of 2");
        assert!(over.iter().all(|admission| matches!(admission, Admission::Truncate | Admission::Drop)));
        let Admission::AskForCookie(given) = ask(Transport::Udp, 2, new([1; 8])) else { panic!("over the limit") };
        assert_eq!(given, cookie, "the same client, at the same time");
        let proof = Some(QueryCookie { client: [1; 8], server: &given.server });
        assert_eq!(ask(Transport::Udp, 2, proof), Admission::Answer(Some(given)));
        assert!(matches!(ask(Transport::Udp, 9, proof), Admission::AskForCookie(_)), "the cookie of another address");
        // The limit of cookies is two, too.
        assert_eq!(ask(Transport::Udp, 2, new([1; 8])), Admission::Drop);
        assert_eq!(ask(Transport::Tcp(None), 1, None), Admission::Answer(None));
    }
}
