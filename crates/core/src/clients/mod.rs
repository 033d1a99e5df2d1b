//! What is remembered about clients over UDP: whether their source address is proven, and how many
//! responses their network has got.
//!
//! - `cookies`: a client that returns a server cookie receives at its address
//! - `rate_limit`: a forged source address must not get more responses than
//!   the limit
//! - `policy` is what a configuration says about both
//!
//! [`crate::respond`] asks both per query over UDP. They cannot fail, and their memory is fixed.

mod cookies;
mod policy;
mod rate_limit;

pub use cookies::{ClientCookie, CookieSecrets, ServerCookie};
pub use policy::{ClientPolicy, LimitedResponses};
pub use rate_limit::{RateLimit, RateLimiter};
