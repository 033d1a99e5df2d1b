//! The two programs that play Core nodes: the fake Core node, and the independent double of
//! `tests/core_double`. A test that runs on both shows that it depends on no detail of one.

use serde_json::{Value, json};

use super::program::required;
use super::repository;
use super::server::PROGRAM;

/// A program that plays a Core node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CoreProgram {
    /// `evenkeel fake-core`.
    Fake,
    /// `tests/core_double`.
    Double,
}

impl CoreProgram {
    /// Both programs.
    pub(crate) const ALL: [Self; 2] = [Self::Fake, Self::Double];

    /// The command line that starts a node, which listens on this address and is named for it.
    pub(crate) fn command_line(self, listen: &str) -> Vec<String> {
        let text = |path: std::path::PathBuf| path.to_str().expect("the path is text").to_owned();
        let (program, name) = match self {
            Self::Fake => (vec![PROGRAM.to_owned(), "fake-core".to_owned()], "--id"),
            Self::Double => {
                let script = repository::root().join("tests/core_double/core_double.py");
                (vec![text(required("python3", "python3")), text(script)], "--name")
            }
        };
        [program, ["--listen", listen, name, listen].map(str::to_owned).to_vec()].concat()
    }

    /// The path where a node shows its counters and accepts faults.
    pub(crate) fn control_path(self) -> &'static str {
        match self {
            Self::Fake => "/_fake",
            Self::Double => "/_double",
        }
    }

    /// The number of sessions that a node has begun, and of requests for sessions of other nodes.
    /// `state` is the object at the control path.
    pub(crate) fn sessions(self, state: &Value) -> (u64, u64) {
        let (counters, wrong) = match self {
            Self::Fake => (state, "wrong_node"),
            Self::Double => (&state["counters"], "wrong_session"),
        };
        let counter = |name: &str| counters[name].as_u64().unwrap_or_else(|| panic!("no counter {name}: {state}"));
        (counter("sessions"), counter(wrong))
    }

    /// What takes the license of a node away, as the license server of the vendor does: the body
    /// of a PUT to the control path.
    pub(crate) fn deactivation(self) -> Value {
        match self {
            Self::Fake => json!({ "unregistered": true }),
            Self::Double => json!({ "role": "unlicensed" }),
        }
    }
}
