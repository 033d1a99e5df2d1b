//! What nodes report about files and batches, parsed from the JSON of their responses.
//!
//! [`api`](crate::api) parses with it; the types are part of the public interface. Parsing fails if
//! a member that the verdict needs is missing.

use std::collections::BTreeSet;
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
    /// The rule, also called workflow, with which the file was scanned (`profile`); empty if the
    /// node does not say.
    pub rule: String,
    /// The overall result as text, for example `No Threat Detected` (`scan_all_result_a`).
    pub result: String,
    /// The overall result as a number (`scan_all_result_i`): 0 no threat, 1 infected, 2 suspicious,
    /// 3 failed, 10 not scanned, 19 cancelled.
    pub result_code: Option<i64>,
    /// The threats that engines found, each once, sorted (`threat_found`).
    pub threats: Vec<String>,
    /// The hashes of the file, as the node has computed them.
    pub hashes: Hashes,
    /// The whole response of the node.
    pub json: Value,
}

/// Hashes of a file in hexadecimal; empty if the node has not computed them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Hashes {
    /// MD5.
    pub md5: String,
    /// SHA-1.
    pub sha1: String,
    /// SHA-256.
    pub sha256: String,
}

/// Status of a batch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BatchStatus {
    /// True if the batch is closed.
    pub is_closed: bool,
    /// All files of the batch.
    pub files: Vec<FileStatus>,
    /// Whether the batch may pass, once the node has decided.
    pub verdict: Option<Verdict>,
    /// The overall result as text (`scan_all_result_a`).
    pub result: String,
    /// The overall result as a number (`scan_all_result_i`), as in [`Report::result_code`]; 19 if
    /// the batch was cancelled.
    pub result_code: Option<i64>,
    /// The response of the node without its list of files, which comes in pages.
    pub json: Value,
}

/// One page of the response to `GET /file/batch/{batch_id}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BatchPage {
    /// The status, with the files of this page only.
    pub(crate) status: BatchStatus,
    /// Index of the first file of the next page; none after the last page.
    pub(crate) next: Option<usize>,
    /// Number of files in the batch, if the node says so.
    pub(crate) total: Option<usize>,
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
    /// Parses an entry of `files_in_batch`.
    fn parse(file: &Value) -> Self {
        Self {
            data_id: text(file, "/data_id"),
            name: text(file, "/display_name"),
            percent: number(file, "/progress_percentage").map_or(0, percent),
            result_code: number(file, "/scan_all_result_i"),
        }
    }

    /// Returns true if the scan of the file has ended.
    pub fn is_processed(&self) -> bool {
        self.percent == 100 && self.result_code != Some(IN_PROGRESS)
    }
}

impl Report {
    /// Returns true if the node says that it has made a sanitized copy of the file.
    pub fn is_sanitized(&self) -> bool {
        text(&self.json, "/process_info/post_processing/actions_ran").contains("Sanitized")
    }
}

impl Hashes {
    /// Returns true if one of them is `hash`, in any letter case.
    pub(crate) fn contain(&self, hash: &str) -> bool {
        [&self.md5, &self.sha1, &self.sha256].iter().any(|own| own.eq_ignore_ascii_case(hash))
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
/// A member is missing, or the report is about another file; says which.
pub(crate) fn parse_progress(node: SocketAddr, data_id: &str, json: Value) -> Result<Progress, &'static str> {
    if json.get("data_id").and_then(Value::as_str).is_some_and(|reported| reported != data_id) {
        return Err("the report has another data_id");
    }
    let result = text(&json, "/scan_results/scan_all_result_a");
    let verdict = Verdict::parse(&json, &result)?;
    let percents = ["/process_info/progress_percentage", "/scan_results/progress_percentage"];
    let percent = percents.into_iter().filter_map(|path| number(&json, path)).min().map_or(0, percent);
    let report = verdict.filter(|_| percent == 100).map(|verdict| Report {
        node,
        data_id: data_id.to_owned(),
        name: text(&json, "/file_info/display_name"),
        verdict,
        rule: text(&json, "/process_info/profile"),
        result,
        result_code: number(&json, "/scan_results/scan_all_result_i"),
        threats: threats(&json),
        hashes: Hashes {
            md5: text(&json, "/file_info/md5"),
            sha1: text(&json, "/file_info/sha1"),
            sha256: text(&json, "/file_info/sha256"),
        },
        json,
    });
    Ok(Progress { percent, report })
}

/// Parses the response to `GET /file/batch/{batch_id}` from the file with the index `first` on.
///
/// # Errors
/// A member is missing; says which.
pub(crate) fn parse_batch_page(first: usize, mut json: Value) -> Result<BatchPage, &'static str> {
    let files = json.pointer_mut("/batch_files/files_in_batch").map(Value::take);
    let files: Vec<_> = files.as_ref().and_then(Value::as_array).into_iter().flatten().map(FileStatus::parse).collect();
    let result = text(&json, "/scan_results/scan_all_result_a");
    let verdict = Verdict::parse(&json, &result)?;
    let is_closed = json.get("is_closed").and_then(Value::as_bool).ok_or("is_closed is missing")?;
    let count = |path| number(&json, path).and_then(|count| usize::try_from(count).ok());
    let (total, page_size) = (count("/batch_files/batch_count"), count("/batch_files/page_size"));
    let end = first + files.len();
    // Without a total, only a page that is not full is certainly the last.
    let is_last =
        files.is_empty() || total.map_or_else(|| page_size.is_none_or(|size| files.len() < size), |total| end >= total);
    let next = (!is_last).then_some(end);
    let result_code = number(&json, "/scan_results/scan_all_result_i");
    Ok(BatchPage { status: BatchStatus { is_closed, files, verdict, result, result_code, json }, next, total })
}

/// The threats that the engines name.
fn threats(json: &Value) -> Vec<String> {
    let engines = json.pointer("/scan_results/scan_details").and_then(Value::as_object).into_iter().flatten();
    let found = engines.map(|(_, engine)| text(engine, "/threat_found")).filter(|threat| !threat.is_empty());
    found.collect::<BTreeSet<_>>().into_iter().collect()
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
    fn a_report_about_another_file_is_refused() {
        let report = |data_id: &str| {
            let process_info = json!({ "progress_percentage": 100, "result": "Allowed" });
            let scan_results = json!({ "progress_percentage": 100 });
            parse(json!({ "data_id": data_id, "process_info": process_info, "scan_results": scan_results }))
        };
        assert!(report("3f2a").is_ok());
        assert_eq!(report("77b1"), Err("the report has another data_id"));
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
    fn a_report_names_threats_once_and_hashes() {
        let progress = parse(json!({
            "process_info": { "progress_percentage": 100, "result": "Blocked" },
            "file_info": { "md5": "0a", "sha256": "0B" },
            "scan_results": { "progress_percentage": 100, "scan_details": {
                "B": { "threat_found": "EICAR" }, "A": { "threat_found": "EICAR" }, "C": { "threat_found": "" },
            } },
        }));
        let report = progress.unwrap().report.unwrap();
        assert_eq!(report.threats, ["EICAR"]);
        assert_eq!((report.hashes.md5.as_str(), report.hashes.sha1.as_str()), ("0a", ""));
        assert!(report.hashes.contain("0b") && !report.hashes.contain("0c"));
    }

    #[test]
    fn a_batch_has_pages_until_all_files_are_listed() {
        let page = |first, files: usize, total: Value, page_size: Value| {
            let json = json!({
                "is_closed": false,
                "process_info": { "result": "Processing" },
                "batch_files": {
                    "batch_count": total,
                    "page_size": page_size,
                    "files_in_batch": vec![json!({ "data_id": "a" }); files],
                },
            });
            let page = parse_batch_page(first, json).unwrap();
            assert_eq!(page.status.files.len(), files);
            assert_eq!(page.status.json.pointer("/batch_files/files_in_batch"), Some(&Value::Null));
            page.next
        };
        assert_eq!(page(0, 50, json!(120), json!(50)), Some(50));
        assert_eq!(page(100, 20, json!(120), json!(50)), None);
        assert_eq!(page(50, 0, json!(120), json!(50)), None, "a page without files is the last");
        assert_eq!(page(0, 50, Value::Null, json!(50)), Some(50));
        assert_eq!(page(50, 3, Value::Null, json!(50)), None);
        assert_eq!(page(0, 3, Value::Null, Value::Null), None);
    }

    #[test]
    fn json_of_another_shape_is_an_error() {
        for json in [json!({}), json!([]), json!(null), json!({ "process_info": 3 })] {
            assert!(parse(json.clone()).is_err(), "{json}");
            assert!(parse_batch_page(0, json).is_err());
        }
    }
}
