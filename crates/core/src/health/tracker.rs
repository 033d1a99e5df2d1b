//! Rise and fall: when a row of results flips the health of one target.
//!
//! ```text
//!                 pass (first)              fall failures in a row
//!             ┌──────────────────► Up ─────────────────────────────┐
//!  Unknown ───┤                    ▲                               ▼
//!             └──────────────────► Down ◄──────────────────────────┘
//!                 failure (first)   └── rise passes in a row ──► Up
//! ```

use super::Health;

/// Health of one target, and how far it is from flipping.
#[derive(Clone, Debug)]
pub struct Tracker {
    rise: u32,
    fall: u32,
    health: Health,
    /// Results in a row that speak against `health`.
    against: u32,
}

/// A change of health.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transition {
    /// Health from now on.
    pub to: Health,
    /// Results in a row that made it so.
    pub count: u32,
}

impl Tracker {
    /// Starts with nobody knowing. `rise` and `fall` are at least 1.
    pub fn new(rise: u32, fall: u32) -> Self {
        Self { rise, fall, health: Health::Unknown, against: 0 }
    }

    /// Takes other limits and keeps the health; the count begins again.
    pub fn set_limits(&mut self, rise: u32, fall: u32) {
        (self.rise, self.fall, self.against) = (rise, fall, 0);
    }

    /// Health after all that was observed.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Counts a result; the first decides alone.
    pub fn observe(&mut self, passed: bool) -> Option<Transition> {
        let (seen, needed) = match (passed, self.health) {
            (true, Health::Up) | (false, Health::Down) => {
                self.against = 0;
                return None;
            }
            (true, Health::Unknown) => (Health::Up, 1),
            (false, Health::Unknown) => (Health::Down, 1),
            (true, Health::Down) => (Health::Up, self.rise),
            (false, Health::Up) => (Health::Down, self.fall),
        };
        self.against += 1;
        if self.against < needed {
            return None;
        }
        let count = std::mem::take(&mut self.against);
        self.health = seen;
        Some(Transition { to: seen, count })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(tracker: &mut Tracker, results: &[bool]) -> Vec<Option<Health>> {
        results.iter().map(|&passed| tracker.observe(passed).map(|t| t.to)).collect()
    }

    #[test]
    fn the_first_result_decides_alone() {
        assert_eq!(run(&mut Tracker::new(5, 5), &[true]), [Some(Health::Up)]);
        assert_eq!(run(&mut Tracker::new(5, 5), &[false]), [Some(Health::Down)]);
    }

    #[test]
    fn down_after_fall_failures_in_a_row_and_up_after_rise_passes() {
        let mut tracker = Tracker::new(2, 3);
        let results = [true, false, false, true, false, false, false, true, false, true, true];
        let flips = run(&mut tracker, &results);
        let mut expected = vec![None; results.len()];
        expected[0] = Some(Health::Up);
        expected[6] = Some(Health::Down);
        expected[10] = Some(Health::Up);
        assert_eq!(flips, expected);
    }

    proptest! {
        /// A flip is always the work of exactly `rise` or `fall` results in a row, and of none fewer.
        #[test]
        fn flips_need_their_count(results in prop::collection::vec(any::<bool>(), 1..200), rise in 1_u32..6, fall in 1_u32..6) {
            let mut tracker = Tracker::new(rise, fall);
            for (i, &passed) in results.iter().enumerate() {
                let before = tracker.health();
                let transition = tracker.observe(passed);
                let run = results[..=i].iter().rev().take_while(|&&r| r == passed).count() as u32;
                let needed = match before {
                    Health::Unknown => 1,
                    Health::Down => rise,
                    Health::Up => fall,
                };
                let against = matches!((before, passed), (Health::Up, false) | (Health::Down, true) | (Health::Unknown, _));
                prop_assert_eq!(transition.is_some(), against && run >= needed);
                if let Some(transition) = transition {
                    prop_assert_eq!(transition.count, needed);
                }
            }
        }
    }
}
