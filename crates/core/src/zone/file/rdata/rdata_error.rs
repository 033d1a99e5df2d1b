//! The error of rdata that cannot be read.

/// Why the rdata of a record cannot be read.
#[derive(Debug)]
pub(in super::super) struct RdataError {
    /// Index of the wrong word; `None` if words are missing at the end.
    pub(in super::super) token: Option<usize>,
    /// The reason, for users.
    pub(in super::super) message: String,
}

impl RdataError {
    /// A word that is wrong.
    pub(in super::super) fn at(token: usize, message: impl Into<String>) -> Self {
        Self { token: Some(token), message: message.into() }
    }

    /// A word that is missing after the last one.
    pub(in super::super) fn missing(message: impl Into<String>) -> Self {
        Self { token: None, message: message.into() }
    }
}
