//! Papers for contributors.
