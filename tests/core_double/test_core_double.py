"""Checks the double against the documented behaviour of uploads, results and batches."""

import hashlib
import json
import pathlib
import sys
import unittest
from urllib.parse import quote

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import DoubleTest, Receiver, until  # noqa: E402
from verdicts import EICAR  # noqa: E402


class Uploads(DoubleTest):
    """`POST /file` with the default answers."""

    def test_an_upload_answers_an_id_of_32_hexadecimal_digits(self):
        self.assertRegex(self.upload(b"hello"), r"\A[0-9a-f]{32}\Z")

    def test_a_clean_file_is_allowed_with_its_hashes_and_size(self):
        content = b"hello" * 100_000
        result = self.result(content)
        info = result["file_info"]
        self.assertEqual(info["file_size"], len(content))
        for name in ("md5", "sha1", "sha256"):
            self.assertEqual(info[name], hashlib.new(name, content).hexdigest())
        self.assertEqual(result["process_info"]["result"], "Allowed")
        self.assertEqual(result["process_info"]["blocked_reason"], "")
        self.assertEqual(result["scan_results"]["scan_all_result_i"], 0)
        self.assertEqual(result["scan_results"]["scan_all_result_a"], "No Threat Detected")

    def test_eicar_is_infected_wherever_it_stands(self):
        for before in (0, 7, 65536 - 30, 262144 - 30, 262144 * 3 - 1):
            result = self.result(b"x" * before + EICAR + b"y" * 70_000)
            self.assertEqual(result["scan_results"]["scan_all_result_i"], 1, before)
            self.assertEqual(result["scan_results"]["scan_all_result_a"], "Infected")
            self.assertEqual(result["process_info"]["result"], "Blocked")
            self.assertEqual(result["process_info"]["blocked_reason"], "Infected")

    def test_a_suspicious_sample_has_result_2(self):
        result = self.result(b"a SUSPICIOUS-SAMPLE b")
        self.assertEqual(result["scan_results"]["scan_all_result_i"], 2)

    def test_metadata_that_is_not_json_is_text(self):
        deep = "[" * 20_000
        for text in ("NaN", "1e999", "[-Infinity]", "{a", deep, "[" * 500 + "]" * 500):
            self.assertEqual(self.result(b"x", metadata=text)["metadata"], text)
        for text, value in (("%7B%22a%22: 1.5%7D", {"a": 1.5}), ("[[]]", [[]]), ("7", 7)):
            self.assertEqual(self.result(b"x", metadata=text)["metadata"], value)

    def test_a_slow_file_stays_in_progress(self):
        data_id = self.upload(b"SLOW-600")
        result = self.call("GET", f"/file/{data_id}").json
        self.assertEqual(result["process_info"]["result"], "Processing")
        self.assertLess(result["process_info"]["progress_percentage"], 100)
        self.assertEqual(result["scan_results"]["scan_all_result_i"], 255)
        self.assertEqual(result["scan_results"]["total_time"], -1)
        self.call("POST", f"/file/{data_id}/cancel")

    def test_an_encrypted_file_needs_its_password(self):
        locked = self.result(b"zip", "encrypted.zip")
        self.assertEqual(locked["process_info"]["result"], "Blocked")
        self.assertEqual(locked["process_info"]["blocked_reason"], "Encrypted archive")
        self.assertEqual(locked["scan_results"]["scan_all_result_i"], 12)
        for headers in ({"archivepwd": "infected"}, {"archivepwd2": "%69nfected"},
                        {"archivepwd": "wrong", "archivepwd1": "infected"}):
            result = self.result(b"zip", "encrypted.zip", **headers)
            self.assertEqual(result["process_info"]["result"], "Allowed", headers)
        wrong = self.result(b"zip", "encrypted.zip", archivepwd0="infected")
        self.assertEqual(wrong["process_info"]["result"], "Blocked")

    def test_display_name_repeats_the_header(self):
        name = quote("Ünïcode name.txt")
        self.assertEqual(self.result(b"x", name)["file_info"]["display_name"], name)

    def test_rule_and_user_agent_and_metadata_stand_in_the_result(self):
        metadata = json.dumps({"uid": "a/b"})
        for sent in (metadata, quote(metadata)):
            result = self.result(b"x", rule=quote("File scan"), user_agent="kiosk", metadata=sent)
            self.assertEqual(result["process_info"]["profile"], "File scan")
            self.assertEqual(result["process_info"]["user_agent"], "kiosk")
            self.assertEqual(result["metadata"], {"uid": "a/b"})

    def test_refusals_have_the_documented_status_and_text(self):
        def post(body, **headers):
            """Uploads a body."""
            return self.call("POST", "/file", body, **headers)

        self.refused(422, "File is empty.", post(b""))
        self.refused(500, "No available rule is present for scanning.", post(b"x", rule="none"))
        for url in ("no url", "http://a b/", "http://\u00e9/", "http://a:99999/"):
            self.refused(400, "Callback url is invalid.", post(b"x", callbackurl=url))
        self.refused(400, "Both body data and download link were given.",
                     post(b"x", downloadfrom="http://127.0.0.1:1/a"))
        self.refused(400, "Download url must start with http:// or https://.",
                     post(b"", downloadfrom="ftp://a/b"))
        self.refused(400, "Invalid download url.", post(b"", downloadfrom="http://"))
        self.refused(500, "File not found, invalid path or access.", post(b"", filepath="/a"))
        self.refused(400, "Can not scan in given batch.", post(b"x", batch="0" * 32))
        self.assertEqual(self.counters()["wrong_session"], 1)

    def test_chunked_and_missing_lengths_are_refused_with_411(self):
        for framing in ("Transfer-Encoding: chunked\r\n", ""):
            handle = self.raw(f"POST /file HTTP/1.1\r\nHost: a\r\n{framing}\r\n5\r\nhello\r\n"
                              "0\r\n\r\n".encode())
            answer = self.read_all(handle)
            self.assertTrue(answer.startswith(b"HTTP/1.1 411 "), answer)
            self.assertTrue(answer.endswith(b'{"err": "Missing Content-Length header."}'), answer)

    def test_expect_100_continue_is_answered_before_the_body(self):
        handle = self.raw(b"POST /file HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                          b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        self.assertEqual(handle.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
        handle.sendall(b"hello")
        self.assertIn(b"data_id", self.read_all(handle))

    def test_a_kept_connection_serves_pipelined_requests(self):
        handle = self.raw(b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n" * 3
                          + b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertEqual(self.read_all(handle).count(b'"product_id": "MSCL"'), 4)

    def test_a_file_can_come_from_a_link(self):
        source = Receiver(content=b"a SUSPICIOUS-SAMPLE b")
        self.addCleanup(source.stop)
        result = self.result(b"", "", downloadfrom=source.url + "/sample.bin")
        self.assertEqual(result["download_info"]["status"], "Download Success")
        self.assertEqual(result["file_info"]["display_name"], "sample.bin")
        self.assertEqual(result["scan_results"]["scan_all_result_i"], 2)

    def test_a_redirecting_link_is_refused(self):
        source = Receiver(redirect=True)
        self.addCleanup(source.stop)
        answer = self.call("POST", "/file", b"", downloadfrom=source.url)
        self.refused(400, "Redirect link not supported.", answer)


class Results(DoubleTest):
    """Results of single files."""

    def test_an_unknown_id_answers_not_found_with_200(self):
        answer = self.call("GET", "/file/" + "0" * 32)
        self.assertEqual((answer.status, answer.json), (200, {"0" * 32: "Not Found"}))
        self.assertEqual(self.counters()["wrong_session"], 1)

    def test_a_result_is_found_by_each_hash(self):
        content = b"found by hash"
        data_id = self.upload(content)
        self.finished(data_id)
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, content).hexdigest()
            self.assertEqual(self.call("GET", f"/hash/{digest}").json["data_id"], data_id)

    def test_a_result_under_another_rule_is_not_found(self):
        content = b"hash under a rule"
        digest = hashlib.sha256(content).hexdigest()
        found = {}
        for rule in ("File process", "File scan"):
            found[rule] = self.upload(content, rule=rule.replace(" ", "%20"))
            self.finished(found[rule])
        for rule in ("File%20process", "File%20scan"):
            answer = self.call("GET", f"/hash/{digest}", rule=rule)
            self.assertEqual(answer.json["data_id"], found[rule.replace("%20", " ")])
        self.assertEqual(self.call("GET", f"/hash/{digest}").json["data_id"], found["File scan"])
        answer = self.call("GET", f"/hash/{digest}", rule="missing")
        self.assertEqual(answer.json, {digest: "Not Found"})

    def test_a_hash_in_progress_is_not_found_unless_asked_for(self):
        content = b"SLOW-600 hash"
        data_id = self.upload(content)
        digest = hashlib.md5(content).hexdigest()
        self.assertEqual(self.call("GET", f"/hash/{digest}").json, {digest: "Not Found"})
        answer = self.call("GET", f"/hash/{digest}", include_inprogress="true")
        self.assertEqual(answer.json["data_id"], data_id)
        self.assertEqual(self.call("GET", "/hash/zz").status, 404)
        self.call("POST", f"/file/{data_id}/cancel")

    def test_cancel_ends_an_analysis(self):
        data_id = self.upload(b"SLOW-600")
        answer = self.call("POST", f"/file/{data_id}/cancel")
        self.assertEqual((answer.status, answer.json), (200, {data_id: "cancelled"}))
        result = self.call("GET", f"/file/{data_id}").json
        self.assertEqual(result["scan_results"]["scan_all_result_i"], 19)
        self.assertEqual(result["process_info"]["progress_percentage"], 100)
        self.assertEqual(self.counters()["cancelled"], 1)
        self.assertEqual(self.call("POST", "/file/unknown/cancel").status, 404)

    def test_a_sanitized_file_can_be_downloaded(self):
        result = self.result(b"SANITIZE-SAMPLE", "a%20b.txt")
        self.assertEqual(result["process_info"]["post_processing"]["actions_ran"], "Sanitized")
        answer = self.call("GET", f"/file/converted/{result['data_id']}")
        self.assertEqual(answer.status, 200)
        self.assertIn('filename="a%20b_sanitized.txt"', answer.headers["content-disposition"])
        clean = self.result(b"clean")
        self.refused(404, "File could not be found",
                     self.call("GET", f"/file/converted/{clean['data_id']}"))

    def test_a_callback_sends_the_whole_result(self):
        receiver = Receiver()
        self.addCleanup(receiver.stop)
        data_id = self.upload(b"SUSPICIOUS-SAMPLE", callbackurl=receiver.url + "/listenback")
        method, path, body = until(lambda: receiver.received, "callback")[0]
        self.assertEqual((method, path), ("POST", "/listenback"))
        self.assertEqual(json.loads(body)["data_id"], data_id)
        self.assertEqual(json.loads(body)["scan_results"]["scan_all_result_i"], 2)
        until(lambda: self.call("GET", f"/file/webhook/{data_id}").json["status_code"] == 200,
              "status of the callback")


class Batches(DoubleTest):
    """Batches."""

    def open(self, **headers):
        """Opens a batch."""
        return self.call("POST", "/file/batch", **headers).json["batch_id"]

    def closed(self, batch_id):
        """Closes a batch, as often as it is refused; returns the report."""
        def attempt():
            """Tries once."""
            answer = self.call("POST", f"/file/batch/{batch_id}/close")
            if answer.status == 400:
                return None
            self.assertEqual(answer.status, 200)
            return answer.json
        return until(attempt, "close")

    def test_files_are_paged_50_at_a_time(self):
        batch_id = self.open()
        sent = [self.upload(b"x", f"{index}.txt", batch=batch_id) for index in range(120)]
        seen = []
        for first in (0, 50, 100):
            query = f"?first={first}" if first else ""
            files = self.call("GET", f"/file/batch/{batch_id}{query}").json["batch_files"]
            self.assertEqual(files["batch_count"], 120)
            self.assertEqual((files["first_index"], files["page_size"]), (first, 50))
            seen += [entry["data_id"] for entry in files["files_in_batch"]]
        self.assertEqual(seen, sent)
        files = self.call("GET", f"/file/batch/{batch_id}?first=10&size=100").json["batch_files"]
        self.assertEqual([entry["data_id"] for entry in files["files_in_batch"]], sent[10:110])
        for first in ("x", "-1", "", "9" * 30, "9" * 5000):
            self.assertEqual(self.call("GET", f"/file/batch/{batch_id}?first={first}").status, 400)
        self.assertEqual(len(self.closed(batch_id)["batch_files"]["files_in_batch"]), 50)

    def test_close_is_refused_while_a_file_is_in_progress(self):
        batch_id = self.open(user_data=quote("my batch"))
        slow = self.upload(b"SLOW-600", batch=batch_id)
        self.assertEqual(self.call("POST", f"/file/batch/{batch_id}/close").status, 400)
        report = self.call("GET", f"/file/batch/{batch_id}").json
        self.assertFalse(report["is_closed"])
        self.assertEqual(report["user_data"], "my batch")
        self.assertEqual(report["process_info"]["result"], "Processing")
        self.assertEqual(report["scan_results"]["scan_all_result_i"], 255)
        self.assertEqual(report["scan_results"]["total_time"], -1)
        self.call("POST", f"/file/{slow}/cancel")
        self.assertTrue(self.closed(batch_id)["is_closed"])

    def test_a_closed_batch_has_the_worst_result_and_takes_no_files(self):
        batch_id = self.open()
        for content in (b"clean", EICAR, b"SUSPICIOUS-SAMPLE"):
            self.upload(content, batch=batch_id)
        report = self.closed(batch_id)
        self.assertEqual(report["scan_results"]["scan_all_result_i"], 1)
        self.assertEqual(report["scan_results"]["total_avs"], 0)
        self.assertEqual(report["process_info"]["result"], "Blocked")
        self.refused(400, "Can not scan in given batch.",
                     self.call("POST", "/file", b"x", batch=batch_id))

    def test_a_batch_can_be_closed_during_an_upload(self):
        batch_id = self.open()
        handle = self.raw(f"POST /file HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n"
                          f"batch: {batch_id}\r\nConnection: close\r\n\r\nhello".encode())
        until(lambda: self.counters()["bytes"] == 5, "half of the upload")
        self.assertTrue(self.closed(batch_id)["is_closed"])
        handle.sendall(b"hello")
        answer = self.read_all(handle)
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertIn(b"Batch closed during file upload.", answer)

    def test_cancel_cancels_the_files_and_closes_the_batch(self):
        batch_id = self.open()
        files = [self.upload(b"SLOW-600", batch=batch_id) for _ in range(3)]
        answer = self.call("POST", f"/file/batch/{batch_id}/cancel")
        self.assertEqual((answer.status, answer.json), (200, {batch_id: "cancelled"}))
        self.assertTrue(self.call("GET", f"/file/batch/{batch_id}").json["is_closed"])
        for data_id in files:
            result = self.call("GET", f"/file/{data_id}").json
            self.assertEqual(result["scan_results"]["scan_all_result_a"], "Cancelled")
        self.assertEqual(self.counters()["cancelled"], 3)
        self.assertEqual(self.call("POST", f"/file/{batch_id}/cancel").status, 404)

    def test_the_signed_result_is_two_yaml_documents(self):
        batch_id = self.open(user_data="a%3A%20b")
        names = [f"{index}.txt" for index in range(60)]
        for name in names:
            self.upload(b"x", name, batch=batch_id)
        path = f"/file/batch/{batch_id}/certificate"
        self.assertEqual(self.call("GET", path).status, 404)
        self.closed(batch_id)
        answer = self.call("GET", path)
        text = answer.body.decode()
        self.assertEqual(answer.headers["content-type"], "text/plain")
        self.assertTrue(text.startswith(f"---\nbatch_id: {batch_id}\nuser_data: \"a: b\"\n"))
        self.assertEqual(text.count("\n    display_name: "), 60)
        self.assertRegex(text, r"\n\.\.\.\n---\nsignature: [0-9a-f]{1024}\ncertificate: \|\n  ---")
        self.assertTrue(text.endswith("\n  -----END CERTIFICATE-----\n...\n"))

    def test_an_empty_batch_has_no_paging(self):
        batch_id = self.open()
        report = self.call("GET", f"/file/batch/{batch_id}").json
        self.assertEqual(report["batch_files"], {"batch_count": 0})
        self.assertEqual(self.closed(batch_id)["process_info"]["result"], "Allowed")

    def test_a_key_that_opened_a_batch_is_needed_later(self):
        batch_id = self.open(apikey="key")
        self.refused(403, "Access denied", self.call("GET", f"/file/batch/{batch_id}"))
        self.assertEqual(self.call("GET", f"/file/batch/{batch_id}", apikey="key").status, 200)

    def test_an_unknown_batch_is_404(self):
        for method, end in (("GET", ""), ("POST", "/close"), ("POST", "/cancel"),
                            ("GET", "/certificate")):
            self.refused(404, "Not found", self.call(method, f"/file/batch/none{end}"))
        self.assertEqual(self.counters()["wrong_session"], 4)

    def test_close_with_a_callback_closes_when_all_files_are_done(self):
        receiver = Receiver()
        self.addCleanup(receiver.stop)
        batch_id = self.open()
        self.upload(b"SLOW-0.3", batch=batch_id)
        path = f"/file/batch/{batch_id}/close/callback"
        self.refused(403, "No callback url given.", self.call("POST", path))
        self.refused(400, "Callback url is invalid.", self.call("POST", path, callbackurl="x"))
        answer = self.call("POST", path, callbackurl=receiver.url)
        self.assertEqual(answer.json, {batch_id: "Callback url set"})
        body = json.loads(until(lambda: receiver.received, "callback")[0][2])
        self.assertEqual((body["batch_id"], body["is_closed"]), (batch_id, True))


if __name__ == "__main__":
    unittest.main()
