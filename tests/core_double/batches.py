"""Batches: `/file/batch` and what is below it."""

from urllib.parse import unquote

import outgoing
from access import DENIED, owner_of, refuse
from analyses import Batch, Callback
from reports import PAGE_SIZE, batch_report, signed_result
from server import Response, is_number, refusal, reply
from uploads import STANDBY, rule_of

USER_DATA_BYTES = 1024


async def open_batch(node, request):
    """Answers `POST /file/batch`."""
    headers = request.headers
    denied = refuse(node, request, node.options.require_apikey)
    if denied is not None:
        return denied
    if node.role != "active":
        return refusal(*STANDBY[node.options.standby_refusal])
    rule = rule_of(node.options, headers, None)
    user_data = headers.get("user-data", "")
    if rule is None or len(user_data) > USER_DATA_BYTES:
        return refusal(400, "Bad request")
    batch = Batch(unquote(user_data), rule, headers.get("user_agent", ""),
                  owner_of(node, request))
    node.open(batch)
    return reply(200, {"batch_id": batch.batch_id})


def find(node, request, batch_id):
    """Returns the batch and None, or None and the refusal."""
    denied = refuse(node, request, False)
    if denied is not None:
        return None, denied
    batch = node.batches.get(batch_id)
    if batch is None:
        node.session_error()
        return None, refusal(404, "Not found")
    # A key that opened the batch is needed for everything else.
    if batch.user and batch.user != owner_of(node, request):
        return None, refusal(403, DENIED)
    return batch, None


async def status(node, request, batch_id):
    """Answers `GET /file/batch/{id}`."""
    batch, denied = find(node, request, batch_id)
    if batch is None:
        return denied
    query = request.query()
    first, size = query.get("first", "0"), query.get("size", str(PAGE_SIZE))
    if not (is_number(first) and is_number(size)):
        return refusal(400, "Bad request")
    return reply(200, batch_report(node, batch, int(first), int(size)))


async def close(node, request, batch_id):
    """Answers `POST /file/batch/{id}/close`."""
    if "callbackurl" in request.headers:
        return await close_later(node, request, batch_id)
    batch, denied = find(node, request, batch_id)
    if batch is None:
        return denied
    if batch.busy():
        if node.options.close_refusal == 200:
            return reply(200, batch_report(node, batch))
        return refusal(node.options.close_refusal, "Batch has files in progress.")
    node.close(batch)
    return reply(200, batch_report(node, batch))


async def close_later(node, request, batch_id):
    """Answers `POST /file/batch/{id}/close/callback`: the node closes the batch itself."""
    batch, denied = find(node, request, batch_id)
    if batch is None:
        return denied
    url = request.headers.get("callbackurl")
    if not url:
        return refusal(403, "No callback url given.")
    if not outgoing.valid_url(url) or batch.is_closed:
        return refusal(400, "Callback url is invalid.")
    batch.callback = node.callbacks[batch_id] = Callback(url)
    if not batch.busy():
        node.close(batch)
    return reply(200, {batch_id: "Callback url set"})


async def cancel(node, request, batch_id):
    """Answers the cancellation of a batch."""
    batch, denied = find(node, request, batch_id)
    if batch is None:
        return denied
    node.cancel_batch(batch)
    return reply(200, {batch_id: "cancelled"})


async def certificate(node, request, batch_id):
    """Answers `GET /file/batch/{id}/certificate`."""
    batch, denied = find(node, request, batch_id)
    if batch is None:
        return denied
    if not batch.is_closed or node.options.signing == "off":
        return refusal(404, "Not found")
    return Response(200, signed_result(node, batch).encode(), "text/plain")
