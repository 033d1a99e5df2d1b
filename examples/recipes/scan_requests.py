#!/usr/bin/env python3
"""Scans one file with requests (urllib3): one resolution, one address, and a session that reaches nothing else.

    scan_requests.py http://core.lb.example:8008 FILE [NODE]

The adapter connects to the address and keeps the shared name for Host, SNI and the certificate. Without NODE the system
is asked once. A plain requests.get would resolve anew for every new connection.
"""
import random
import socket
import sys
import time
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter


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


def pinned(url, address=None):
    """A session for one node of the shared name."""
    parts = urlsplit(url)
    if address is None:
        found = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
        address = random.choice(sorted({entry[4][0] for entry in found}))
    session = requests.Session()
    session.trust_env = False  # no proxy between
    name = parts.hostname if parts.scheme == "https" else None
    session.mount(f"{parts.scheme}://", PinnedAdapter(address, name))
    return session, address


def main():
    url, path, *node = sys.argv[1:]
    session, address = pinned(url, *node)
    with open(path, "rb") as file:  # a file object is streamed with its Content-Length
        answer = session.post(f"{url}/file", data=file, timeout=60)
    answer.raise_for_status()
    data_id = answer.json()["data_id"]
    print("sent to", address)
    while True:
        result = session.get(f"{url}/file/{data_id}", timeout=10).json()
        if result.get(data_id) == "Not Found":
            sys.exit(f"{address} does not know {data_id}")
        verdict = result["process_info"]["result"]
        if verdict != "Processing":
            print(verdict.lower())
            sys.exit(0 if verdict == "Allowed" else 2)
        time.sleep(0.2)


main()
