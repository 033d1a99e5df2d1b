//! The reports of files and batches: their JSON, and the signed result.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::engines;
use crate::store::{Batch, File, ScanResult, SessionStore};

/// Files on a page of a batch, unless the client names another number.
const PAGE_SIZE: usize = 50;

/// The type of every file: the node does not look for it.
const FILE_TYPE: &str = "application/octet-stream";

/// The description of [`FILE_TYPE`].
const FILE_TYPE_DESCRIPTION: &str = "Data";

/// Length in bytes of the made-up signature of a signed result, close to that of real ones.
const SIGNATURE_LENGTH: usize = 4096;

/// The part of the files of a batch that a client asks for.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Page {
    /// Index of the first file.
    #[serde(default)]
    first: usize,
    /// Number of files.
    #[serde(default = "page_size")]
    size: usize,
}

/// The default of `size`, in the form that serde wants.
fn page_size() -> usize {
    PAGE_SIZE
}

impl Default for Page {
    fn default() -> Self {
        Self { first: 0, size: PAGE_SIZE }
    }
}

fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// Milliseconds of scans that have ended. Real nodes report -1 while one is in progress.
fn total_time(time: Duration, result: ScanResult) -> i64 {
    if result == ScanResult::InProgress { -1 } else { i64::try_from(time.as_millis()).unwrap_or(i64::MAX) }
}

/// The name of the sanitized copy of a file.
pub(crate) fn sanitized_name(file: &File) -> String {
    format!("sanitized_{}", file.submission.name)
}

/// The body of `GET /file/{data_id}`, and of the callback of a file.
pub(crate) fn file_report(id: &str, file: &File) -> Value {
    let (result, progress) = (file.result(), file.progress());
    let (uploaded, is_sanitized) = (timestamp(file.uploaded), file.is_sanitized());
    let is_ended = result != ScanResult::InProgress;
    let reasons: Vec<_> = Some(result.blocked_reason()).filter(|reason| !reason.is_empty()).into_iter().collect();
    let verdicts: Vec<_> = is_ended.then(|| result.text()).into_iter().collect();
    let mut report = json!({
        "data_id": id,
        "file_info": {
            "display_name": file.submission.name,
            "file_size": file.upload.size,
            "file_type": FILE_TYPE,
            "file_type_description": FILE_TYPE_DESCRIPTION,
            "md5": file.upload.md5,
            "sha1": file.upload.sha1,
            "sha256": file.upload.sha256,
            "upload_timestamp": uploaded,
        },
        "process_info": {
            "blocked_reason": result.blocked_reason(),
            "blocked_reasons": reasons,
            "file_type_skipped_scan": false,
            "post_processing": {
                "actions_failed": "",
                "actions_ran": if is_sanitized { "Sanitized" } else { "" },
                "converted_destination": if is_sanitized { sanitized_name(file) } else { String::new() },
                "converted_to": "",
                "copy_move_destination": "",
            },
            "profile": file.submission.rule.name,
            "progress_percentage": progress,
            "result": result.process_result(),
            "user_agent": file.submission.user_agent,
            "verdicts": verdicts,
        },
        "scan_results": {
            "data_id": id,
            "progress_percentage": progress,
            "scan_all_result_a": result.text(),
            "scan_all_result_i": result.code(),
            "scan_details": scan_details(result),
            "start_time": uploaded,
            "total_avs": if is_ended { engines::COUNT } else { 0 },
            "total_time": total_time(file.total_time(), result),
        },
    });
    if let Some(metadata) = &file.submission.metadata {
        report["metadata"] = metadata.clone();
    }
    report
}

/// What each engine found. Files that no engine saw have no details.
fn scan_details(result: ScanResult) -> Value {
    match result {
        ScanResult::NoThreat | ScanResult::Infected => engines::scan_details(result.code()),
        ScanResult::EncryptedArchive | ScanResult::Cancelled | ScanResult::InProgress => json!({}),
    }
}

/// An entry of `files_in_batch`.
fn batch_entry(id: &str, file: &File) -> Value {
    let (result, progress) = (file.result(), file.progress());
    json!({
        "data_id": id,
        "detected_by": if result == ScanResult::Infected { engines::COUNT } else { 0 },
        "display_name": file.submission.name,
        "file_size": file.upload.size,
        "file_type": FILE_TYPE,
        "file_type_description": FILE_TYPE_DESCRIPTION,
        "process_info": {
            "blocked_reason": result.blocked_reason(),
            "progress_percentage": progress,
            "result": result.process_result(),
        },
        "progress_percentage": progress,
        "scan_all_result_a": result.text(),
        "scan_all_result_i": result.code(),
        "scanned_with": if result == ScanResult::InProgress { 0 } else { engines::COUNT },
    })
}

/// The body of `GET /file/batch/{id}`, and of the callback of a batch.
pub(crate) fn batch_report(sessions: &SessionStore, id: &str, batch: &Batch, page: Page) -> Value {
    let result = sessions.batch_result(batch);
    let mut files = json!({ "batch_count": batch.files.len() });
    // Real nodes leave the other members out if the batch is empty.
    if !batch.files.is_empty() {
        let listed = sessions.files_of(batch).skip(page.first).take(page.size);
        files["files_in_batch"] = listed.map(|(id, file)| batch_entry(id, file)).collect();
        files["first_index"] = page.first.into();
        files["page_size"] = page.size.into();
    }
    json!({
        "batch_files": files,
        "batch_id": id,
        "is_closed": batch.is_closed,
        "process_info": {
            "blocked_reason": result.blocked_reason(),
            "file_type_skipped_scan": false,
            "profile": batch.rule.name,
            "result": result.process_result(),
            "user_agent": batch.user_agent,
        },
        "scan_results": {
            "batch_id": id,
            "scan_all_result_a": result.text(),
            "scan_all_result_i": result.code(),
            "start_time": timestamp(batch.opened),
            "total_avs": 0,
            "total_time": total_time(sessions.batch_time(batch), result),
        },
        "user_data": batch.user_data,
    })
}

/// The body of `GET /file/batch/{id}/certificate`: two YAML documents, the report and its
/// signature.
pub(crate) fn signed_result(sessions: &SessionStore, id: &str, batch: &Batch) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let result = sessions.batch_result(batch);
    let mut lines = vec![
        "---".to_owned(),
        format!("batch_id: {id}"),
        format!("user_data: {}", quoted(&batch.user_data)),
        "batch_files:".to_owned(),
        format!("  batch_count: {}", batch.files.len()),
        "  files_in_batch:".to_owned(),
    ];
    for (id, file) in sessions.files_of(batch) {
        lines.extend([
            format!("  - data_id: {id}"),
            format!("    display_name: {}", quoted(&file.submission.name)),
            format!("    file_size: {}", file.upload.size),
            format!("    scan_all_result_i: {}", file.result().code()),
            "    process_info:".to_owned(),
            format!("      result: {}", file.result().process_result()),
            format!("    sha256: {}", file.upload.sha256),
        ]);
    }
    lines.extend([
        "process_info:".to_owned(),
        format!("  blocked_reason: {}", quoted(result.blocked_reason())),
        format!("  profile: {}", quoted(batch.rule.name)),
        format!("  result: {}", result.process_result()),
        "scan_results:".to_owned(),
        format!("  scan_all_result_a: {}", result.text()),
        format!("  scan_all_result_i: {}", result.code()),
        "...".to_owned(),
        "---".to_owned(),
        format!("signature: {}", "f".repeat(SIGNATURE_LENGTH)),
        "certificate: |".to_owned(),
        "  -----BEGIN CERTIFICATE-----".to_owned(),
        "  fake".to_owned(),
        "  -----END CERTIFICATE-----".to_owned(),
        "...\n".to_owned(),
    ]);
    lines.join("\n")
}
