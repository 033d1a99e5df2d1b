"""Starting servers on one core, asking them from the other, and what that costs by the kernel's own account."""
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
    """A program on a core, which ends with the block. What it says on standard error goes to a file."""

    def place():
        os.sched_setaffinity(0, {core})
        os.setsid()
        os.nice(nice)

    null = subprocess.DEVNULL
    with open(log, "wb") as said, subprocess.Popen(
        command, preexec_fn=place, stdin=null, stdout=null, stderr=said, env=environment()
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
    """A question in a packet, with the OPT record that resolvers send."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = struct.pack("!6H", ident, 0x0000, 1, 0, 0, 1)
    return header + labels + struct.pack("!BHH", 0, qtype, 1) + b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)


def ask(port, name=NAME, timeout=0.3):
    """The answer to one question; nothing without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(timeout)
        try:
            # Connected, so that it is noticed at once when nobody is there.
            asker.connect(("127.0.0.1", port))
            asker.send(query(name))
            return asker.recv(4096)
        except OSError:
            return b""


def wait_until_answered(process, port, name=NAME, records=8):
    """Waits until so many records are answered."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        answer = ask(port, name)
        if len(answer) >= 12 and struct.unpack("!H", answer[6:8])[0] >= records:
            return answer
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} has ended with {process.returncode}")
        time.sleep(0.01)
    raise SystemExit(f"{process.args[0]} does not answer {records} records: {answer.hex()}")


def family(pid):
    """A process and those that it has started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid] + [member for child in children.read().split() for member in family(int(child))]


def cpu(pid, thread=None):
    """Seconds of CPU of a process and those that it has started: in user space, and in the kernel. With the beginning of a
    name, that of its threads of such a name."""
    stats = [f"/proc/{member}/stat" for member in family(pid)] if thread is None else glob.glob(f"/proc/{pid}/task/*/stat")
    user = system = 0
    for path in stats:
        with open(path, encoding="ascii") as stat:
            name, fields = stat.read().split("(", 1)[1].rsplit(")", 1)
        if name.startswith(thread or ""):
            user, system = user + int(fields.split()[11]), system + int(fields.split()[12])
    return user / TICKS, system / TICKS


def memory(pid):
    """Resident megabytes of a process and those that it has started: the sum of each one's most so far, and now."""
    members = [resident(member) for member in family(pid)]
    return sum(member.get("VmHWM", 0) for member in members), sum(member.get("VmRSS", 0) for member in members)


def resident(pid):
    """What a process says of its memory, in megabytes."""
    fields = {}
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            key, value = line.split(":", 1)
            if key in ("VmHWM", "VmRSS"):
                fields[key] = int(value.split()[0]) * 1024 / 1e6
    return fields


def load(pid, port, names, seconds, rate=None, outstanding=200, thread=None):
    """Drives a server with dnsperf, as fast as it answers or at a rate; gives what was answered and what that has cost."""
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(names), "-l", str(seconds), "-c", "8"]
    command += ["-q", str(outstanding), "-e", "-t", "1"] + (["-Q", str(rate)] if rate else [])
    before, began = cpu(pid, thread), time.monotonic()
    done = subprocess.run(command, preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}), capture_output=True, text=True, check=True)
    took, after = time.monotonic() - began, cpu(pid, thread)
    number = lambda what: float(re.search(what + r":\s+([\d.]+)", done.stdout).group(1))
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
    """Asks at a rate, whether it is answered or not; gives what was sent and answered, a second."""
    command = [str(program), f"127.0.0.1:{port}", name, str(rate), str(seconds)]
    done = subprocess.run(command, preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}), capture_output=True, text=True, check=True)
    sent, answered = map(int, done.stdout.split())
    return sent / seconds, answered / seconds


def hobble(pid, nice):
    """Gives a process less of a core than others that want it get."""
    os.setpriority(os.PRIO_PGRP, pid, nice)
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(thread), nice)
    # Where the scheduler shares out by session first, the session has a value of its own.
    with contextlib.suppress(OSError), open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as group:
        group.write(str(nice))


def latency(port, seconds, rate, name=NAME):
    """Times of questions one by one, so many a second, in microseconds: the middle one and the 99th of a hundred."""
    os.sched_setaffinity(0, {LOAD_CORE})
    times = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect(("127.0.0.1", port))
        asker.settimeout(1)
        packet, until = query(name), time.monotonic() + seconds
        while (begin := time.monotonic()) < until:
            asker.send(packet)
            with contextlib.suppress(OSError):
                asker.recv(4096)
                times.append(time.monotonic() - begin)
            time.sleep(max(0, 1 / rate - (time.monotonic() - begin)))
    os.sched_setaffinity(0, range(os.cpu_count()))
    quantiles = statistics.quantiles(times, n=100)
    return 1e6 * quantiles[49], 1e6 * quantiles[98]


def latency_under(pid, port, names, seconds, rate):
    """Loss at a rate that the server can serve, and the times of single questions meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        loaded = pool.submit(load, pid, port, names, seconds + 1, rate)
        time.sleep(0.5)
        p50, p99 = latency(port, seconds, 200)
        return {"p50": p50, "p99": p99, "fixed_loss": loaded.result()["loss"]}
