"""HTTP/1.1 server of the double: kept connections, streamed bodies and fault points.

A connection reads one request after the other and hands each to `answer`. Bodies are streamed from
the socket. Faults of the connection act at the points that `faults.POINTS` names.
"""

import asyncio
import json
import socket
import struct
import traceback
from http.client import responses as REASONS
from urllib.parse import parse_qsl

from faults import CONTROL_PATH, malform

HEADER_LIMIT = 64 * 1024
#: Bytes that a connection reads ahead; bounds the memory of a connection.
CHUNK = 256 * 1024
#: Largest body of requests other than uploads.
BODY_LIMIT = 1024 * 1024
#: After an early refusal, the connection takes the rest of the body for at most this time.
LINGER_SECONDS = 2.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def is_number(text):
    """Returns true for a decimal number below 10 ** 18; Python fails to parse very long ones."""
    return text.isascii() and text.isdigit() and len(text) <= 18


class Reset(Exception):
    """A fault resets the connection."""


class BadRequest(Exception):
    """The request is not HTTP that the server takes; holds the status."""


class Response:
    """Status, body and headers of an answer."""

    __slots__ = ("status", "body", "content_type", "headers")

    def __init__(self, status, body=b"", content_type="application/json", headers=()):
        """Takes the parts as they are sent; `headers` are pairs."""
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers

    def replaced(self, body, content_type=None):
        """Returns the answer with another body."""
        return Response(self.status, body, content_type or self.content_type, self.headers)

    def head(self, close):
        """Returns the status line and the headers."""
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Unknown')}"]
        if self.body:
            lines.append(f"Content-Type: {self.content_type}")
        lines.append(f"Content-Length: {len(self.body)}")
        lines.extend(f"{name}: {value}" for name, value in self.headers)
        lines.append("Connection: close\r\n\r\n" if close else "Connection: keep-alive\r\n\r\n")
        return "\r\n".join(lines).encode("latin-1", "replace")


def reply(status, document, headers=()):
    """Returns an answer with a JSON body."""
    return Response(status, json.dumps(document).encode(), headers=headers)


def refusal(status, text):
    """Returns an answer in the vendor's form of errors."""
    return reply(status, {"err": text})


class Request:
    """One request; its body is still in the socket."""

    __slots__ = ("method", "path", "query_text", "headers", "length", "chunked", "keep_alive",
                 "left", "connection")

    def __init__(self, head, connection):
        """Parses the bytes up to the empty line; raises `BadRequest`."""
        if len(head) > HEADER_LIMIT:
            raise BadRequest(431)
        lines = head[:-4].decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or parts[1][:1] != "/":
            raise BadRequest(400)
        self.method = parts[0]
        self.path, _, self.query_text = parts[1].partition("?")
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise BadRequest(400)
            headers[name.lower()] = value.strip()
        self.headers = headers
        length = headers.get("content-length")
        if length is not None and not is_number(length):
            raise BadRequest(400)
        self.chunked = "transfer-encoding" in headers
        self.length = None if length is None or self.chunked else int(length)
        self.left = self.length or 0
        wanted = headers.get("connection", "").lower()
        self.keep_alive = "close" not in wanted and (
            parts[2] != "HTTP/1.0" or "keep-alive" in wanted)
        self.connection = connection

    def query(self):
        """Returns the parameters of the query."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    async def chunks(self):
        """Yields the body as it arrives."""
        connection = self.connection
        if self.left and self.headers.get("expect", "").lower() == "100-continue":
            connection.writer.write(CONTINUE)
        half = self.left - self.left // 2
        paused = False
        while self.left:
            if not paused and self.left <= half:
                paused = True
                await connection.point("body-half", self)
            wanted = min(CHUNK, self.left if paused else self.left - half)
            data = await connection.reader.read(wanted)
            if not data:
                raise ConnectionResetError("the client closed within the body")
            self.left -= len(data)
            yield data

    async def body(self):
        """Returns the whole body of a request that is not an upload."""
        if self.left > BODY_LIMIT:
            raise BadRequest(413)
        parts = [chunk async for chunk in self.chunks()]
        return b"".join(parts)


class Connection:
    """One connection of a client."""

    def __init__(self, server, reader, writer):
        """Takes the streams of an accepted socket."""
        self.server = server
        self.faults = server.faults
        self.reader = reader
        self.writer = writer

    async def serve(self):
        """Answers requests until one side closes."""
        try:
            if self.faults.by_kind and self.server.faulty:
                await self.point("accept", None)
            first = True
            while True:
                request = await self.next_request()
                if request is None:
                    break
                self.server.count(request, first)
                first = False
                if not await self.handle(request):
                    break
        except Reset:
            self.abort()
            return
        except BadRequest as error:
            await self.reject(error.args[0])
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass
        except Exception:
            # A mistake of the double itself must not look like an answer of a node.
            traceback.print_exc()
            self.abort()
            return
        self.writer.close()

    async def next_request(self):
        """Reads the next head; returns None at the end of the connection."""
        head = self.reader.readuntil(b"\r\n\r\n")
        try:
            if self.server.idle_seconds:
                head = asyncio.wait_for(head, self.server.idle_seconds)
            return Request(await head, self)
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            raise BadRequest(431) from None

    async def handle(self, request):
        """Answers one request; returns true if the connection stays open."""
        faulty = bool(self.faults.by_kind) and self.server.faulty
        if faulty:
            await self.point("headers", request)
            if not request.left:
                await self.point("body-half", request)
        response = await self.server.answer(request)
        # Without a length, the next bytes may be a body: nothing after them can be trusted.
        unread = request.left > 0 or request.chunked or response.status == 411
        keep = request.keep_alive and not unread
        # A fault can be set while the body arrives.
        if self.faults.by_kind and self.server.faulty:
            await self.point("after-body", request)
            await self.send_faulty(request, response, keep)
        else:
            self.writer.write(response.head(not keep) + response.body)
        await self.writer.drain()
        if unread:
            await self.linger()
        return keep

    async def send_faulty(self, request, response, keep):
        """Sends a response with the faults that act on responses."""
        fault = self.faults.take("malformed", request)
        if fault:
            response = malform(fault, response)
        data = response.head(not keep) + response.body
        middle = "mid-response"
        if self.faults.find("stall", request, middle) or self.faults.find("reset", request, middle):
            half = len(data) // 2
            self.writer.write(data[:half])
            await self.writer.drain()
            # The first half must leave the socket before a reset discards what is queued.
            await asyncio.sleep(0.05)
            await self.point(middle, request)
            data = data[half:]
        fault = self.faults.take("drip", request)
        if not fault:
            self.writer.write(data)
            return
        for index in range(len(data)):
            self.writer.write(data[index:index + 1])
            await self.writer.drain()
            await asyncio.sleep(1.0 if fault.seconds is None else fault.seconds)

    async def point(self, name, request):
        """Stalls or resets here if a fault says so."""
        if not self.server.faulty:
            return
        stall = self.faults.take("stall", request, name)
        if stall:
            try:
                await asyncio.wait_for(self.server.stopping.wait(), stall.seconds)
            except TimeoutError:
                pass
        if self.faults.take("reset", request, name):
            raise Reset

    async def reject(self, status):
        """Answers a request that the server does not take, and closes."""
        response = refusal(status, REASONS.get(status, "Bad Request"))
        try:
            self.writer.write(response.head(True) + response.body)
            await self.linger()
        except OSError:
            pass

    async def linger(self):
        """Takes and drops what the client still sends.

        To close with unread data resets the connection, and the client could lose the answer.
        """
        if self.writer.can_write_eof():
            self.writer.write_eof()
        deadline = asyncio.get_running_loop().time() + LINGER_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                while await self.reader.read(CHUNK):
                    pass
        except TimeoutError:
            pass

    def abort(self):
        """Resets the connection."""
        handle = self.writer.get_extra_info("socket")
        if handle is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Server:
    """A listener; `answer` is the coroutine that answers requests."""

    def __init__(self, answer, faults, stopping, idle_seconds=0.0, faulty=True):
        """Takes what connections share; a listener that is not `faulty` is exempt from faults."""
        self.answer = answer
        self.faults = faults
        self.stopping = stopping
        self.idle_seconds = idle_seconds
        self.faulty = faulty
        self.listener = None

    async def listen(self, host, port):
        """Binds the listener; returns its address as text."""
        self.listener = await asyncio.start_server(
            self.accept, host, port, limit=CHUNK, backlog=4096)
        bound = self.listener.sockets[0].getsockname()
        return f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"

    async def accept(self, reader, writer):
        """Serves a new connection."""
        if self.faulty:
            self.faults.counters["connections"] += 1
        try:
            await Connection(self, reader, writer).serve()
        except asyncio.CancelledError:
            # The double stops.
            writer.transport.abort()

    def count(self, request, first):
        """Counts a request; connections and requests of the control path do not count."""
        counters = self.faults.counters
        if not request.path.startswith(CONTROL_PATH):
            counters["requests"] += 1
        elif first and self.faulty:
            counters["connections"] -= 1
