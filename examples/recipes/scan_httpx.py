#!/usr/bin/env python3
"""Scans one file with httpx: one resolution, one address, and a client that reaches nothing else.

    scan_httpx.py http://core.lb.example:8008 FILE

The transport connects to the address; Host, SNI and the name in the certificate stay the shared name. Ends with 0 when
the file is allowed, 2 when it is blocked, 1 otherwise.
"""
import os
import random
import socket
import ssl
import sys
import time
from urllib.parse import quote

import httpx

PATIENCE = 600  # seconds that a scan may take


class NamedContext(ssl.SSLContext):
    """TLS for a name, whichever address the connection leads to."""

    name = None

    def wrap_socket(self, *args, **kwargs):
        return super().wrap_socket(*args, **{**kwargs, "server_hostname": self.name})


class PinnedTransport(httpx.HTTPTransport):
    """Sends everything to one address under the name in the URL."""

    def __init__(self, address, name):
        context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)  # which verifies certificates and their names
        context.name = name
        context.load_default_certs()  # or those of SSL_CERT_FILE
        self.address = address
        super().__init__(verify=context)

    def handle_request(self, request):
        # The Host header is set already, from the URL with the name.
        request.url = request.url.copy_with(host=self.address)
        return super().handle_request(request)


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


def main():
    url, path = sys.argv[1].rstrip("/"), sys.argv[2]
    target = httpx.URL(url)
    address = reachable(target.host, target.port or (443 if target.scheme == "https" else 80))
    # A client with its own transport connects directly, without a proxy.
    with httpx.Client(transport=PinnedTransport(address, target.host), timeout=30) as client:
        with open(path, "rb") as file:  # a file object is streamed with its Content-Length
            answer = client.post(f"{url}/file", content=file, headers={"filename": quote(os.path.basename(path))})
        answer.raise_for_status()
        data_id = answer.json()["data_id"]
        print("sent to", address)
        wait, until = 0.1, time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = client.get(f"{url}/file/{data_id}")
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
