//! The identity of a node: `pool/node`, in commands, the API, events and state files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The identity of a node. The node may be missing from the configuration.
///
/// Identities are ordered by their text, which is the order of state files.
#[derive(Clone, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String", try_from = "String")]
pub struct NodeId {
    text: Box<str>,
    /// Bytes before the slash.
    pool_len: usize,
}

/// A text is not the identity of a node.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{0}\" is not of the form POOL/NODE")]
pub struct BadNodeId(String);

impl NodeId {
    /// The identity of a node of a pool. The name of the pool has no slash.
    pub fn new(pool: &str, node: &str) -> Self {
        Self { text: format!("{pool}/{node}").into(), pool_len: pool.len() }
    }

    /// Name of the pool.
    pub fn pool(&self) -> &str {
        &self.text[..self.pool_len]
    }

    /// Name of the node in its pool.
    pub fn node(&self) -> &str {
        &self.text[self.pool_len + 1..]
    }

    /// The text, as users write it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for NodeId {
    type Err = BadNodeId;

    fn from_str(text: &str) -> Result<Self, BadNodeId> {
        match text.split_once('/') {
            Some((pool, node)) if !pool.is_empty() && !node.is_empty() => {
                Ok(Self { text: text.into(), pool_len: pool.len() })
            }
            _ => Err(BadNodeId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for NodeId {
    type Error = BadNodeId;

    fn try_from(text: String) -> Result<Self, BadNodeId> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.text.into()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_is_a_pool_and_a_node_with_a_slash_between_them() {
        let id: NodeId = "core/core-1".parse().unwrap();
        assert_eq!((id.pool(), id.node(), id.as_str()), ("core", "core-1", "core/core-1"));
        assert_eq!(id, NodeId::new("core", "core-1"));
        for text in ["", "core", "/core-1", "core/"] {
            assert!(text.parse::<NodeId>().is_err(), "{text}");
        }
    }
}
