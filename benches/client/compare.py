#!/usr/bin/env python3
"""Compares `evenkeel scan` with curl and Python's requests: uploads and polls against one fake node.

Usage: benches/client/compare.py [FILES] [BYTES] [ROUNDS]

    benches/client/compare.py 10000 1024 5       small files: files per second and CPU per file
    benches/client/compare.py 1 2147483648 5     one file of 2 GiB: MB per second

Each round runs every program once, in changing order, on the same machine. The table has medians:

    files/s, MB/s  from the start of the program to its end
    CPU            user and system time of the program per file, in milliseconds
    memory         largest resident set, in MiB
    connections    TCP connections that all programs of the machine opened

The program is target/release/evenkeel, or the one in the variable EVENKEEL. Files are on a file
system in memory.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("EVENKEEL", str(ROOT / "target/release/evenkeel"))
NODE = "127.0.0.1:18008"

REQUESTS = """
import os, sys, requests
session = requests.Session()
session.trust_env = False
for name in sorted(os.listdir(sys.argv[1])):
    with open(os.path.join(sys.argv[1], name), "rb") as file:
        data_id = session.post(sys.argv[2] + "/file", data=file, headers={"filename": name}).json()["data_id"]
    while session.get(sys.argv[2] + "/file/" + data_id).json()["process_info"]["progress_percentage"] < 100:
        pass
"""

CURL = """
id=$(curl -s --noproxy '*' -T "$1" -X POST -H "filename: ${1##*/}" -H Expect: "$2/file" | sed 's/.*: *"//; s/".*//')
until curl -s --noproxy '*' "$2/file/$id" | grep -q '"progress_percentage":100'; do :; done
"""


def commands(folder):
    """The programs to compare, by name."""
    url = f"http://{NODE}"
    scan = [PROGRAM, "scan", str(folder), "--cluster", url, "--json", "--concurrency"]
    one_curl = f"for file in {folder}/*; do sh -c \"$0\" one \"$file\" {url}; done"
    eight_curls = f"find {folder} -type f | xargs -P8 -I@ sh -c \"$0\" one @ {url}"
    return {
        "scan --concurrency 1": [*scan, "1"],
        "scan --concurrency 8": [*scan, "8"],
        "scan --concurrency 32": [*scan, "32"],
        "requests": ["/usr/bin/python3", "-c", REQUESTS, str(folder), url],
        "curl": ["sh", "-c", one_curl, CURL],
        "xargs -P8 curl": ["sh", "-c", eight_curls, CURL],
    }


def opened_connections():
    """Number of TCP connections that this machine has opened."""
    names, values = [line.split() for line in open("/proc/net/snmp") if line.startswith("Tcp:")]
    return int(values[names.index("ActiveOpens")])


def measure(command, files, size):
    """Runs a program; returns its figures."""
    before, start = opened_connections(), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise SystemExit(f"{command[0]} failed: status {status}")
    return {
        "files/s": files / seconds,
        "MB/s": files * size / seconds / 1e6,
        "CPU ms": (usage.ru_utime + usage.ru_stime) / files * 1000,
        "memory": usage.ru_maxrss / 1024,
        "connections": opened_connections() - before,
    }


def main():
    files, size, rounds = (int(argument) for argument in (sys.argv[1:] + ["10000", "1024", "5"][len(sys.argv) - 1 :]))
    directory = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
    folder = directory / "files"
    folder.mkdir()
    chunk = os.urandom(min(size, 1 << 20))
    for number in range(files):
        with open(folder / f"{number:06}", "wb") as file:
            for _ in range(max(1, size >> 20)):
                file.write(chunk)
    faults = '{"scan_ms": 0, "queue": 1000000}'
    node = subprocess.Popen([PROGRAM, "fake-core", "--listen", NODE, "--faults", faults], stdout=subprocess.PIPE)
    node.stdout.readline()
    figures = {}
    try:
        programs = commands(folder)
        for number in range(rounds):
            names = list(programs) if number % 2 == 0 else list(programs)[::-1]
            for name in names:
                figures.setdefault(name, []).append(measure(programs[name], files, size))
    finally:
        node.terminate()
        shutil.rmtree(directory)
    columns = list(next(iter(figures.values()))[0])
    print(f"{files} files of {size} bytes, medians of {rounds} rounds\n")
    print("| program | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, rows in figures.items():
        medians = [statistics.median(row[column] for row in rows) for column in columns]
        print(f"| {name} | " + " | ".join(f"{median:.2f}" if median < 10 else f"{median:.0f}" for median in medians) + " |")


main()
