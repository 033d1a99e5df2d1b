"""Verdicts: what the double says about a file, decided by the content and the name of the file.

Uploads feed their body through a `Scanner` chunk by chunk, so a body is never kept in memory.
"""

import hashlib
import re
from typing import NamedTuple
from urllib.parse import unquote

#: The EICAR test string, in parts: the source itself must not trigger virus scanners.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
SUSPICIOUS = b"SUSPICIOUS-SAMPLE"
SANITIZE = b"SANITIZE-SAMPLE"
SLOW = re.compile(rb"SLOW-(\d{1,9}(?:\.\d{1,9})?)")

#: Bytes kept of the previous chunk, so that a marker across a border of chunks is found.
OVERLAP = 96


class Verdict(NamedTuple):
    """Outcome of a finished analysis."""

    index: int
    name: str
    result: str
    blocked_reason: str = ""
    threat: str = ""
    sanitized: bool = False
    locked: bool = False


CLEAN = Verdict(0, "No Threat Detected", "Allowed")
SANITIZED = CLEAN._replace(sanitized=True)
INFECTED = Verdict(1, "Infected", "Blocked", "Infected", "EICAR_Test_File")
SUSPECT = Verdict(2, "Suspicious", "Blocked", "Suspicious", "Suspicious.Sample")
LOCKED = Verdict(12, "Encrypted Archive", "Blocked", "Encrypted archive", locked=True)
FAILED = Verdict(3, "Failed", "Blocked", "Failed")


class Scanner:
    """Hashes a file and looks for the markers of the verdict rules."""

    __slots__ = ("size", "md5", "sha1", "sha256", "tail", "infected", "suspect", "sanitize",
                 "seconds")

    def __init__(self):
        """Starts with an empty file."""
        self.size = 0
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha1 = hashlib.sha1(usedforsecurity=False)
        self.sha256 = hashlib.sha256()
        self.tail = b""
        self.infected = self.suspect = self.sanitize = False
        self.seconds = None

    def feed(self, chunk):
        """Takes the next part of the file."""
        self.size += len(chunk)
        self.md5.update(chunk)
        self.sha1.update(chunk)
        self.sha256.update(chunk)
        # A marker across a border of chunks is in `border`; this saves a copy of the chunk. The
        # last delay counts. A number that a border cuts off is read again, whole.
        border = self.tail + chunk[:OVERLAP]
        for part in (border, chunk):
            self.infected = self.infected or EICAR in part
            self.suspect = self.suspect or SUSPICIOUS in part
            self.sanitize = self.sanitize or SANITIZE in part
            if b"SLOW-" in part:
                for match in SLOW.finditer(part):
                    self.seconds = float(match[1])
        self.tail = (self.tail + chunk)[-OVERLAP:] if len(chunk) < OVERLAP else chunk[-OVERLAP:]

    def verdict(self, name, passwords, password):
        """Decides the verdict; `passwords` are the ones that the client sent."""
        if "encrypted" in unquote(name) and password not in passwords:
            return LOCKED
        if self.infected:
            return INFECTED
        if self.suspect:
            return SUSPECT
        return SANITIZED if self.sanitize else CLEAN
