//! What the fuzz targets share: the laws of diagnostics and responses, as assertions.
//!
//! An assertion that fails ends the process, and libFuzzer stores the input.

mod diagnostics;
mod history;
mod pair;
mod response;

pub use diagnostics::check_place;
pub use history::{World, check_history};
pub use pair::Pair;
pub use response::{STREAM, check_both, check_response, question};
