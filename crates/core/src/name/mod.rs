//! Domain names in wire format (RFC 1035 §3.1): length-prefixed labels, the empty root label last.
//!
//! Names are compared without regard to the case of ASCII letters (RFC 4343). [`Name`] and
//! [`Folded`] hold the lower-case form. Where letters must stay as written (rdata, questions), code
//! keeps the plain bytes.
//!
//! In reading order: `labels` walks a name in wire format, `presentation` reads and writes text,
//! `name` is a name that is stored, `folded` is a name of a query that is looked up.
//!
//! Functions that take a name in wire format rely on a complete and valid one. [`parse_wire`] gives
//! one, and so does [`crate::message::parse`]. Text from users or files that is not a name is a
//! [`NameError`].

mod folded;
mod labels;
#[allow(clippy::module_inception, reason = "the file is named for its type")]
mod name;
mod presentation;

pub use folded::Folded;
pub use labels::{Labels, MAX_LABEL_LEN, MAX_WIRE_LEN, fold, suffixes, wire_len};
pub use name::Name;
pub use presentation::{NameError, parse_wire, presentation, unescape};
