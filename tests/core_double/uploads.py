"""`POST /file`: from the headers of an upload to a `data_id`.

A refused upload is answered after its body, or with `--refusals early` as soon as its headers are
known. The refusal for want of disk space is always early, as the vendor documents it.
"""

import asyncio
import re
from urllib.parse import unquote

import documents
import outgoing
from access import DENIED, owner_of, refuse
from analyses import PROGRESS, Analysis, Callback
from server import is_number, refusal, reply
from verdicts import FAILED, Scanner

PASSWORD = re.compile(r"archivepwd(?:[1-9][0-9]*)?")
STANDBY = {"expired": (500, "License is expired"), "forbidden": (403, DENIED),
           "failed": (500, "Failed to request scan. Try again later.")}
TOO_LARGE = ("Failed to request scan. File size exceeded the maximum size permitted by your "
             "configuration.")
WRONG_BATCH = {"unknown": "Can not scan in given batch.",
               "another-instance": "Cannot scan batch in another instance."}


async def upload(node, request):
    """Answers `POST /file`."""
    if request.length is None:
        return refusal(411, "Missing Content-Length header.")
    if node.faults.take("disk_full", request):
        return refusal(400, "File upload rejected due to insufficient disk space")
    answer = refuse_headers(node, request)
    if answer is not None and node.options.refusals == "early":
        return answer
    scanner = Scanner()
    counters = node.faults.counters
    async for chunk in request.chunks():
        counters["bytes"] += len(chunk)
        if answer is None:
            scanner.feed(chunk)
    if answer is not None:
        return answer
    return await accept(node, request, scanner)


def refuse_headers(node, request):
    """Returns the refusal that the headers of the upload lead to, or None."""
    options, headers = node.options, request.headers
    denied = refuse(node, request, options.require_apikey)
    if denied is not None:
        return denied
    if node.role != "active":
        return refusal(*STANDBY[options.standby_refusal])
    if headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return refusal(501, "This double takes no multipart uploads.")
    for name, text in (("downloadfrom", "download link"), ("filepath", "local file path")):
        if name in headers and request.length:
            return refusal(400, f"Both body data and {text} were given.")
    if "filepath" in headers:
        return refusal(500, "File not found, invalid path or access.")
    if "callbackurl" in headers and not outgoing.valid_url(headers["callbackurl"]):
        return refusal(400, "Callback url is invalid.")
    if not request.length and "downloadfrom" not in headers:
        return refusal(422, "File is empty.")
    if rule_of(options, headers, None) is None:
        return refusal(500, "No available rule is present for scanning.")
    if request.length > options.max_file_size:
        return refusal(500, TOO_LARGE)
    return refuse_batch(node, request)


def refuse_batch(node, request):
    """Returns the refusal for the batch of an upload, or None."""
    batch_id = request.headers.get("batch")
    if not batch_id:
        return None
    batch = node.batches.get(batch_id)
    if batch is None:
        node.session_error()
        return refusal(400, WRONG_BATCH[node.options.wrong_batch])
    if batch.is_closed:
        return refusal(400, WRONG_BATCH["unknown"])
    return None


def rule_of(options, headers, batch):
    """Returns the rule for a file, or None if the client asks for one that does not exist."""
    wanted = headers.get("rule") or headers.get("workflow")
    if not wanted:
        return batch.rule if batch is not None else options.rule[0]
    wanted = unquote(wanted)
    return wanted if wanted in options.rule else None


def metadata_of(headers):
    """Returns the metadata header as JSON, or as text if it is not JSON."""
    text = headers.get("metadata")
    if not text:
        return None
    for candidate in (text, unquote(text)):
        try:
            return documents.parse(candidate)
        except ValueError:
            pass
    return text


async def accept(node, request, scanner):
    """Registers an upload whose body has arrived."""
    headers, options = request.headers, node.options
    batch = node.batches.get(headers.get("batch", ""))
    # A batch can be closed while a file is on its way (documented up to 5.15).
    if batch is not None and batch.is_closed:
        return refusal(400, "Batch closed during file upload.")
    if node.in_progress >= options.queue_size:
        return refusal(503, "Server is too busy. Try again later.")
    analysis = Analysis(raw_name(headers), rule_of(options, headers, batch),
                        headers.get("user_agent", ""), owner_of(node, request))
    analysis.metadata = metadata_of(headers)
    analysis.batch = batch
    if "callbackurl" in headers:
        analysis.callback = Callback(headers["callbackurl"])
    passwords = {unquote(value) for name, value in headers.items() if PASSWORD.fullmatch(name)}
    if "downloadfrom" in headers:
        failure = await start_download(node, analysis, headers["downloadfrom"], passwords)
        if failure is not None:
            return failure
    else:
        node.register(analysis)
        judge(node, analysis, scanner, passwords)
    core_id = [("X-Core-Id", options.name)] if options.x_core_id else ()
    return reply(200, {"data_id": analysis.data_id}, core_id)


def raw_name(headers):
    """Returns the filename header; bytes above ASCII are taken for UTF-8."""
    name = headers.get("filename", "")
    return name if name.isascii() else name.encode("latin-1").decode("utf-8", "replace")


def judge(node, analysis, scanner, passwords):
    """Starts the analysis of a file that has arrived."""
    analysis.scanned(scanner)
    verdict = scanner.verdict(analysis.name, passwords, node.options.archive_password)
    seconds = node.options.scan_seconds if scanner.seconds is None else scanner.seconds
    node.start(analysis, seconds, verdict)


async def start_download(node, analysis, url, passwords):
    """Starts a download; returns the refusal if the link is not usable."""
    if not url.startswith(("http://", "https://")):
        return refusal(400, "Download url must start with http:// or https://.")
    if not outgoing.valid_url(url):
        return refusal(400, "Invalid download url.")
    try:
        async with asyncio.timeout(outgoing.TRANSFER_SECONDS):
            answer = await outgoing.request("GET", url)
    except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError,
            asyncio.LimitOverrunError):
        return refusal(400, "Cannot get file name and file size from url.")
    length = answer.headers.get("content-length", "")
    if 300 <= answer.status < 400 or answer.status != 200 or not is_number(length):
        answer.writer.close()
        redirect = 300 <= answer.status < 400
        return refusal(400, "Redirect link not supported." if redirect
                       else "Cannot get file name and file size from url.")
    analysis.name = analysis.name or url.rpartition("/")[2].partition("?")[0]
    analysis.download = {"progress": 1, "status": "Downloading", "url": url}
    node.register(analysis)
    node.spawn(download(node, analysis, answer, int(length), passwords))
    return None


async def download(node, analysis, answer, length, passwords):
    """Takes a file from a link, and starts its analysis."""
    scanner = Scanner()
    url = analysis.download["url"]
    try:
        async with asyncio.timeout(outgoing.TRANSFER_SECONDS):
            while scanner.size < length and analysis.state == PROGRESS:
                chunk = await answer.reader.read(min(65536, length - scanner.size))
                if not chunk:
                    raise ConnectionResetError("the source closed early")
                scanner.feed(chunk)
                percent = max(1, min(99, 100 * scanner.size // length))
                analysis.download["progress"] = percent
    except (OSError, TimeoutError) as error:
        status = "Download Timeout" if isinstance(error, TimeoutError) else "Download Failed"
        analysis.download = {"error_detail": "Connection error", "status": status, "url": url}
        node.finish(analysis, FAILED)
        return
    finally:
        answer.writer.close()
    if analysis.state != PROGRESS:
        analysis.download = {"status": "Download Cancelled", "url": url}
        return
    analysis.download = {"status": "Download Success", "url": url}
    judge(node, analysis, scanner, passwords)
