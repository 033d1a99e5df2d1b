//! DNS messages: a packet to a query, an answer to a packet. No zones, no pools, no state.
//!
//! In reading order: `query` and `edns` read a packet in place; `answer` is the value that
//! [`crate::respond`] makes of a question; `encode` writes it within a limit; `truncate` shortens a
//! response that the network does not take.

mod answer;
mod edns;
mod encode;
mod query;
mod truncate;

pub use answer::{Answer, Data, Glue, Records};
pub use edns::{Edns, MAX_UDP, PLAIN_UDP};
pub(crate) use encode::{ResponseFields, finish, start};
pub use encode::{Written, encode, encode_rejection};
pub use query::{HEADER_LEN, Header, Query, Question, Rcode, Received, Rejection, parse};
pub use truncate::{is_truncated, truncate};
