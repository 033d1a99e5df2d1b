//! What nodes say of files and batches, read from their JSON.

use std::net::SocketAddr;

use serde_json::Value;

/// Whether something may pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// It may not, and why.
    Blocked(String),
}

/// How far a scan is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// In percent.
    pub percent: u8,
    /// The result, once there is one.
    pub report: Option<Report>,
}

/// The result of a scan.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The node that found it.
    pub node: SocketAddr,
    /// Its name for the file.
    pub data_id: String,
    /// The file's own name.
    pub name: String,
    /// Whether it may pass.
    pub verdict: Verdict,
    /// What was found, in the node's words: `No Threat Detected`.
    pub found: String,
    /// The same as a number: 0 no threat, 1 infected, 2 suspicious, 3 failed, 10 not scanned, 19 cancelled.
    pub code: Option<i64>,
    /// All that the node says.
    pub json: Value,
}

/// How a batch stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BatchStatus {
    /// Whether it is closed.
    pub is_closed: bool,
    /// Its files.
    pub files: Vec<FileStatus>,
    /// Whether all of it may pass, once that is known.
    pub verdict: Option<Verdict>,
    /// What was found, in the node's words.
    pub found: String,
    /// All that the node says.
    pub json: Value,
}

/// A file in a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileStatus {
    /// The node's name for it.
    pub data_id: String,
    /// Its own name.
    pub name: String,
    /// How far it is, in percent.
    pub percent: u8,
    /// The result as a number: 0 no threat, 1 infected, 255 in progress.
    pub code: Option<i64>,
}

/// Number of the result of a scan that has not ended.
const IN_PROGRESS: i64 = 255;

impl FileStatus {
    /// Whether it has been processed.
    pub fn is_processed(&self) -> bool {
        self.percent == 100 && self.code != Some(IN_PROGRESS)
    }
}

impl Verdict {
    /// What `process_info` says; nothing while that is not known. `found` is the reason for want of a better one.
    fn of(json: &Value, found: &str) -> Result<Option<Self>, String> {
        let result = json.pointer("/process_info/result").and_then(Value::as_str);
        match result.ok_or("it lacks process_info with result")? {
            "Allowed" => Ok(Some(Self::Allowed)),
            "Processing" | "" => Ok(None),
            result => {
                let reason = text(json, "/process_info/blocked_reason");
                let reasons = [reason.as_str(), found, result];
                let reason = reasons.into_iter().find(|reason| !reason.is_empty()).unwrap_or_default();
                Ok(Some(Self::Blocked(reason.to_owned())))
            }
        }
    }
}

/// Reads what a node says of a file.
///
/// # Errors
/// What it lacks.
pub(super) fn progress(node: SocketAddr, data_id: &str, json: Value) -> Result<Progress, String> {
    let found = text(&json, "/scan_results/scan_all_result_a");
    let verdict = Verdict::of(&json, &found)?;
    let percents = ["/process_info/progress_percentage", "/scan_results/progress_percentage"];
    let percent = percents.into_iter().filter_map(|path| number(&json, path)).min().map_or(0, percent);
    let report = verdict.filter(|_| percent == 100).map(|verdict| Report {
        node,
        data_id: data_id.to_owned(),
        name: text(&json, "/file_info/display_name"),
        verdict,
        found,
        code: number(&json, "/scan_results/scan_all_result_i"),
        json,
    });
    Ok(Progress { percent, report })
}

/// Reads what a node says of a batch.
///
/// # Errors
/// What it lacks.
pub(super) fn batch_status(json: Value) -> Result<BatchStatus, String> {
    let files = json.pointer("/batch_files/files_in_batch").and_then(Value::as_array).into_iter().flatten();
    let files = files.map(|file| FileStatus {
        data_id: text(file, "/data_id"),
        name: text(file, "/display_name"),
        percent: number(file, "/progress_percentage").map_or(0, percent),
        code: number(file, "/scan_all_result_i"),
    });
    let found = text(&json, "/scan_results/scan_all_result_a");
    let verdict = Verdict::of(&json, &found)?;
    let is_closed = json.get("is_closed").and_then(Value::as_bool).ok_or("it lacks is_closed")?;
    Ok(BatchStatus { is_closed, files: files.collect(), verdict, found, json })
}

fn text(json: &Value, path: &str) -> String {
    json.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(json: &Value, path: &str) -> Option<i64> {
    json.pointer(path).and_then(Value::as_i64)
}

fn percent(number: i64) -> u8 {
    number.clamp(0, 100) as u8
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: Value) -> Result<Progress, String> {
        progress(([127, 0, 0, 1], 8008).into(), "3f2a", json)
    }

    fn file(result: &str, percent: u8, reason: &str, found: &str) -> Option<Verdict> {
        let read = read(json!({
            "process_info": { "progress_percentage": percent, "result": result, "blocked_reason": reason },
            "scan_results": { "progress_percentage": 100, "scan_all_result_a": found },
        }));
        read.unwrap().report.map(|report| report.verdict)
    }

    #[test]
    fn a_verdict_is_there_when_all_is_processed() {
        assert_eq!(file("Processing", 100, "", ""), None);
        assert_eq!(file("Allowed", 99, "", ""), None);
        assert_eq!(file("Allowed", 100, "", "No Threat Detected"), Some(Verdict::Allowed));
        let blocked = |why: &str| Some(Verdict::Blocked(why.to_owned()));
        assert_eq!(file("Blocked", 100, "Exceeded Archive Size", "Infected"), blocked("Exceeded Archive Size"));
        assert_eq!(file("Blocked", 100, "", "Infected"), blocked("Infected"));
        assert_eq!(file("Quarantined", 100, "", ""), blocked("Quarantined"));
    }

    #[test]
    fn what_is_no_answer_of_a_node_is_no_progress() {
        for json in [json!({}), json!([]), json!(null), json!({ "process_info": 3 })] {
            assert!(read(json.clone()).is_err(), "{json}");
            assert!(batch_status(json).is_err());
        }
    }
}
