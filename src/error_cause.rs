//! The cause at the bottom of an error: the message that tells what happened.

use std::error::Error;

/// The last error of a chain of sources.
pub(crate) fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}
