"""Checks the faults and counters of the control path."""

import http.client
import json
import pathlib
import socket
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import Answer, DoubleTest, PATIENCE, until  # noqa: E402

UPLOAD = b"POST /file HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
VERSION = b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Faults(DoubleTest):
    """Faults, one kind at a time."""

    def resets(self, data):
        """Returns what arrives before the connection is reset."""
        handle = self.raw(b"")
        received = b""
        with self.assertRaises(ConnectionError):
            handle.sendall(data)
            while part := handle.recv(65536):
                received += part
            raise AssertionError(f"closed in order after {received!r}")
        return received

    def test_a_reset_at_accept_hits_the_next_connections(self):
        self.set(reset="accept", count=2)
        for _ in range(2):
            handle = socket.create_connection(self.address, PATIENCE)
            self.addCleanup(handle.close)
            with self.assertRaises(ConnectionError):
                handle.recv(1)
                raise AssertionError("closed in order")
        self.assertEqual(self.call("GET", "/version").status, 200)

    def test_a_reset_hits_each_point(self):
        for point, received, uploads in (("headers", 0, 0), ("body-half", 500, 0),
                                         ("after-body", 1000, 1), ("mid-response", 1000, 1)):
            self.set(clear=True, counters="reset", reset=point, count=1)
            answer = self.resets(UPLOAD + b"x" * 1000)
            counters = self.counters()
            self.assertEqual((counters["bytes"], counters["uploads"]), (received, uploads), point)
            self.assertEqual(bool(answer), point == "mid-response", answer)
            self.assertEqual(self.state()["faults"], {})

    def test_a_stall_at_headers_does_not_read_the_body(self):
        self.set(stall="headers", count=1)
        handle = self.raw(UPLOAD + b"x" * 1000)
        handle.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            handle.recv(1)
        self.assertEqual(self.counters()["bytes"], 0)

    def test_a_stall_at_half_of_the_body_ends_after_its_seconds(self):
        self.set(stall="body-half", seconds=0.4, count=1)
        started = time.monotonic()
        self.upload(b"x" * 1000)
        self.assertGreater(time.monotonic() - started, 0.3)

    def test_a_stall_within_the_response_sends_half_of_it(self):
        self.set(stall="mid-response", count=1)
        handle = self.raw(VERSION)
        self.assertTrue(handle.recv(65536).startswith(b"HTTP/1.1 200 OK"))
        handle.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            handle.recv(1)

    def test_a_stall_at_accept_reads_nothing(self):
        self.set(stall="accept", count=1)
        handle = self.raw(VERSION)
        handle.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            handle.recv(1)
        self.assertEqual(self.call("GET", "/version").status, 200)

    def test_drip_sends_one_byte_at_a_time(self):
        self.set(drip=True, seconds=0.002, count=1)
        started = time.monotonic()
        answer = self.read_all(self.raw(VERSION))
        self.assertIn(b'"product_id": "MSCL"', answer)
        self.assertGreater(time.monotonic() - started, 0.002 * len(answer))
        self.set(drip=True)
        handle = self.raw(VERSION)
        self.assertEqual(len(handle.recv(65536)), 1)

    def test_malformed_answers(self):
        data_id = self.upload(b"x")
        path = f"/file/{data_id}"
        self.set(malformed="truncated-json")
        answer = self.call("GET", path)
        self.assertEqual(answer.status, 200)
        self.assertRaises(ValueError, lambda: answer.json)
        self.set(malformed="html")
        self.assertEqual(self.call("GET", path).headers["content-type"], "text/html")
        self.set(malformed="wrong-types")
        wrong = self.call("GET", path).json
        self.assertIsInstance(wrong["data_id"], int)
        self.assertIsInstance(wrong["process_info"], list)
        self.set(malformed="empty")
        self.assertEqual(self.call("GET", path).body, b"")
        self.set(malformed="no-data-id")
        self.assertNotIn("data_id", self.call("GET", path).json)
        self.assertEqual(self.call("POST", "/file/batch").json, {})
        self.set(malformed="huge", size=3_000_000)
        huge = self.call("GET", path)
        self.assertGreater(len(huge.body), 3_000_000)
        self.assertEqual(huge.json["data_id"], data_id)

    def test_busy_refuses_uploads_only(self):
        self.set(busy=True, count=2)
        self.assertEqual(self.call("GET", "/version").status, 200)
        for _ in range(2):
            self.refused(503, "Server is too busy. Try again later.",
                         self.call("POST", "/file", b"x"))
        self.upload(b"x")
        self.set(busy=True, path="/file/batch")
        self.assertEqual(self.call("POST", "/file/batch").status, 503)
        self.upload(b"x")

    def test_refuse_answers_with_any_status(self):
        self.set(refuse={"status": 500, "err": "Failed to request scan. Try again later."},
                 count=1, path="/file", method="POST")
        self.assertEqual(self.call("GET", "/file/none").status, 200)
        self.refused(500, "Failed to request scan. Try again later.",
                     self.call("POST", "/file", b"x"))
        self.upload(b"x")

    def test_a_full_disk_refuses_before_the_body(self):
        self.set(disk_full=True, count=1)
        handle = self.raw(b"POST /file HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        answer = self.read_all(handle)
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertIn(b"insufficient disk space", answer)

    def test_a_fault_is_limited_to_its_path(self):
        self.set(reset="headers", path="/file/batch")
        self.assertEqual(self.call("GET", "/version").status, 200)
        self.assertEqual(self.resets(b"POST /file/batch HTTP/1.1\r\nHost: a\r\n\r\n"), b"")
        self.assertEqual(self.set(reset=None)["faults"], {})
        self.assertEqual(self.call("POST", "/file/batch").status, 200)

    def test_faults_spare_the_control_path(self):
        self.set(reset="headers")
        self.assertEqual(self.state()["faults"], {"reset": {"value": "headers"}})
        self.set(malformed="empty", reset=None)
        self.assertIn("malformed", self.state()["faults"])

    def test_faults_that_do_not_exist_are_refused(self):
        for document in ({"reset": "never"}, {"reset": "accept"}, {"count": "1", "busy": True},
                         {"count": 0, "busy": True}, {"malformed": "x"}, {"other": 1},
                         {"refuse": 1}, {"role": "x"}, {"ready": 1}, [], {"drip": 5}):
            answer = self.call("PUT", "/_double", json.dumps(document))
            self.assertEqual(answer.status, 400, document)
            self.assertIn("err", answer.json)
        self.assertEqual(self.state()["faults"], {})

    def test_counters_count(self):
        self.upload(b"x" * 100)
        self.call("GET", "/file/none")
        counters = self.counters()
        self.assertEqual(counters["connections"], 1)
        self.assertEqual(counters["requests"], 2)
        self.assertEqual(counters["sessions"], 1)
        self.assertEqual(counters["uploads"], 1)
        self.assertEqual(counters["bytes"], 100)
        self.assertEqual(counters["wrong_session"], 1)

    def test_a_client_that_leaves_within_the_body_uploads_nothing(self):
        handle = self.raw(UPLOAD + b"x" * 10)
        until(lambda: self.counters()["bytes"] == 10, "part of the body")
        handle.close()
        self.assertEqual(self.call("GET", "/version").status, 200)
        self.assertEqual(self.counters()["uploads"], 0)


class Control(DoubleTest):
    """The second listener."""

    arguments = ("--control", "127.0.0.1:0")

    def test_a_control_listener_has_no_faults(self):
        line = self.process.stdout.readline()
        self.assertTrue(line.startswith("control: core-a at 127.0.0.1:"), line)
        client = http.client.HTTPConnection(line.split()[-1], timeout=PATIENCE)
        self.addCleanup(client.close)
        client.request("PUT", "/_double", json.dumps({"reset": "accept", "count": 1000}))
        self.assertEqual(Answer(client.getresponse()).status, 200)
        with self.assertRaises(OSError):
            self.set()
        client.close()
        client.request("PUT", "/_double", json.dumps({"clear": True}))
        self.assertEqual(Answer(client.getresponse()).status, 200)
        self.assertEqual(self.call("GET", "/version").status, 200)


if __name__ == "__main__":
    unittest.main()
