//! Extended DNS errors (RFC 8914): why a response has no answer, in the OPT record.

/// Option code of extended errors.
pub(super) const EXTENDED_ERROR: u16 = 15;

/// Why a response has no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExtendedError {
    /// The pool of the name answers SERVFAIL while no node is up.
    NoNodeUp,
    /// No zone of the server contains the name.
    NotAuthoritative,
    /// The server does not support this class or this type of queries.
    NotSupported,
}

impl ExtendedError {
    /// The code of the IANA registry.
    fn code(self) -> u16 {
        match self {
            Self::NoNodeUp => 0, // Other Error
            Self::NotAuthoritative => 20,
            Self::NotSupported => 21,
        }
    }

    /// What the code does not say.
    fn text(self) -> &'static str {
        match self {
            Self::NoNodeUp => "no node is up",
            Self::NotAuthoritative | Self::NotSupported => "",
        }
    }

    /// Length of the option's data, in bytes.
    pub(super) fn len(self) -> usize {
        2 + self.text().len()
    }

    /// Appends the option's data.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.extend(self.code().to_be_bytes());
        out.extend(self.text().as_bytes());
    }
}
