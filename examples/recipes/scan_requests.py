#!/usr/bin/env python3
"""Scans one file with requests (urllib3): one resolution, one address, and a session that reaches nothing else.

    scan_requests.py http://core.lb.example:8008 FILE

The adapter connects to the address and keeps the shared name for Host, SNI and the certificate. A plain requests.get
resolves the name again for every new connection. Ends with 0 when the file is allowed, 2 when it is blocked, 1 otherwise.
"""
import os
import random
import socket
import sys
import time
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

PATIENCE = 600  # seconds that a scan may take


class PinnedAdapter(HTTPAdapter):
    """Sends everything to one address under the name in the URL."""

    def __init__(self, address, name):
        self.address, self.name = address, name
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        if self.name:
            kwargs["server_hostname"] = self.name  # SNI
            kwargs["assert_hostname"] = self.name  # and what the certificate must be for
        super().init_poolmanager(*args, **kwargs)

    def send(self, request, **kwargs):
        url = urlsplit(request.url)
        request.headers["Host"] = url.netloc
        host = f"[{self.address}]" if ":" in self.address else self.address
        request.url = url._replace(netloc=f"{host}:{url.port or (443 if url.scheme == 'https' else 80)}").geturl()
        return super().send(request, **kwargs)


def reachable(host, port):
    """One of the addresses of a name that takes a connection, in an order of our own: resolvers and systems sort."""
    found = sorted({entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    random.shuffle(found)
    for address in found:
        try:
            socket.create_connection((address, port), timeout=3).close()
            return address
        except OSError as error:
            print(f"{address}: {error}", file=sys.stderr)
    sys.exit(f"no node of {host} can be reached")


def pinned(url):
    """A session for one node of the shared name, and its address."""
    parts = urlsplit(url)
    address = reachable(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    session = requests.Session()
    session.trust_env = False  # no proxy between, but then the variable for own authorities has to be read here
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE", True)
    session.mount(f"{parts.scheme}://", PinnedAdapter(address, parts.hostname if parts.scheme == "https" else None))
    return session, address


def main():
    url, path = sys.argv[1].rstrip("/"), sys.argv[2]
    session, address = pinned(url)
    with open(path, "rb") as file:
        name = {"filename": quote(os.path.basename(path))}
        # A file object is streamed with its Content-Length; an empty one would be sent in chunks, which nodes refuse.
        content = file if os.path.getsize(path) else b""
        answer = session.post(f"{url}/file", data=content, headers=name, timeout=60)
    answer.raise_for_status()
    data_id = answer.json()["data_id"]
    print("sent to", address)
    wait, until = 0.1, time.monotonic() + PATIENCE
    while time.monotonic() < until:
        answer = session.get(f"{url}/file/{data_id}", timeout=30)
        answer.raise_for_status()
        result = answer.json()
        if result.get(data_id) == "Not Found":
            sys.exit(f"{address} does not know {data_id}")
        verdict = result["process_info"]["result"]
        if verdict != "Processing":
            print(verdict.lower())
            sys.exit(0 if verdict == "Allowed" else 2)
        time.sleep(wait)
        wait = min(wait * 1.5, 5)
    sys.exit(f"{address} has no result for {data_id} after {PATIENCE} s")


main()
