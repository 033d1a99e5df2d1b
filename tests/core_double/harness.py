"""What the tests share: a running double, a client of it, and a receiver of callbacks."""

import http.client
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
import unittest

PROGRAM = pathlib.Path(__file__).with_name("core_double.py")
#: Longest time that a test waits for a condition.
PATIENCE = 20.0


def until(condition, what):
    """Returns the first true value of a condition; fails if it stays false."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {PATIENCE} seconds")


class Answer:
    """Status, headers and body of an answer."""

    def __init__(self, response):
        """Reads the whole response."""
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        """The body as JSON."""
        return json.loads(self.body)


class Receiver:
    """HTTP server that records callbacks, and serves files to download."""

    def __init__(self, statuses=(), content=b"", redirect=False):
        """Answers the first requests with `statuses`, later ones with 200."""
        self.received = []
        outer, planned = self, list(statuses)

        class Handler(http.server.BaseHTTPRequestHandler):
            """Records one request."""

            def record(self):
                """Takes the body and answers."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.received.append((self.command, self.path, body))
                self.send_response(planned.pop(0) if planned else 302 if redirect else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = record

            def log_message(self, *_arguments):
                """Keeps the output of the tests clean."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Stops the server."""
        self.server.shutdown()
        self.server.server_close()


class DoubleTest(unittest.TestCase):
    """Tests against a double that is started per class, with `arguments`."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        """Starts the double and waits until it is ready."""
        command = [sys.executable, str(PROGRAM), "--listen", "127.0.0.1:0", "--name", "core-a",
                   *cls.arguments]
        cls.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = cls.process.stdout.readline()
        start = "ready: core-a at "
        assert line.startswith(start), line
        host, _, port = line[len(start):].strip().rpartition(":")
        cls.address = (host, int(port))

    @classmethod
    def tearDownClass(cls):
        """Stops the double; it must end by itself."""
        cls.process.terminate()
        assert cls.process.wait(10) == 0
        cls.process.stdout.close()

    def setUp(self):
        """Clears faults and counters, and connects."""
        self.client = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        self.addCleanup(self.client.close)
        self.set(clear=True, counters="reset", role="active", ready=True)

    def call(self, method, path, body=None, **headers):
        """Sends a request; underscores in header names become hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if "user-agent" in named:
            named["user_agent"] = named.pop("user-agent")
        self.client.request(method, path, body, named)
        return Answer(self.client.getresponse())

    def set(self, **document):
        """Sets faults or state, on a connection of its own."""
        control = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        try:
            control.request("PUT", "/_double", json.dumps(document))
            answer = Answer(control.getresponse())
        finally:
            control.close()
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def state(self):
        """Returns what the control path says."""
        return self.set()

    def counters(self):
        """Returns the counters."""
        return self.state()["counters"]

    def upload(self, content, name="file.txt", **headers):
        """Uploads a file; returns its data_id."""
        answer = self.call("POST", "/file", content, filename=name, **headers)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["data_id"]

    def finished(self, data_id):
        """Returns the result of a file once it is finished."""
        def ready():
            """Polls once."""
            result = self.call("GET", f"/file/{data_id}").json
            return result if result["process_info"]["progress_percentage"] == 100 else None
        return until(ready, f"analysis of {data_id}")

    def result(self, content, name="file.txt", **headers):
        """Uploads a file and returns its result."""
        return self.finished(self.upload(content, name, **headers))

    def refused(self, status, text, answer):
        """Checks a refusal in the vendor's form."""
        self.assertEqual((answer.status, answer.json), (status, {"err": text}))

    def raw(self, data):
        """Sends bytes on a new socket; returns the socket."""
        handle = socket.create_connection(self.address, PATIENCE)
        self.addCleanup(handle.close)
        handle.sendall(data)
        return handle

    def read_all(self, handle):
        """Returns what arrives until the connection ends; a reset raises."""
        parts = []
        while part := handle.recv(65536):
            parts.append(part)
        return b"".join(parts)
