//! Why a delivery failed.

/// The outcome of a failed attempt to deliver an event.
#[derive(Debug)]
pub(super) enum DeliveryError {
    /// Another attempt may succeed.
    Temporary(String),
    /// No other attempt can succeed.
    Permanent(String),
}
