//! The tracker: counts the probe results of one target, and decides when its health changes.
//!
//! ```text
//!              first success
//!           ┌────────────────► Up ◄────┐
//!           │                  │       │
//!  Unknown ─┤   fall failures  │       │  rise successes
//!           │   in a row       ▼       │  in a row
//!           └────────────────► Down ───┘
//!              first failure
//! ```
//!
//! [`crate::state`] has one tracker per target, and calls [`Tracker::observe`] per probe that ran.

use super::Health;

/// The health of one target, and the results that may change it.
#[derive(Clone, Debug)]
pub struct Tracker {
    rise: u32,
    fall: u32,
    health: Health,
    /// Results in a row that contradict `health`.
    contrary: u32,
}

/// A change of health.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transition {
    /// The new health.
    pub to: Health,
    /// Results in a row that caused it.
    pub count: u32,
}

impl Tracker {
    /// A tracker with unknown health. `rise` and `fall` are at least 1.
    pub fn new(rise: u32, fall: u32) -> Self {
        Self { rise, fall, health: Health::Unknown, contrary: 0 }
    }

    /// Sets other limits. The health stays, and the count of results begins again.
    pub fn set_limits(&mut self, rise: u32, fall: u32) {
        (self.rise, self.fall, self.contrary) = (rise, fall, 0);
    }

    /// The health after the results so far.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Counts a result. The first result alone decides the health.
    pub fn observe(&mut self, is_success: bool) -> Option<Transition> {
        let (to, needed) = match (is_success, self.health) {
            (true, Health::Up) | (false, Health::Down) => {
                self.contrary = 0;
                return None;
            }
            (true, Health::Unknown) => (Health::Up, 1),
            (false, Health::Unknown) => (Health::Down, 1),
            (true, Health::Down) => (Health::Up, self.rise),
            (false, Health::Up) => (Health::Down, self.fall),
        };
        self.contrary += 1;
        if self.contrary < needed {
            return None;
        }
        let count = std::mem::take(&mut self.contrary);
        self.health = to;
        Some(Transition { to, count })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(tracker: &mut Tracker, results: &[bool]) -> Vec<Option<Health>> {
        results.iter().map(|&is_success| tracker.observe(is_success).map(|transition| transition.to)).collect()
    }

    #[test]
    fn the_first_result_alone_decides_the_health() {
        assert_eq!(run(&mut Tracker::new(5, 5), &[true]), [Some(Health::Up)]);
        assert_eq!(run(&mut Tracker::new(5, 5), &[false]), [Some(Health::Down)]);
    }

    #[test]
    fn down_after_fall_failures_in_a_row_and_up_after_rise_successes() {
        let mut tracker = Tracker::new(2, 3);
        let results = [true, false, false, true, false, false, false, true, false, true, true];
        let transitions = run(&mut tracker, &results);
        let mut expected = vec![None; results.len()];
        expected[0] = Some(Health::Up);
        expected[6] = Some(Health::Down);
        expected[10] = Some(Health::Up);
        assert_eq!(transitions, expected);
    }

    proptest! {
        /// A transition needs exactly `rise` or `fall` contrary results in a row.
        #[test]
        fn a_transition_needs_rise_or_fall_results_in_a_row(results in prop::collection::vec(any::<bool>(), 1..200), rise in 1_u32..6, fall in 1_u32..6) {
            let mut tracker = Tracker::new(rise, fall);
            for (i, &is_success) in results.iter().enumerate() {
                let before = tracker.health();
                let transition = tracker.observe(is_success);
                let run = results[..=i].iter().rev().take_while(|&&r| r == is_success).count() as u32;
                let needed = match before {
                    Health::Unknown => 1,
                    Health::Down => rise,
                    Health::Up => fall,
                };
                let is_contrary = matches!((before, is_success), (Health::Up, false) | (Health::Down, true) | (Health::Unknown, _));
                prop_assert_eq!(transition.is_some(), is_contrary && run >= needed);
                if let Some(transition) = transition {
                    prop_assert_eq!(transition.count, needed);
                }
            }
        }
    }
}
