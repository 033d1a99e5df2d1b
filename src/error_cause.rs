//! The cause of an error of another library. Its message says what happened; the messages above it
//! say what was attempted.

use std::error::Error;

/// The last error in the chain of sources.
pub(crate) fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}
