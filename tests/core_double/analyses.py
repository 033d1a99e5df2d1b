"""State of the node: analyses, batches, callbacks and the licence.

All of it lives in one process and one event loop, so nothing needs a lock. An analysis finishes by
a timer. A finished analysis sends its callback, and may close its batch.
"""

import asyncio
import json
import secrets
import time
from datetime import datetime, timezone
from urllib.parse import quote

import outgoing
from verdicts import CLEAN, FAILED, INFECTED, LOCKED, SUSPECT, Verdict

PROGRESS, DONE, CANCELLED = "progress", "done", "cancelled"
#: Result codes; the worst one of a batch comes first.
SEVERITY = (INFECTED.index, SUSPECT.index, LOCKED.index, FAILED.index, 19)


def severity(verdict):
    """Returns the rank of a verdict; the worst has rank 0."""
    return SEVERITY.index(verdict.index) if verdict.index in SEVERITY else len(SEVERITY)


def timestamp(seconds):
    """Returns a time of the wall clock as the vendor writes it."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def new_id():
    """Returns an id of 32 hexadecimal digits."""
    return secrets.token_hex(16)


class Callback:
    """A URL that a client wants to be notified at."""

    __slots__ = ("url", "requested", "status_code")

    def __init__(self, url):
        """Starts without an attempt."""
        self.url = url
        self.requested = time.time()
        self.status_code = 0


class Analysis:
    """One file of a client."""

    __slots__ = ("data_id", "name", "rule", "user_agent", "user", "metadata", "batch", "callback",
                 "size", "md5", "sha1", "sha256", "received", "started", "finished", "seconds",
                 "state", "verdict", "timer", "download")

    def __init__(self, name, rule, user_agent, user):
        """Starts in progress, without content."""
        self.data_id = new_id()
        self.name = name
        self.rule = rule
        self.user_agent = user_agent
        self.user = user
        self.metadata = self.batch = self.callback = self.timer = self.download = None
        self.size = 0
        self.md5 = self.sha1 = self.sha256 = ""
        self.received = self.started = time.time()
        self.finished = None
        self.seconds = 0.0
        self.state = PROGRESS
        self.verdict = CLEAN

    def scanned(self, scanner):
        """Takes the content from the scanner."""
        self.size = scanner.size
        self.md5 = scanner.md5.hexdigest()
        self.sha1 = scanner.sha1.hexdigest()
        self.sha256 = scanner.sha256.hexdigest()

    def progress(self):
        """Returns the percentage that is done."""
        if self.state != PROGRESS:
            return 100
        elapsed = time.time() - self.started
        return max(1, min(99, int(100 * elapsed / self.seconds))) if self.seconds else 1

    def sanitized_name(self):
        """Returns the percent-encoded name of the sanitized file."""
        stem, dot, extension = self.name.rpartition(".")
        name = f"{stem}_sanitized.{extension}" if dot else f"{self.name}_sanitized"
        return quote(name, safe="%")


class Batch:
    """A group of files."""

    __slots__ = ("batch_id", "user_data", "rule", "user_agent", "user", "files", "is_closed",
                 "opened", "closed", "callback")

    def __init__(self, user_data, rule, user_agent, user):
        """Starts open and empty."""
        self.batch_id = new_id()
        self.user_data = user_data
        self.rule = rule
        self.user_agent = user_agent
        self.user = user
        self.files = []
        self.is_closed = False
        self.opened = time.time()
        self.closed = None
        self.callback = None

    def busy(self):
        """Returns true if a file of the batch is in progress."""
        return any(analysis.state == PROGRESS for analysis in self.files)

    def verdict(self):
        """Returns the worst verdict of the files."""
        verdicts = (analysis.verdict for analysis in self.files)
        return min(verdicts, key=severity, default=CLEAN)


class Node:
    """The instance that the double plays."""

    def __init__(self, options, faults, report):
        """Takes the options; `report` returns the JSON text of an analysis or a batch."""
        self.options = options
        self.faults = faults
        self.report = report
        self.role = options.role
        self.online = True
        self.ready = True
        self.started = time.time()
        self.analyses = {}
        self.batches = {}
        self.callbacks = {}
        self.latest = {}
        self.completed = {}
        self.sessions = {}
        self.in_progress = 0
        self.tasks = set()

    def spawn(self, coroutine):
        """Runs a coroutine in the background."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def register(self, analysis):
        """Makes an analysis known to clients."""
        self.analyses[analysis.data_id] = analysis
        self.in_progress += 1
        self.faults.counters["uploads"] += 1
        if analysis.batch is None:
            self.faults.counters["sessions"] += 1
        else:
            analysis.batch.files.append(analysis)
        if analysis.callback is not None:
            self.callbacks[analysis.data_id] = analysis.callback
        if len(self.analyses) > self.options.history:
            self.forget_oldest()

    def forget_oldest(self):
        """Forgets the oldest analysis, if it is finished."""
        oldest = next(iter(self.analyses.values()))
        if oldest.state != PROGRESS:
            del self.analyses[oldest.data_id]
            self.callbacks.pop(oldest.data_id, None)
            for table in (self.latest, self.completed):
                for key in (oldest.md5, oldest.sha1, oldest.sha256):
                    if table.get(key) is oldest:
                        del table[key]

    def start(self, analysis, seconds, verdict):
        """Starts the analysis of a file whose content is known."""
        self.index(self.latest, analysis)
        analysis.started = time.time()
        analysis.seconds = seconds
        loop = asyncio.get_running_loop()
        analysis.timer = loop.call_later(seconds, self.finish, analysis, verdict)

    def open(self, batch):
        """Makes a batch known to clients; forgets the oldest one if there are too many."""
        self.batches[batch.batch_id] = batch
        self.faults.counters["sessions"] += 1
        if len(self.batches) > self.options.history:
            oldest = next(iter(self.batches.values()))
            if oldest.is_closed:
                del self.batches[oldest.batch_id]
                self.callbacks.pop(oldest.batch_id, None)

    def index(self, table, analysis):
        """Makes an analysis findable by its hashes."""
        table[analysis.md5] = table[analysis.sha1] = table[analysis.sha256] = analysis

    def finish(self, analysis, verdict, state=DONE):
        """Ends an analysis."""
        if analysis.state != PROGRESS:
            return
        analysis.state = state
        analysis.verdict = verdict
        analysis.finished = time.time()
        self.in_progress -= 1
        if state == DONE and analysis.md5:
            self.index(self.completed, analysis)
        if analysis.callback is not None:
            self.notify(analysis.callback, analysis)
        batch = analysis.batch
        if batch is not None and batch.callback is not None and not batch.busy():
            self.close(batch)

    def cancel(self, analysis):
        """Cancels an analysis that is in progress."""
        if analysis.state != PROGRESS:
            return
        if analysis.timer is not None:
            analysis.timer.cancel()
        self.faults.counters["cancelled"] += 1
        spelling = self.options.cancelled_spelling
        self.finish(analysis, Verdict(19, spelling, "Blocked", spelling), CANCELLED)

    def close(self, batch):
        """Closes a batch."""
        if batch.is_closed:
            return
        batch.is_closed = True
        batch.closed = time.time()
        if batch.callback is not None:
            self.notify(batch.callback, batch)

    def cancel_batch(self, batch):
        """Cancels the files of a batch that are in progress, and closes the batch."""
        for analysis in batch.files:
            self.cancel(analysis)
        self.close(batch)

    def notify(self, callback, subject):
        """Sends a callback in the background."""
        document = json.dumps(self.report(self, subject)).encode()
        self.spawn(outgoing.call_back(self.options, callback, document))

    def session_error(self):
        """Counts a request for an id that this node does not have."""
        self.faults.counters["wrong_session"] += 1
