"""Keys of clients: which `apikey` is valid, and what it may see."""

from analyses import new_id
from server import refusal

DENIED = "Access denied"


def user_of(node, key):
    """Returns the user of a key, or None if the key is not valid."""
    if key in node.sessions:
        return node.sessions[key]
    if not key:
        return None
    if not node.options.apikey or key in node.options.apikey:
        return "LOCAL/admin"
    return None


def refuse(node, request, required):
    """Returns the refusal for the key of a request, or None if the request may go on."""
    key = request.headers.get("apikey")
    if key is None:
        return refusal(403, DENIED) if required else None
    if user_of(node, key) is None:
        bad = node.options.bad_apikey == "400"
        return refusal(400, "Invalid apikey given") if bad else refusal(403, DENIED)
    return None


def owner_of(node, request):
    """Returns the user who sends the request; empty without a key."""
    return user_of(node, request.headers.get("apikey", "")) or ""


def log_in(node):
    """Starts a session; returns its key."""
    key = new_id()
    node.sessions[key] = f"LOCAL/{node.options.user}"
    return key
