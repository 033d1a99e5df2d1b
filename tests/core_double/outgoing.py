"""Outgoing HTTP: downloads of `downloadfrom`, and callbacks with their retries.

A failed callback is retried as often as configured. The status of the last attempt is what
`GET /file/webhook/{id}` answers; the codes are the vendor's.
"""

import asyncio
import socket
import ssl
from urllib.parse import urlsplit

HEAD_LIMIT = 64 * 1024
TRANSFER_SECONDS = 30.0
CALLBACK_AGENT = "OPSWAT MetaDefender Core V4"


class Reply:
    """Head of an answer; its body is still in `reader`."""

    def __init__(self, head, reader, writer):
        """Parses the head; raises ValueError."""
        lines = head[:-4].decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        pairs = (line.partition(":") for line in lines[1:])
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}
        self.reader = reader
        self.writer = writer


def valid_url(url):
    """Returns true if the text is an http or https URL with a host."""
    # A request line cannot hold the others.
    if not all("!" <= character <= "~" for character in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


async def request(method, url, body=None, headers=()):
    """Sends a request and reads the head of the answer."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    context = ssl.create_default_context() if secure else None
    reader, writer = await asyncio.open_connection(
        parts.hostname, port, ssl=context, limit=HEAD_LIMIT)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}",
             "Connection: close", f"User-Agent: {CALLBACK_AGENT}"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    try:
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        await writer.drain()
        return Reply(await reader.readuntil(b"\r\n\r\n"), reader, writer)
    except BaseException:
        writer.close()
        raise


async def attempt(method, url, body):
    """Sends a callback once; returns the vendor's status code for the outcome."""
    try:
        async with asyncio.timeout(TRANSFER_SECONDS):
            answer = await request(method, url, body)
            answer.writer.close()
    except TimeoutError:
        return 408
    except socket.gaierror:
        return 503
    except (asyncio.IncompleteReadError, ConnectionResetError, BrokenPipeError):
        return 520
    except (OSError, ValueError, asyncio.LimitOverrunError):
        return 444
    if 200 <= answer.status < 300:
        return 200
    return {401: 403, 403: 403, 404: 404}.get(answer.status, 444)


async def call_back(options, callback, document):
    """Sends the result to the client; `callback` takes the status of each attempt."""
    for retry in range(options.callback_retries + 1):
        if retry:
            await asyncio.sleep(options.callback_delay * retry)
        callback.status_code = await attempt(options.callback_method, callback.url, document)
        if callback.status_code == 200:
            return
