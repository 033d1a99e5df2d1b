"""Checks login, health, node status, hot backup, and the switches between documents."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import DoubleTest, Receiver, until  # noqa: E402


class Instance(DoubleTest):
    """The instance with the default answers."""

    def test_version_and_rules_need_no_key(self):
        self.assertEqual(self.call("GET", "/version").json["product_id"], "MSCL")
        rules = self.call("GET", "/file/rules").json
        self.assertEqual([rule["name"] for rule in rules], ["File process", "File scan"])

    def test_login_answers_a_key_and_a_token(self):
        answer = self.call("POST", "/login", b'{"user": "admin", "password": "admin"}')
        self.assertEqual(set(answer.json), {"oms-csrf-token", "session_id"})
        key = answer.json["session_id"]
        self.assertEqual(self.call("POST", "/logout", apikey=key).json,
                         {"response": "Logout success"})
        self.refused(403, "Failed to login", self.call("POST", "/login", b'{"user": "admin"}'))

    def test_node_status_is_an_object_and_needs_a_key(self):
        self.refused(403, "Access denied", self.call("GET", "/stat/nodes"))
        status = self.call("GET", "/stat/nodes", apikey="key").json["statuses"][0]
        self.assertEqual(status["scan_queue_details"]["total_scan_queue"], 1500)
        self.assertEqual(status["total_scan_queue"], 1500)

    def test_health_has_details_on_demand(self):
        plain = self.call("GET", "/readyz")
        self.assertEqual((plain.status, plain.body), (200, b""))
        details = self.call("GET", "/readyz?verbose=true").json
        self.assertEqual(details["license"], {"status": "ok"})
        self.assertTrue(details["scan_queue"]["status"])
        self.set(ready=False)
        self.assertEqual(self.call("GET", "/readyz").status, 503)
        self.assertEqual(self.call("GET", "/readyz?verbose=true").status, 503)

    def test_unknown_paths_and_methods_are_refused(self):
        self.assertEqual(self.call("GET", "/nothing").status, 404)
        self.assertEqual(self.call("DELETE", "/file/batch").status, 405)

    def test_bytes_that_are_no_http_are_refused(self):
        for data in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
                     b"POST /file HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
                     b"POST /file HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
            self.assertTrue(self.read_all(self.raw(data)).startswith(b"HTTP/1.1 400 "), data)
        huge = b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000 + b"\r\n\r\n"
        self.assertTrue(self.read_all(self.raw(huge)).startswith(b"HTTP/1.1 431 "))


class HotBackup(DoubleTest):
    """The life of a backup instance."""

    path = "/admin/license/backup"

    def test_an_active_instance_cannot_become_a_backup(self):
        self.refused(403, "Access denied", self.call("GET", self.path))
        self.assertEqual(self.call("GET", self.path, apikey="k").json, {"is_backup": False})
        answer = self.call("POST", self.path, apikey="k", activation_key="a",
                           active_deployment_id="MSCL1")
        self.assertEqual(answer.status, 400)
        self.assertEqual(self.call("POST", self.path + "/nomination", apikey="k").status, 400)
        self.refused(400, "Failed to remove backup license",
                     self.call("DELETE", self.path, apikey="k"))

    def test_a_backup_is_registered_nominated_and_then_scans(self):
        self.set(role="unlicensed")
        self.refused(500, "License is expired", self.call("POST", "/file", b"x"))
        self.assertEqual(self.call("GET", "/readyz").status, 503)
        self.assertEqual(self.call("POST", self.path, apikey="k").status, 400)
        answer = self.call("POST", self.path, apikey="k", activation_key="a",
                           active_deployment_id="MSCL1")
        self.assertIn("registered as a backup one", answer.json["success"])
        self.assertEqual(self.call("GET", self.path, apikey="k").json, {"is_backup": True})
        self.assertEqual(self.call("GET", "/readyz").status, 200)
        self.refused(500, "License is expired", self.call("POST", "/file", b"x"))
        self.refused(500, "License is expired", self.call("POST", "/file/batch"))
        activation = self.call("POST", "/admin/license/activation", b'{"activationKey": "a"}',
                               apikey="k")
        self.assertEqual(activation.status, 400)
        answer = self.call("POST", self.path + "/nomination", apikey="k")
        self.assertIn("fully activated", answer.json["success"])
        self.assertEqual(self.call("GET", self.path, apikey="k").json, {"is_backup": False})
        self.upload(b"x")

    def test_an_unregistered_backup_is_unlicensed(self):
        self.set(role="backup")
        answer = self.call("DELETE", self.path, apikey="k")
        self.assertIn("no longer registered", answer.json["success"])
        self.assertEqual(self.state()["state"]["role"], "unlicensed")
        self.assertEqual(self.call("POST", "/file", b"x").status, 500)

    def test_a_backup_registered_offline_cannot_be_nominated(self):
        self.set(role="unlicensed")
        self.assertEqual(self.call("POST", self.path, b"license: yes", apikey="k").status, 200)
        self.assertEqual(self.call("POST", self.path + "/nomination", apikey="k").status, 400)


class OlderDocuments(DoubleTest):
    """The other side of each contradiction."""

    arguments = ("--unknown-id", "404", "--batch-cancel", "file", "--stat-nodes", "array",
                 "--login-refusal", "404", "--bad-apikey", "403", "--close-refusal", "200",
                 "--progress-result", "so-far", "--display-name", "decoded", "--empty-batch",
                 "list", "--cancelled-spelling", "Canceled", "--callback-method", "PUT",
                 "--wrong-batch", "another-instance", "--readyz-body", "always",
                 "--backup-readyz", "503", "--standby-refusal", "forbidden", "--apikey", "key",
                 "--x-core-id", "--signing", "off", "--callback-delay", "0.05")

    def test_ids_and_hashes_are_404(self):
        for path in ("/file/none", "/hash/" + "0" * 32):
            answer = self.call("GET", path)
            self.assertEqual(answer.status, 404)
            self.assertEqual(list(answer.json.values()), ["Not Found"])

    def test_other_shapes_and_codes(self):
        self.assertIsInstance(self.call("GET", "/stat/nodes", apikey="key").json, list)
        self.refused(404, "Failed to login", self.call("POST", "/login", b"{}"))
        self.refused(403, "Access denied", self.call("POST", "/file", b"x", apikey="bad"))
        self.refused(400, "Cannot scan batch in another instance.",
                     self.call("POST", "/file", b"x", batch="none"))
        self.assertIn("license", self.call("GET", "/readyz").json)
        self.set(role="backup")
        self.assertEqual(self.call("GET", "/readyz").status, 503)
        self.refused(403, "Access denied", self.call("POST", "/file", b"x"))

    def test_names_and_results(self):
        answer = self.call("POST", "/file", b"SLOW-600", filename="a%20b")
        self.assertEqual(answer.headers["x-core-id"], "core-a")
        data_id = answer.json["data_id"]
        result = self.call("GET", f"/file/{data_id}").json
        self.assertEqual(result["file_info"]["display_name"], "a b")
        self.assertEqual(result["process_info"]["result"], "Processing")
        self.assertEqual(result["scan_results"]["scan_all_result_i"], 0)
        self.call("POST", f"/file/{data_id}/cancel")
        result = self.call("GET", f"/file/{data_id}").json
        self.assertEqual(result["scan_results"]["scan_all_result_a"], "Canceled")

    def test_batches(self):
        batch_id = self.call("POST", "/file/batch").json["batch_id"]
        files = self.call("GET", f"/file/batch/{batch_id}").json["batch_files"]
        self.assertEqual(files["files_in_batch"], [])
        self.upload(b"SLOW-600", batch=batch_id)
        answer = self.call("POST", f"/file/batch/{batch_id}/close")
        self.assertEqual((answer.status, answer.json["is_closed"]), (200, False))
        self.assertEqual(self.call("POST", f"/file/batch/{batch_id}/cancel").status, 404)
        self.assertEqual(self.call("POST", f"/file/{batch_id}/cancel").json,
                         {batch_id: "cancelled"})
        self.assertEqual(self.call("GET", f"/file/batch/{batch_id}/certificate").status, 404)

    def test_a_failed_callback_is_retried(self):
        receiver = Receiver(statuses=[500, 404])
        self.addCleanup(receiver.stop)
        data_id = self.upload(b"x", callbackurl=receiver.url)
        until(lambda: len(receiver.received) == 3, "two retries")
        self.assertEqual({method for method, _, _ in receiver.received}, {"PUT"})
        until(lambda: self.call("GET", f"/file/webhook/{data_id}").json["status_code"] == 200,
              "status of the callback")


class SmallNode(DoubleTest):
    """A node with a short queue, low limits and early refusals."""

    arguments = ("--queue-size", "2", "--max-file-size", "1000", "--require-apikey",
                 "--refusals", "early", "--visible-after", "0.3", "--idle-seconds", "0.5")

    def test_a_full_queue_is_busy_and_not_ready(self):
        slow = [self.upload(b"SLOW-600", apikey="k") for _ in range(2)]
        self.refused(503, "Server is too busy. Try again later.",
                     self.call("POST", "/file", b"x", apikey="k"))
        self.assertEqual(self.call("GET", "/readyz").status, 503)
        for data_id in slow:
            self.call("POST", f"/file/{data_id}/cancel")
        self.assertEqual(self.call("GET", "/readyz").status, 200)

    def test_an_early_refusal_answers_before_the_body_and_closes(self):
        handle = self.raw(b"POST /file HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n"
                          b"apikey: k\r\nExpect: 100-continue\r\n\r\n")
        answer = self.read_all(handle)
        self.assertTrue(answer.startswith(b"HTTP/1.1 500 "), answer)
        self.assertIn(b"File size exceeded the maximum size", answer)

    def test_a_scan_needs_a_key(self):
        self.refused(403, "Access denied", self.call("POST", "/file", b"x"))

    def test_a_new_id_is_not_found_for_a_while(self):
        data_id = self.upload(b"x", apikey="k")
        self.assertEqual(self.call("GET", f"/file/{data_id}").json, {data_id: "Not Found"})
        until(lambda: "file_info" in self.call("GET", f"/file/{data_id}").json, "the result")

    def test_an_idle_connection_is_closed(self):
        handle = self.raw(b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(self.read_all(handle).count(b"HTTP/1.1 200"), 1)


if __name__ == "__main__":
    unittest.main()
