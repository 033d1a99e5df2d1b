//! Why an event was not delivered.

/// Why an attempt to deliver an event failed.
#[derive(Debug)]
pub(super) enum DeliveryError {
    /// Another attempt may succeed.
    Temporary(String),
    /// No other attempt can succeed.
    Permanent(String),
}
