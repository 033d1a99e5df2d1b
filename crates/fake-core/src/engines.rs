//! The scan engines that a node claims to have, and what they find.

use serde_json::{Map, Value, json};

/// Names of the engines. All of them find the same.
const ENGINES: [&str; 2] = ["Avira", "ClamAV"];

/// The threat that the engines find in an infected file.
const THREAT: &str = "EICAR_Test_File";

/// Date of the definitions.
const DEFINITIONS: &str = "2026-01-15T02:37:05.000Z";

/// Number of engines.
pub(crate) const COUNT: usize = ENGINES.len();

/// The identifier of an engine.
fn id(engine: &str) -> String {
    format!("{}_1_linux", engine.to_lowercase())
}

/// Returns `scan_details` of a scan with this result of each engine.
pub(crate) fn scan_details(result: u16) -> Value {
    let threat = if result == 1 { THREAT } else { "" };
    let details = ENGINES.map(|engine| {
        let detail = json!({
            "def_time": DEFINITIONS,
            "eng_id": id(engine),
            "location": "local",
            "scan_result_i": result,
            "scan_time": 1,
            "threat_found": threat,
            "wait_time": 0,
        });
        (engine.to_owned(), detail)
    });
    Value::Object(Map::from_iter(details))
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
