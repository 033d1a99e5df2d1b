//! The scan engines that a node claims to have.

use serde_json::{Value, json};

/// Names of the engines.
const ENGINES: [&str; 2] = ["Avira", "ClamAV"];

/// Date of the definitions.
const DEFINITIONS: &str = "2026-01-15T02:37:05.000Z";

/// The identifier of an engine.
fn id(engine: &str) -> String {
    format!("{}_1_linux", engine.to_lowercase())
}

/// Returns `engines` of `GET /stat/nodes`.
pub(crate) fn statuses() -> Vec<Value> {
    let status = |engine: &&str| {
        json!({
            "active": true,
            "db_ver": "25050",
            "def_time": DEFINITIONS,
            "eng_name": engine,
            "eng_ver": "3.0-43",
            "engine_type": "av",
            "id": id(engine),
        })
    };
    ENGINES.iter().map(status).collect()
}
