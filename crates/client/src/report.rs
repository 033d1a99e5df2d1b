//! What nodes report about files and batches, parsed from the JSON of their responses.
//!
//! [`api`](crate::api) parses with it; the types are part of the public interface. Parsing fails if
//! a member is missing without which there is no verdict.

use std::net::SocketAddr;

use serde_json::Value;

/// Whether a file or a batch may pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It may pass.
    Allowed,
    /// It may not pass; holds the reason.
    Blocked(String),
}

/// Progress of a scan.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Progress in percent.
    pub percent: u8,
    /// The report, once the scan has ended.
    pub report: Option<Report>,
}

/// The result of a scan.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The node that scanned the file.
    pub node: SocketAddr,
    /// The identifier that the node gave to the file.
    pub data_id: String,
    /// The name under which the file was sent.
    pub name: String,
    /// Whether the file may pass.
    pub verdict: Verdict,
    /// The overall result as text, for example `No Threat Detected` (`scan_all_result_a`).
    pub result: String,
    /// The overall result as a number (`scan_all_result_i`): 0 no threat, 1 infected, 2 suspicious,
    /// 3 failed, 10 not scanned, 19 cancelled.
    pub result_code: Option<i64>,
    /// The whole response of the node.
    pub json: Value,
}

/// Status of a batch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BatchStatus {
    /// True if the batch is closed.
    pub is_closed: bool,
    /// The files of the batch.
    pub files: Vec<FileStatus>,
    /// Whether the batch may pass, once the node has decided.
    pub verdict: Option<Verdict>,
    /// The overall result as text (`scan_all_result_a`).
    pub result: String,
    /// The whole response of the node.
    pub json: Value,
}

/// Status of a file in a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileStatus {
    /// The identifier that the node gave to the file.
    pub data_id: String,
    /// The name under which the file was sent.
    pub name: String,
    /// Progress in percent.
    pub percent: u8,
    /// The result as a number: 0 no threat, 1 infected, 255 in progress.
    pub result_code: Option<i64>,
}

/// Result code of a scan that has not ended.
const IN_PROGRESS: i64 = 255;

impl FileStatus {
    /// Returns true if the scan of the file has ended.
    pub fn is_processed(&self) -> bool {
        self.percent == 100 && self.result_code != Some(IN_PROGRESS)
    }
}

impl Verdict {
    /// The verdict in `process_info`; none while the node is processing. A blocked verdict without
    /// a reason gets `result` as its reason.
    fn parse(json: &Value, result: &str) -> Result<Option<Self>, &'static str> {
        let process_result = json.pointer("/process_info/result").and_then(Value::as_str);
        match process_result.ok_or("process_info.result is missing")? {
            "Allowed" => Ok(Some(Self::Allowed)),
            "Processing" | "" => Ok(None),
            process_result => {
                let reason = text(json, "/process_info/blocked_reason");
                let reasons = [reason.as_str(), result, process_result];
                let reason = reasons.into_iter().find(|reason| !reason.is_empty()).unwrap_or_default();
                Ok(Some(Self::Blocked(reason.to_owned())))
            }
        }
    }
}

/// Parses the response to `GET /file/{data_id}`.
///
/// # Errors
/// A member is missing; says which.
pub(crate) fn parse_progress(node: SocketAddr, data_id: &str, json: Value) -> Result<Progress, &'static str> {
    let result = text(&json, "/scan_results/scan_all_result_a");
    let verdict = Verdict::parse(&json, &result)?;
    let percents = ["/process_info/progress_percentage", "/scan_results/progress_percentage"];
    let percent = percents.into_iter().filter_map(|path| number(&json, path)).min().map_or(0, percent);
    let report = verdict.filter(|_| percent == 100).map(|verdict| Report {
        node,
        data_id: data_id.to_owned(),
        name: text(&json, "/file_info/display_name"),
        verdict,
        result,
        result_code: number(&json, "/scan_results/scan_all_result_i"),
        json,
    });
    Ok(Progress { percent, report })
}

/// Parses the response to `GET /file/batch/{batch_id}`.
///
/// # Errors
/// A member is missing; says which.
pub(crate) fn parse_batch_status(json: Value) -> Result<BatchStatus, &'static str> {
    let files = json.pointer("/batch_files/files_in_batch").and_then(Value::as_array).into_iter().flatten();
    let files = files.map(|file| FileStatus {
        data_id: text(file, "/data_id"),
        name: text(file, "/display_name"),
        percent: number(file, "/progress_percentage").map_or(0, percent),
        result_code: number(file, "/scan_all_result_i"),
    });
    let result = text(&json, "/scan_results/scan_all_result_a");
    let verdict = Verdict::parse(&json, &result)?;
    let is_closed = json.get("is_closed").and_then(Value::as_bool).ok_or("is_closed is missing")?;
    Ok(BatchStatus { is_closed, files: files.collect(), verdict, result, json })
}

/// The text at a path; empty if there is none.
fn text(json: &Value, path: &str) -> String {
    json.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The number at a path.
fn number(json: &Value, path: &str) -> Option<i64> {
    json.pointer(path).and_then(Value::as_i64)
}

/// A number as a percentage.
fn percent(number: i64) -> u8 {
    number.clamp(0, 100) as u8
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(json: Value) -> Result<Progress, &'static str> {
        parse_progress(([127, 0, 0, 1], 8008).into(), "3f2a", json)
    }

    fn verdict(process_result: &str, percent: u8, reason: &str, result: &str) -> Option<Verdict> {
        let progress = parse(json!({
            "process_info": { "progress_percentage": percent, "result": process_result, "blocked_reason": reason },
            "scan_results": { "progress_percentage": 100, "scan_all_result_a": result },
        }));
        progress.unwrap().report.map(|report| report.verdict)
    }

    #[test]
    fn a_report_is_complete_at_100_percent_with_a_verdict() {
        assert_eq!(verdict("Processing", 100, "", ""), None);
        assert_eq!(verdict("Allowed", 99, "", ""), None);
        assert_eq!(verdict("Allowed", 100, "", "No Threat Detected"), Some(Verdict::Allowed));
        let blocked = |reason: &str| Some(Verdict::Blocked(reason.to_owned()));
        assert_eq!(verdict("Blocked", 100, "Exceeded Archive Size", "Infected"), blocked("Exceeded Archive Size"));
        assert_eq!(verdict("Blocked", 100, "", "Infected"), blocked("Infected"));
        assert_eq!(verdict("Quarantined", 100, "", ""), blocked("Quarantined"));
    }

    #[test]
    fn json_of_another_shape_is_an_error() {
        for json in [json!({}), json!([]), json!(null), json!({ "process_info": 3 })] {
            assert!(parse(json.clone()).is_err(), "{json}");
            assert!(parse_batch_status(json).is_err());
        }
    }
}
