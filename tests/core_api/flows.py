"""Drives one server through the flows of clients, and checks each response by the description.

    flows.py URL quick|slow|backup

`quick` needs a node that scans at once, `slow` one whose scans do not end, `backup` a hot backup.
Prints the step and the status of each response: servers that behave alike print the same. Exits
with 1 if a response does not conform to openapi.yaml, or has not the expected status.
"""

import json
import sys
import time
from pathlib import Path

import requests
import schemathesis

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
UNKNOWN = "0" * 32
#: Longest wait for the end of a scan; only a broken server needs it.
SCAN_SECONDS = 60
BACKUP = "/admin/license/backup"
FILE, BATCH = "/file/{data_id}", "/file/batch/{batch_id}"


def no_constant(text):
    """Refuses what Python reads although it is not JSON, such as NaN."""
    raise ValueError(f"{text} is not JSON")


class Client:
    """Sends requests to a server, and collects what is wrong with its responses."""

    def __init__(self, url):
        """Takes the URL of the server."""
        self.url = url
        self.description = schemathesis.openapi.from_path(Path(__file__).parent / "openapi.yaml")
        self.http = requests.Session()
        self.http.trust_env = False
        self.problems = []

    def send(self, method, template, expected, key="", name="", query="", **options):
        """Sends a request that must have this status; returns the JSON, or else the text."""
        before, _, after = template.partition("{")
        path = before + key + after.partition("}")[2]
        response = self.http.request(method, self.url + path + query, timeout=30, **options)
        step = f"{method} {template}{f' ({name})' if name else ''}"
        print(f"{step}: {response.status_code}")
        if response.status_code != expected:
            self.problems.append(f"{step}: {response.status_code}, not {expected}: {response.text[:300]}")
        operation = self.description[template][method]
        try:
            operation.validate_response(response)
        except AssertionError as problem:
            self.problems.append(f"{step}: {problem}")
        declared = operation.definition.raw["responses"]
        if str(response.status_code) not in declared:
            self.problems.append(f"{step}: {response.status_code} is not in the description")
        if not response.headers.get("Content-Type", "").startswith("application/json"):
            return {"text": response.text}
        try:
            return json.loads(response.content, parse_constant=no_constant)
        except ValueError as error:
            self.problems.append(f"{step}: {error}: {response.text[:300]}")
            return {}

    def expect(self, step, found, wanted):
        """Notes a value that is not the wanted one."""
        if found != wanted:
            self.problems.append(f"{step}: {found!r}, not {wanted!r}")

    def upload(self, content, name="", **headers):
        """Uploads a file; returns its identifier."""
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        answer = self.send("POST", "/file", 200, name=name, data=content, headers=headers)
        return answer.get("data_id", UNKNOWN)

    def wait(self, path, is_done):
        """Polls without steps until the report says that the scan has ended."""
        deadline = time.monotonic() + SCAN_SECONDS
        while not is_done(self.http.get(self.url + path, timeout=30).json()):
            if time.monotonic() > deadline:
                raise TimeoutError(path)
            time.sleep(0.02)

    def result(self, data_id, name):
        """Waits for the result of a file."""
        self.wait(f"/file/{data_id}", lambda report: report["scan_results"]["progress_percentage"] == 100)
        return self.send("GET", FILE, 200, key=data_id, name=name)


def single_files(client):
    """Results of single files, their hashes, and what clients can put into headers."""
    clean = client.result(client.upload(b"harmless"), "clean")
    client.expect("clean", clean["scan_results"]["scan_all_result_i"], 0)
    infected = client.result(client.upload(EICAR), "infected")
    client.expect("infected", infected["process_info"]["result"], "Blocked")
    for digest in ("md5", "sha1", "sha256"):
        text = clean["file_info"][digest]
        for spelling in (text.lower(), text.upper()):
            client.send("GET", "/hash/{hash}", 200, key=spelling, name=digest)
    # The JSON of Python knows NaN, and parsers limit the depth: a report must stay JSON.
    for text in ("{}", "%7B%22a%22:1%7D", "NaN", "1e999", "[-Infinity]", "%ff", "[" * 20000,
                 "[" * 500 + "]" * 500, '"%5Cud800"', "1" * 5000):
        client.result(client.upload(b"x", "metadata", metadata=text), "metadata")
    named = client.upload(b"x", "filename", filename="a%22b%0d%0aX: y\u00e9.doc")
    client.result(named, "filename")
    client.send("POST", "/file/{data_id}/cancel", 200, key=named, name="finished")
    client.send("GET", "/file/converted/{data_id}", 404, key=named)
    client.send("GET", "/file/webhook/{id}", 404, key=named)


def refused_uploads(client):
    """Uploads that the documents say are refused."""
    client.send("POST", "/file", 422, name="empty", data=b"")
    client.send("POST", "/file", 411, name="chunked", data=iter([b"x"]))
    for name, header, status in [("rule", {"rule": "missing"}, 500), ("batch", {"batch": UNKNOWN}, 400),
                                 ("path", {"filepath": "/tmp/a"}, 400),
                                 ("link", {"downloadfrom": "http://127.0.0.1:9/a"}, 400)]:
        client.send("POST", "/file", status, name=name, data=b"x", headers=header)
    for url in ("", "x", "/x", "ftp://a/", "http://", "http://a b/", "http://a:99999/", "http://[::1", "http://\u00e9/"):
        client.send("POST", "/file", 400, name="callback", data=b"x", headers={"callbackurl": url.encode("latin-1")})


def batches(client):
    """A batch of two pages, from its first request to its signed result."""
    batch = client.send("POST", "/file/batch", 200, headers={"user-data": "a%20b"})["batch_id"]
    empty = client.send("GET", BATCH, 200, key=batch, name="empty")
    client.expect("an empty batch", empty["batch_files"], {"batch_count": 0})
    client.expect("user-data", empty["user_data"], "a b")
    for number in range(60):
        client.upload(EICAR if number == 55 else b"%d" % number, batch=batch)
    client.wait(f"/file/batch/{batch}", lambda report: report["process_info"]["result"] != "Processing")
    for query, first, size, listed in [("", 0, 50, 50), ("?first=50", 50, 50, 10), ("?first=3&size=7", 3, 7, 7),
                                       ("?size=0", 0, 0, 0), ("?first=60", 60, 50, 0)]:
        files = client.send("GET", BATCH, 200, key=batch, query=query, name=query)["batch_files"]
        shown = (files["first_index"], files["page_size"], len(files["files_in_batch"]), files["batch_count"])
        client.expect(query, shown, (first, size, listed, 60))
    for query in ("?first=-1", "?size=a", "?first=", "?size=%FF", "?first=" + "9" * 30, "?first=" + "9" * 5000):
        client.send("GET", BATCH, 400, key=batch, query=query, name=query[:20])
    closed = client.send("POST", BATCH + "/close", 200, key=batch)
    client.expect("a closed batch", (closed["is_closed"], closed["process_info"]["result"]), (True, "Blocked"))
    text = client.send("GET", BATCH + "/certificate", 200, key=batch)["text"]
    client.expect("a signed result", [word in text for word in (batch, "\nsignature: ", "\ncertificate: ")], [True] * 3)
    client.send("POST", "/file", 400, name="closed batch", data=b"x", headers={"batch": batch})
    client.send("POST", BATCH + "/close", 200, key=batch, name="again")
    client.send("POST", BATCH + "/close/callback", 400, key=batch, name="closed",
                headers={"callbackurl": "http://127.0.0.1:9/"})


def unknown_identifiers(client):
    """Identifiers of another node, and text that is none."""
    for key in (UNKNOWN, "a%20b", "%C3%A9", "%FF", "%2F"):
        client.send("GET", FILE, 200, key=key, name=key)
        client.send("POST", FILE + "/cancel", 404, key=key, name=key)
        client.send("GET", "/file/converted/{data_id}", 404, key=key, name=key)
        client.send("GET", "/file/webhook/{id}", 404, key=key, name=key)
        client.send("GET", "/hash/{hash}", 200 if key == UNKNOWN else 404, key=key, name=key)
        client.send("GET", BATCH, 404, key=key, name=key)
        for end in ("/close", "/close/callback", "/cancel"):
            client.send("POST", BATCH + end, 404, key=key, name=key)
        client.send("GET", BATCH + "/certificate", 404, key=key, name=key)


def node(client):
    """What the node says about itself, and logins."""
    for path in ("/file/rules", "/version", "/readyz"):
        client.send("GET", path, 200)
    key = {"apikey": client.send("POST", "/login", 200, json={"user": "admin", "password": "admin"})["session_id"]}
    for path in ("/stat/nodes", "/admin/license", BACKUP):
        client.send("GET", path, 200, headers=key)
    client.send("POST", "/logout", 200, headers=key)
    client.send("POST", "/logout", 400, headers=key, name="again")
    for body in (b"", b"[]", b"\xff\xfe", b"NaN", b"[" * 100000, b'{"user": [], "password": {}}'):
        client.send("POST", "/login", 403, name="no credentials", data=body)
        client.send("POST", "/admin/license/activation", 400, name="no key", data=body, headers=key)


def cancellation(client):
    """Scans that do not end: a batch cannot be closed, and everything can be cancelled."""
    file = client.upload(b"a")
    running = client.send("GET", FILE, 200, key=file, name="in progress")
    shown = (running["process_info"]["result"], running["scan_results"]["total_time"])
    client.expect("in progress", shown, ("Processing", -1))
    digest = running["file_info"]["sha256"]
    for included, found in (("false", False), ("true", True)):
        known = client.send("GET", "/hash/{hash}", 200, key=digest, headers={"include-inprogress": included})
        client.expect("a hash in progress", "scan_results" in known, found)
    client.send("POST", FILE + "/cancel", 200, key=file)
    client.expect("a cancelled file", client.result(file, "cancelled")["scan_results"]["scan_all_result_i"], 19)
    batch = client.send("POST", "/file/batch", 200)["batch_id"]
    client.upload(b"b", batch=batch)
    shown = client.send("GET", BATCH, 200, key=batch, name="in progress")["scan_results"]
    client.expect("a batch in progress", (shown["scan_all_result_i"], shown["total_time"]), (255, -1))
    client.send("POST", BATCH + "/close", 400, key=batch, name="in progress")
    client.send("POST", BATCH + "/close/callback", 403, key=batch, name="no URL")
    client.send("POST", BATCH + "/close/callback", 200, key=batch, headers={"callbackurl": "http://127.0.0.1:9/"})
    client.send("GET", "/file/webhook/{id}", 200, key=batch, name="no attempt")
    client.send("POST", BATCH + "/cancel", 200, key=batch)
    client.expect("a cancelled batch", client.send("GET", BATCH, 200, key=batch, name="cancelled")["is_closed"], True)
    client.send("POST", "/file", 400, name="cancelled batch", data=b"x", headers={"batch": batch})


def hot_backup(client):
    """From a hot backup to an unlicensed node, back, and to an active node."""
    key = {"apikey": "any"}
    registration = {**key, "activation-key": "key", "active-deployment-id": "MSCLother"}

    def state(name, is_backup, scans):
        client.expect(name, client.send("GET", BACKUP, 200, name=name, headers=key), {"is_backup": is_backup})
        client.send("GET", "/admin/license", 200, name=name, headers=key)
        client.send("POST", "/file", scans, name=name, data=b"x")
        client.send("POST", "/file/batch", scans, name=name)

    state("backup", True, 500)
    client.send("GET", "/readyz", 200, name="backup")
    activation = {"name": "backup", "headers": key, "json": {"activationKey": "key"}}
    client.send("POST", "/admin/license/activation", 400, **activation)
    client.send("DELETE", BACKUP, 200, headers=key)
    state("unlicensed", False, 500)
    client.send("GET", "/readyz", 503, name="unlicensed")
    client.send("DELETE", BACKUP, 400, name="unlicensed", headers=key)
    client.send("POST", BACKUP, 400, name="no headers", headers=key)
    client.send("POST", BACKUP, 200, name="offline", headers=key, data=b"license file")
    client.send("POST", BACKUP + "/nomination", 400, name="offline", headers=key)
    client.send("DELETE", BACKUP, 200, headers=key)
    client.send("POST", BACKUP, 200, name="online", headers=registration)
    client.send("POST", BACKUP + "/nomination", 200, headers=key)
    state("active", False, 200)
    client.send("POST", BACKUP + "/nomination", 400, name="active", headers=key)
    client.send("POST", BACKUP, 400, name="active", headers=registration)
    client.send("POST", "/admin/license/activation", 200, **{**activation, "name": "active"})


FLOWS = {"quick": [single_files, refused_uploads, batches, unknown_identifiers, node],
         "slow": [cancellation], "backup": [hot_backup]}

if __name__ == "__main__":
    sender = Client(sys.argv[1])
    for flow in FLOWS[sys.argv[2]]:
        try:
            flow(sender)
        except (requests.RequestException, KeyError, TimeoutError) as error:
            # The server broke the connection, or the response lacks what the next step needs.
            sender.problems.append(f"{flow.__name__} ends early: {error!r}")
    if sender.problems:
        sys.exit("\n".join(sender.problems))
