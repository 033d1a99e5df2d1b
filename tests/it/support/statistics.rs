//! Comparison of counts with their expectation.

/// Pearson's chi-square of pairs: the observed count and the expected count.
///
/// Compare it with a limit for the degrees of freedom: the number of pairs less one.
pub(crate) fn chi_square(pairs: impl IntoIterator<Item = (u64, f64)>) -> f64 {
    pairs.into_iter().map(|(observed, expected)| (observed as f64 - expected).powi(2) / expected).sum()
}
