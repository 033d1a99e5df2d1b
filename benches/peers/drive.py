"""Runs servers on one core and their load on the other, and reads from the kernel what that costs.

A server that ends or does not answer ends the whole run.
"""
import contextlib
import glob
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from servers import NAME, environment

SERVER_CORE, LOAD_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(command, core=SERVER_CORE, nice=0, log=os.devnull):
    """Runs a program on a core until the block ends. Its standard error goes to a file."""

    def place():
        os.sched_setaffinity(0, {core})
        os.setsid()
        os.nice(nice)

    null = subprocess.DEVNULL
    with open(log, "wb") as errors, subprocess.Popen(
        command, preexec_fn=place, stdin=null, stdout=null, stderr=errors, env=environment()
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)


def query(name, ident=1, qtype=1):
    """Returns a query as a packet, with an OPT record as resolvers send it."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = struct.pack("!6H", ident, 0x0000, 1, 0, 0, 1)
    return header + labels + struct.pack("!BHH", 0, qtype, 1) + b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)


def exchange(port, name=NAME, timeout=0.3):
    """Sends one query and returns the response, or b"" if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        try:
            # A connected socket reports a closed port at once.
            client.connect(("127.0.0.1", port))
            client.send(query(name))
            return client.recv(4096)
        except OSError:
            return b""


def wait_until_answered(process, port, name=NAME, records=8):
    """Waits for a response with this number of records, and returns it."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        answer = exchange(port, name)
        if len(answer) >= 12 and struct.unpack("!H", answer[6:8])[0] >= records:
            return answer
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with exit code {process.returncode}")
        time.sleep(0.01)
    raise SystemExit(f"{process.args[0]} did not answer with {records} records within 30 s: {answer.hex()}")


def process_tree(pid):
    """Returns a process and its descendants."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid] + [member for child in children.read().split() for member in process_tree(int(child))]


def cpu(pid, thread=None):
    """Returns seconds of CPU in user space and in the kernel.

    They cover a process and its descendants, or the threads of the process whose names start with `thread`.
    """
    stats = [f"/proc/{member}/stat" for member in process_tree(pid)] if thread is None else glob.glob(f"/proc/{pid}/task/*/stat")
    user = system = 0
    for path in stats:
        with open(path, encoding="ascii") as stat:
            name, fields = stat.read().split("(", 1)[1].rsplit(")", 1)
        if name.startswith(thread or ""):
            user, system = user + int(fields.split()[11]), system + int(fields.split()[12])
    return user / TICKS, system / TICKS


def memory(pid):
    """Returns resident megabytes of a process and its descendants: the sum of their peaks, and now."""
    members = [resident(member) for member in process_tree(pid)]
    return sum(member.get("VmHWM", 0) for member in members), sum(member.get("VmRSS", 0) for member in members)


def resident(pid):
    """Returns peak (VmHWM) and current (VmRSS) resident memory of one process in megabytes."""
    fields = {}
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            key, value = line.split(":", 1)
            if key in ("VmHWM", "VmRSS"):
                fields[key] = int(value.split()[0]) * 1024 / 1e6
    return fields


def load(pid, port, names, seconds, rate=None, outstanding=200, thread=None):
    """Loads a server with dnsperf, as fast as it answers or at a rate; returns rates, loss and CPU per query."""
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(names), "-l", str(seconds), "-c", "8"]
    command += ["-q", str(outstanding), "-e", "-t", "1"] + (["-Q", str(rate)] if rate else [])
    before, began = cpu(pid, thread), time.monotonic()
    done = subprocess.run(command, preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}), capture_output=True, text=True, check=True)
    took, after = time.monotonic() - began, cpu(pid, thread)
    number = lambda label: float(re.search(label + r":\s+([\d.]+)", done.stdout).group(1))
    sent, answered = number("Queries sent"), number("Queries completed")
    user, system = after[0] - before[0], after[1] - before[1]
    return {
        "rate": number("Queries per second"),
        "sent": sent / seconds,
        "answered": answered / seconds,
        "loss": 100 * (sent - answered) / max(sent, 1),
        "cpu": 1e6 * (user + system) / max(answered, 1),
        "user": 1e6 * user / max(answered, 1),
        "busy": 100 * (user + system) / took,
    }


def flood(program, port, name, seconds, rate):
    """Sends queries at a rate, whether they are answered or not; returns queries and responses per second."""
    command = [str(program), f"127.0.0.1:{port}", name, str(rate), str(seconds)]
    done = subprocess.run(command, preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}), capture_output=True, text=True, check=True)
    sent, answered = map(int, done.stdout.split())
    return sent / seconds, answered / seconds


def lower_priority(pid, nice):
    """Gives a process a smaller share of its core while other processes need it."""
    os.setpriority(os.PRIO_PGRP, pid, nice)
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(thread), nice)
    # With autogroup scheduling, the nice value of the session counts as well.
    with contextlib.suppress(OSError), open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as group:
        group.write(str(nice))


def latency(port, seconds, rate, name=NAME):
    """Sends single queries, `rate` per second; returns median and 99th percentile in microseconds."""
    os.sched_setaffinity(0, {LOAD_CORE})
    times = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(1)
        packet, until = query(name), time.monotonic() + seconds
        while (begin := time.monotonic()) < until:
            client.send(packet)
            with contextlib.suppress(OSError):
                client.recv(4096)
                times.append(time.monotonic() - begin)
            time.sleep(max(0, 1 / rate - (time.monotonic() - begin)))
    os.sched_setaffinity(0, range(os.cpu_count()))
    quantiles = statistics.quantiles(times, n=100)
    return 1e6 * quantiles[49], 1e6 * quantiles[98]


def latency_under(pid, port, names, seconds, rate):
    """Returns the loss at a rate that the server can serve, and the latency of single queries meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        loaded = pool.submit(load, pid, port, names, seconds + 1, rate)
        time.sleep(0.5)
        p50, p99 = latency(port, seconds, 200)
        return {"p50": p50, "p99": p99, "fixed_loss": loaded.result()["loss"]}
