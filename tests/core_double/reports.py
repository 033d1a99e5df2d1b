"""Documents about analyses and batches, as the vendor's reference describes them."""

import base64
import hashlib
from urllib.parse import unquote

from analyses import PROGRESS, Batch, timestamp

PAGE_SIZE = 50
ENGINES = ("ClamAV", "Avira")
DEFINITIONS = "2026-01-15T02:37:05.000Z"


def display_name(node, name):
    """Returns the file name as the node shows it."""
    return unquote(name) if node.options.display_name == "decoded" else name


def scan_result(node, verdict, running):
    """Returns the pair of scan_all_result_a and scan_all_result_i."""
    if not running:
        return verdict.name, verdict.index
    if node.options.progress_result == "so-far":
        return "No Threat Detected", 0
    return "In Progress", 255


def file_type(analysis):
    """Returns the type and its description; the double does not look into files."""
    if analysis.verdict.threat.startswith("EICAR"):
        return "application/octet-stream", "EICAR virus test files"
    return "text/plain", "ASCII text"


def analysis_report(node, analysis):
    """Returns the result of a file: the body of `GET /file/{data_id}` and of callbacks."""
    running = analysis.state == PROGRESS
    report = {
        "data_id": analysis.data_id,
        "file_info": file_info(node, analysis),
        "process_info": process_info(analysis, running),
        "scan_results": scan_results(node, analysis, running),
        "vulnerability_info": {},
    }
    if analysis.metadata is not None:
        report["metadata"] = analysis.metadata
    if analysis.download is not None:
        report["download_info"] = analysis.download
    if analysis.verdict.locked:
        report["extraction_info"] = {
            "decrypted_status": "Failed", "err_category": "Extraction error", "err_code": 307,
            "err_details": "Password is not defined.", "is_encrypted_file": True}
    return report


def file_info(node, analysis):
    """Returns what is known about the file itself."""
    kind, description = file_type(analysis)
    return {
        "display_name": display_name(node, analysis.name),
        "file_size": analysis.size,
        "file_type": kind,
        "file_type_description": description,
        "md5": analysis.md5,
        "sha1": analysis.sha1,
        "sha256": analysis.sha256,
        "type_category": ["T"],
        "receive_data_timestamp": timestamp(analysis.received),
        "upload_time": int(1000 * (analysis.started - analysis.received)),
        "upload_timestamp": timestamp(analysis.started),
    }


def process_info(analysis, running):
    """Returns the decision about a file."""
    verdict = analysis.verdict
    info = {
        "blocked_reason": "" if running else verdict.blocked_reason,
        "blocked_reasons": [verdict.blocked_reason] if verdict.blocked_reason else [],
        "file_type_skipped_scan": False,
        "hash_time": 0,
        "outdated_data": [],
        "processing_time": total_time(analysis),
        "profile": analysis.rule,
        "progress_percentage": analysis.progress(),
        "queue_time": 0,
        "result": "Processing" if running else verdict.result,
        "user_agent": analysis.user_agent,
        "username": analysis.user,
        "verdicts": [] if running else [verdict.name],
        "post_processing": {
            "actions_failed": "", "actions_ran": "", "converted_destination": "",
            "converted_to": "", "copy_move_destination": ""},
    }
    if verdict.sanitized:
        info["post_processing"].update(
            actions_ran="Sanitized", converted_destination=unquote(analysis.sanitized_name()),
            sanitization_details={"description": "Sanitized successfully."})
    return info


def total_time(analysis):
    """Returns the milliseconds that the analysis took, or -1 while it is in progress."""
    if analysis.finished is None:
        return -1
    return int(1000 * (analysis.finished - analysis.started))


def scan_results(node, analysis, running):
    """Returns the results of the engines."""
    verdict = analysis.verdict
    name, index = scan_result(node, verdict, running)
    found = verdict.index if verdict.index in (0, 1, 2) else 10
    detail = {"def_time": DEFINITIONS, "location": "local", "scan_result_i": found,
              "scan_time": 3, "threat_found": verdict.threat, "wait_time": 1}
    details = {} if running else {
        engine: {**detail, "eng_id": f"{engine.lower()}_1_linux"} for engine in ENGINES}
    return {
        "data_id": analysis.data_id,
        "progress_percentage": analysis.progress(),
        "scan_all_result_a": name,
        "scan_all_result_i": index,
        "start_time": timestamp(analysis.started),
        "total_avs": 0 if running else len(ENGINES),
        "total_time": total_time(analysis),
        "scan_details": details,
    }


def batch_entry(node, analysis):
    """Returns one entry of files_in_batch."""
    running = analysis.state == PROGRESS
    verdict = analysis.verdict
    name, index = scan_result(node, verdict, running)
    kind, description = file_type(analysis)
    return {
        "data_id": analysis.data_id,
        "detected_by": len(ENGINES) if index in (1, 2) else 0,
        "display_name": display_name(node, analysis.name),
        "file_size": analysis.size,
        "file_type": kind,
        "file_type_description": description,
        "process_info": {
            "blocked_reason": "" if running else verdict.blocked_reason,
            "progress_percentage": analysis.progress(),
            "result": "Processing" if running else verdict.result,
            "verdicts": [] if running else [verdict.name]},
        "progress_percentage": analysis.progress(),
        "scan_all_result_a": name,
        "scan_all_result_i": index,
        "scanned_with": 0 if running else len(ENGINES),
    }


def batch_files(node, batch, first, size):
    """Returns one page of the files of a batch."""
    files = {"batch_count": len(batch.files)}
    if batch.files or node.options.empty_batch == "list":
        page = batch.files[first:first + size]
        files.update(files_in_batch=[batch_entry(node, analysis) for analysis in page],
                     first_index=first, page_size=size)
    return files


def batch_report(node, batch, first=0, size=PAGE_SIZE):
    """Returns the status of a batch."""
    # An open batch without files has no result yet.
    running = batch.busy() or not (batch.files or batch.is_closed)
    verdict = batch.verdict()
    name, index = ("In Progress", 255) if running else (verdict.name, verdict.index)
    end = batch.closed or max((analysis.finished or 0 for analysis in batch.files), default=0)
    return {
        "batch_files": batch_files(node, batch, first, size),
        "batch_id": batch.batch_id,
        "is_closed": batch.is_closed,
        "process_info": {
            "blocked_reason": "" if running else verdict.blocked_reason,
            "file_type_skipped_scan": False,
            "profile": batch.rule,
            "result": "Processing" if running else verdict.result,
            "user_agent": batch.user_agent,
            "username": batch.user},
        "scan_results": {
            "batch_id": batch.batch_id,
            "scan_all_result_a": name,
            "scan_all_result_i": index,
            "start_time": timestamp(batch.opened),
            "total_avs": 0,
            "total_time": -1 if running else int(1000 * (end - batch.opened))},
        "user_data": batch.user_data,
    }


def report(node, subject):
    """Returns the report of an analysis or of a batch."""
    if isinstance(subject, Batch):
        return batch_report(node, subject)
    return analysis_report(node, subject)


def scalar(text):
    """Returns a text as YAML; texts that YAML could take for something else are quoted."""
    plain = text.replace("%", "").replace(".", "").replace("_", "").replace("-", "")
    if text and plain.replace(" ", "").isalnum() and text == text.strip() and text[0].isalpha():
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if text else ""


def signed_result(node, batch):
    """Returns the signed result of a batch: two YAML documents.

    The signature and the certificate have the vendor's form, but no key made them.
    """
    verdict = batch.verdict()
    lines = ["---", f"batch_id: {batch.batch_id}", f"user_data: {scalar(batch.user_data)}",
             f"cert_sha1_fingerprint: {hashlib.sha1(node.options.name.encode()).hexdigest()}",
             "batch_files:", f"  batch_count: {len(batch.files)}", "  files_in_batch:"]
    for analysis in batch.files:
        lines += [f"  - data_id: {analysis.data_id}",
                  f"    display_name: {scalar(display_name(node, analysis.name))}",
                  f"    file_size: {analysis.size}",
                  f"    scan_all_result_i: {analysis.verdict.index}",
                  "    process_info:",
                  f"      blocked_reason: {analysis.verdict.blocked_reason}".rstrip(),
                  f"      result: {analysis.verdict.result}",
                  f"    sha256: {analysis.sha256}"]
    report = batch_report(node, batch)
    results = report["scan_results"]
    lines += ["process_info:", f"  blocked_reason: {verdict.blocked_reason}".rstrip(),
              "  file_type_skipped_scan: false", f"  profile: {scalar(batch.rule)}",
              f"  result: {verdict.result}", f"  user_agent: {scalar(batch.user_agent)}",
              "scan_results:", f"  scan_all_result_a: {verdict.name}",
              f"  scan_all_result_i: {verdict.index}", f"  start_time: {results['start_time']}",
              "  total_avs: 0", f"  total_time: {results['total_time']}", "..."]
    text = "\n".join(lines) + "\n"
    seal = b"".join(hashlib.sha512(bytes([part]) + text.encode()).digest() for part in range(8))
    encoded = base64.b64encode(seal * 2).decode()
    block = "\n".join("  " + encoded[start:start + 64] for start in range(0, len(encoded), 64))
    return (f"{text}---\nsignature: {seal.hex()}\ncertificate: |\n"
            f"  -----BEGIN CERTIFICATE-----\n{block}\n  -----END CERTIFICATE-----\n...\n")
