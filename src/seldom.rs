//! Log lines that others can cause without end are written seldom.

use std::time::{Duration, Instant};

/// Shortest time between two lines about the same matter.
const BETWEEN: Duration = Duration::from_secs(10);

/// When a line about one matter was last written.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Option<Instant>);

impl Seldom {
    /// Whether a line may be written now; then it counts as written.
    pub(crate) fn is_due(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() > BETWEEN);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}
