"""Faults for attack tests, and the counters that tests read.

`PUT /_double` sets faults, `GET /_double` reads them. A fault can be limited to the next `count`
matching requests, to a `path` prefix and to a `method`. Requests to `/_double` have no faults.
"""

import json

POINTS = ("accept", "headers", "body-half", "after-body", "mid-response")
MALFORMED = ("truncated-json", "html", "wrong-types", "huge", "empty", "no-data-id")
KINDS = ("reset", "stall", "drip", "malformed", "busy", "refuse", "disk_full")
LIMITS = ("count", "path", "method", "seconds", "size")
COUNTERS = ("connections", "requests", "sessions", "uploads", "bytes", "wrong_session", "cancelled")
CONTROL_PATH = "/_double"


class FaultError(ValueError):
    """A fault that cannot be set; the text says why."""


class Fault:
    """One fault with its limits."""

    __slots__ = ("value", "count", "path", "method", "seconds", "size")

    def __init__(self, value, limits):
        """Takes the value of the fault, and the limits that it shares with its request."""
        self.value = value
        for name in LIMITS:
            setattr(self, name, limits.get(name))

    def matches(self, request):
        """Returns true if the fault applies to the request; None stands for a new connection."""
        if request is None:
            return True
        return (request.path.startswith(self.path or "/")
                and self.method in (None, request.method)
                and not request.path.startswith(CONTROL_PATH))

    def describe(self):
        """Returns the fault as JSON."""
        limits = {name: getattr(self, name) for name in LIMITS if getattr(self, name) is not None}
        return {"value": self.value, **limits}


class Faults:
    """The faults that are set, and the counters."""

    def __init__(self):
        """Starts without faults."""
        self.by_kind = {}
        self.counters = dict.fromkeys(COUNTERS, 0)

    def apply(self, document):
        """Sets faults from the JSON object of a PUT; raises `FaultError` and then sets nothing."""
        unknown = set(document) - set(KINDS) - set(LIMITS) - {"clear", "counters", "role", "ready"}
        if unknown:
            raise FaultError(f"unknown keys: {', '.join(sorted(unknown))}")
        limits = {name: document[name] for name in LIMITS if document.get(name) is not None}
        check_limits(limits)
        kinds = {kind: document[kind] for kind in KINDS if kind in document}
        for kind, value in kinds.items():
            check_value(kind, value, limits)
        if document.get("clear"):
            self.by_kind.clear()
        if document.get("counters") == "reset":
            self.counters.update(dict.fromkeys(COUNTERS, 0))
        for kind, value in kinds.items():
            self.by_kind.pop(kind, None)
            if value not in (None, False):
                self.by_kind[kind] = Fault(value, limits)

    def find(self, kind, request, point=None):
        """Returns the fault of the kind that applies, without counting it."""
        fault = self.by_kind.get(kind)
        if fault is None or (point is not None and fault.value != point):
            return None
        return fault if fault.matches(request) else None

    def take(self, kind, request, point=None):
        """Returns the fault of the kind that applies, and counts it."""
        fault = self.find(kind, request, point)
        if fault is not None and fault.count is not None:
            fault.count -= 1
            if fault.count <= 0:
                del self.by_kind[kind]
        return fault

    def describe(self):
        """Returns the faults as JSON."""
        return {kind: fault.describe() for kind, fault in self.by_kind.items()}


def check_limits(limits):
    """Raises `FaultError` if a limit has the wrong type."""
    for name, types in (("count", int), ("path", str), ("method", str),
                        ("seconds", (int, float)), ("size", int)):
        value = limits.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, types)):
            raise FaultError(f"{name} has the wrong type")
    for name in ("count", "size"):
        if limits.get(name, 1) < 1:
            raise FaultError(f"{name} is below 1")
    if limits.get("seconds", 0) < 0:
        raise FaultError("seconds is negative")


def check_value(kind, value, limits):
    """Raises `FaultError` if the value does not fit the kind."""
    if value in (None, False):
        return
    if kind in ("reset", "stall"):
        if value not in POINTS:
            raise FaultError(f"{kind} is not one of {', '.join(POINTS)}")
        if value == "accept" and "count" not in limits:
            raise FaultError("a fault at accept needs count: it hits new control connections too")
    elif kind == "malformed":
        if value not in MALFORMED:
            raise FaultError(f"malformed is not one of {', '.join(MALFORMED)}")
    elif kind == "refuse":
        if not isinstance(value, dict) or not isinstance(value.get("status"), int):
            raise FaultError("refuse is not an object with status and err")
    elif value is not True:
        raise FaultError(f"{kind} is not true or false")


def malform(fault, response):
    """Damages a response as the fault says."""
    kind, body = fault.value, response.body
    if kind == "empty":
        return response.replaced(b"")
    if kind == "html":
        page = b"<!DOCTYPE html><html><head><title>Log in</title></head><body>Log in</body></html>"
        return response.replaced(page, "text/html")
    if kind == "truncated-json":
        return response.replaced(body[:len(body) // 2] or b"{")
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    if kind == "huge":
        size = fault.size or 64 * 1024 * 1024
        start = json.dumps(document)[:-1] if isinstance(document, dict) and document else "{"
        comma = b", " if start != "{" else b""
        return response.replaced(start.encode() + comma + b'"padding": "' + b"x" * size + b'"}')
    if kind == "no-data-id":
        if isinstance(document, dict):
            document = {key: document[key] for key in document
                        if key not in ("data_id", "batch_id")}
        return response.replaced(json.dumps(document).encode())
    return response.replaced(json.dumps(mistyped(document, 0)).encode())


def mistyped(value, depth):
    """Returns the document with every value below the top level replaced by another type."""
    if depth == 0 and isinstance(value, dict):
        return {key: mistyped(item, 1) for key, item in value.items()}
    if isinstance(value, dict):
        return [mistyped(item, 1) for item in value.values()]
    if isinstance(value, list):
        return {str(index): mistyped(item, 1) for index, item in enumerate(value)}
    if isinstance(value, bool) or value is None:
        return "maybe"
    return 12345 if isinstance(value, str) else str(value)
