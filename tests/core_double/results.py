"""Results of single files: `/file/{data_id}`, `/hash`, `/file/converted`, `/file/webhook`."""

import re
import time
from urllib.parse import unquote

from access import DENIED, owner_of, refuse
from analyses import DONE, PROGRESS, timestamp
from reports import analysis_report
from server import Response, refusal, reply

HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")


def not_found(node, key):
    """Returns the answer for an unknown id or hash."""
    return reply(int(node.options.unknown_id), {key: "Not Found"})


def visible(node, data_id):
    """Returns the analysis, or None if it is unknown or too new to be seen."""
    analysis = node.analyses.get(data_id)
    if analysis is None:
        node.session_error()
        return None
    delay = node.options.visible_after
    return None if delay and time.time() < analysis.started + delay else analysis


async def fetch(node, request, data_id):
    """Answers `GET /file/{data_id}`."""
    denied = refuse(node, request, False)
    if denied is not None:
        return denied
    analysis = visible(node, data_id)
    if analysis is None:
        return not_found(node, data_id)
    core_id = [("X-Core-Id", node.options.name)] if node.options.x_core_id else ()
    return reply(200, analysis_report(node, analysis), core_id)


async def cancel(node, request, data_id):
    """Answers `POST /file/{data_id}/cancel`."""
    denied = refuse(node, request, False)
    if denied is not None:
        return denied
    analysis = node.analyses.get(data_id)
    if analysis is None:
        node.session_error()
        return refusal(404, "Not found")
    node.cancel(analysis)
    return reply(200, {data_id: "cancelled"})


def find_by_hash(node, request, digest, table):
    """Returns the latest analysis of a table with this hash, under the rule that is asked for."""
    latest = table.get(digest)
    rule = unquote(request.headers.get("rule", ""))
    if latest is None or not rule or node.options.hash_rule == "ignored":
        return latest
    in_table = latest.state != PROGRESS
    return next((analysis for analysis in reversed(node.analyses.values())
                 if analysis.sha256 == latest.sha256 and analysis.rule == rule
                 and (analysis.state == DONE or not in_table)), None)


async def by_hash(node, request, key):
    """Answers `GET /hash/{hash}`."""
    denied = refuse(node, request, False)
    if denied is not None:
        return denied
    digest = key.lower()
    if not HASH.fullmatch(digest):
        return refusal(404, "Invalid hash format")
    analysis = find_by_hash(node, request, digest, node.completed)
    if analysis is None and request.headers.get("include-inprogress", "").lower() == "true":
        analysis = find_by_hash(node, request, digest, node.latest)
    if analysis is None:
        return not_found(node, key)
    return reply(200, analysis_report(node, analysis))


async def converted(node, request, data_id):
    """Answers `GET /file/converted/{data_id}`."""
    denied = refuse(node, request, False)
    if denied is not None:
        return denied
    analysis = node.analyses.get(data_id)
    if analysis is None:
        node.session_error()
    if analysis is None or not analysis.verdict.sanitized:
        return refusal(404, "File could not be found")
    if analysis.user and analysis.user != owner_of(node, request):
        return refusal(405, DENIED)
    disposition = f'attachment; filename="{analysis.sanitized_name()}"'
    return Response(200, f"Sanitized({analysis.sha256})".encode(), "application/octet-stream",
                    [("Content-Disposition", disposition)])


async def webhook(node, request, key):
    """Answers `GET /file/webhook/{data_id or batch_id}`."""
    denied = refuse(node, request, False)
    if denied is not None:
        return denied
    callback = node.callbacks.get(key)
    if callback is None:
        if key not in node.analyses and key not in node.batches:
            node.session_error()
        return refusal(404, "Not found")
    return reply(200, {"data_id": key, "request_time": timestamp(callback.requested),
                       "status_code": callback.status_code, "url": callback.url})
