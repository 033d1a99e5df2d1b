//! The actor of a change: an operator, or the server itself.
//!
//! Overrides and nominations hold their actor. State files, events and the API write its name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of the server in files, events and messages. Operators cannot use it.
const AUTO_NOMINATION: &str = "auto_nominate";

/// The cause of a change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "String", into = "String")]
pub enum Actor {
    /// An operator, by the name in the command or the request.
    Operator(String),
    /// The server, because a pool has `auto_nominate = true`.
    AutoNomination,
}

/// An operator must not have this name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`by` cannot be \"{AUTO_NOMINATION}\": the name is reserved for the server; accepted: the name of an operator")]
pub struct ReservedName;

impl Actor {
    /// An operator with this name.
    ///
    /// # Errors
    /// The name is reserved for the server.
    pub fn operator(name: String) -> Result<Self, ReservedName> {
        match Self::from(name) {
            operator @ Self::Operator(_) => Ok(operator),
            Self::AutoNomination => Err(ReservedName),
        }
    }

    /// The name as files, events and messages show it.
    pub fn name(&self) -> &str {
        match self {
            Self::Operator(name) => name,
            Self::AutoNomination => AUTO_NOMINATION,
        }
    }
}

/// Reads a stored name.
impl From<String> for Actor {
    fn from(name: String) -> Self {
        if name == AUTO_NOMINATION { Self::AutoNomination } else { Self::Operator(name) }
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        match actor {
            Actor::Operator(name) => name,
            Actor::AutoNomination => AUTO_NOMINATION.to_owned(),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_cannot_have_the_name_of_the_server() {
        assert_eq!(Actor::operator(AUTO_NOMINATION.to_owned()), Err(ReservedName));
        assert_eq!(Actor::operator("ops".to_owned()), Ok(Actor::Operator("ops".to_owned())));
        assert_eq!(Actor::from(String::from(Actor::AutoNomination)), Actor::AutoNomination);
    }
}
