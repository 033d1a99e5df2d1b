//! DNS messages: from a packet to a query, and from an answer to a packet.
//!
//! In reading order:
//!
//! 1. `header` has the header fields and the response codes
//! 2. `query`, `edns` and `tsig` parse a packet; `extended_error` is a part of `edns`
//! 3. `answer` is the value that [`crate::respond`] makes for a question
//! 4. `encode` writes the answer within a size limit
//! 5. `freshness` says how long a cache may keep a response
//! 6. `truncate` shortens a response that the operating system cannot send
//!
//! The parser never panics, and encoding cannot fail.

mod answer;
mod edns;
mod encode;
mod extended_error;
mod freshness;
mod header;
mod query;
mod truncate;
mod tsig;

pub use answer::{Answer, Data, Glue, Records};
pub use edns::{Cookie, Edns, Keepalive, MAX_UDP, PLAIN_UDP, QueryCookie, ResponseOptions};
pub use encode::{Written, encode, encode_rejection, encode_truncated};
pub(crate) use encode::{finish, start};
pub use extended_error::ExtendedError;
pub use freshness::smallest_ttl;
pub(crate) use header::ResponseFields;
pub use header::{HEADER_LEN, Header, Rcode};
pub use query::{Query, Question, Received, Rejection, parse};
pub use truncate::{is_truncated, truncate};
pub use tsig::Tsig;
