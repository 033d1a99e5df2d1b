"""Attacks servers in a network namespace of their own, and counts the honest clients that are served.

    sudo unshare --net --mount python3 benches/peers/attacks.py [unresolved|tcp|flood] SERVER…

A SERVER is evenkeel, gdnsd, knot or nsd, or the path of another build of evenkeel. `unresolved` forges
queries from hosts of the local network that do not exist. `tcp` opens connections of ten kinds at a
limit of 16. `flood` sends queries faster than the server can answer; it needs the release builds.
Two cores should be idle. Servers take turns, and each line is one round.
"""
import asyncio
import contextlib
import os
import pathlib
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import drive
import servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
NAMES = {"gdnsd": servers.Gdnsd, "knot": servers.Knot, "nsd": servers.Nsd}
ROUNDS = int(os.environ.get("ROUNDS", "3"))
TCP_LIMIT = 16
# Forged queries per second, and hosts that they come from.
FORGED, HOSTS = int(os.environ.get("FORGED", "500")), 900


class Static(servers.Evenkeel):
    """evenkeel without monitors."""

    def __init__(self, directory, root, program):
        self.path = program
        super().__init__(directory, root)

    def program(self):
        return self.path

    def command(self):
        self.write("lb.zone", f"$TTL 300\n{servers.SOA}")
        nodes = ", ".join(f'{{ name = "n{i}", address = "{a}" }}' for i, a in enumerate(servers.ADDRESSES))
        return self.serve(f'[pools.core]\nnodes = [{nodes}]\n[names."{servers.NAME}"]\npool = "core"\nttl = "5s"\n')

    def serve(self, pools):
        command = super().serve(pools)
        path = pathlib.Path(command[-1])
        path.write_text(path.read_text().replace("workers = 1\n", f"workers = 1\ntcp_connections = {TCP_LIMIT}\n"))
        return command


def server(name, directory):
    """Returns a server by its name or the path of a program."""
    if name in NAMES:
        made = NAMES[name](directory, ROOT)
        command = made.command()
        for path in made.directory.glob("config"):
            limit = f"tcp_clients_per_thread => {TCP_LIMIT}, run_dir"
            path.write_text(path.read_text().replace("run_dir", limit, 1))
        return made.port, command
    made = Static(directory, ROOT, str(RELEASE / "evenkeel") if name == "evenkeel" else name)
    return made.port, made.command()


def prepare_network():
    """Creates a local network without hosts, and lets queries from its addresses come over loopback."""
    for line in (
        "ip link set lo up",
        "ip link add veth0 type veth peer name veth1",
        "ip addr add 10.9.0.1/16 dev veth0",
        "ip link set veth0 up",
        "ip link set veth1 up",
    ):
        subprocess.run(line.split(), check=True)
    for interface in ("all", "veth0", "lo"):
        for key, value in (("rp_filter", 0), ("route_localnet", 1), ("accept_local", 1)):
            pathlib.Path(f"/proc/sys/net/ipv4/conf/{interface}/{key}").write_text(str(value))


def forge(port, until):
    """Sends queries from hosts that do not exist."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    here = socket.inet_aton("127.0.0.1")
    sent, began = 0, time.monotonic()
    while time.monotonic() < until:
        while sent < (time.monotonic() - began) * FORGED:
            host = 256 + sent % HOSTS
            datagram = drive.query(servers.NAME, sent & 0xFFFF)
            datagram = struct.pack("!4H", 2000 + sent % 1000, port, 8 + len(datagram), 0) + datagram
            client = socket.inet_aton(f"10.9.{host >> 8}.{host & 255}")
            header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0, here and client, here)
            raw.sendto(header + datagram, ("127.0.0.1", 0))
            sent += 1
        time.sleep(0.002)


def ask(port, rate, seconds, patience=1.0):
    """Sends queries at a rate; returns how many were sent, and the times of the responses in ms."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", port))
    client.settimeout(0.05)
    times, sent_at, began = [], {}, time.monotonic()
    done = threading.Event()

    def receive():
        while not done.is_set():
            with contextlib.suppress(OSError):
                response = client.recv(4096)
                times.append(1e3 * (time.monotonic() - sent_at[struct.unpack("!H", response[:2])[0]]))

    receiver = threading.Thread(target=receive)
    receiver.start()
    while time.monotonic() < began + seconds:
        ident = len(sent_at)
        sent_at[ident] = time.monotonic()
        with contextlib.suppress(OSError):
            client.send(drive.query(servers.NAME, ident))
        time.sleep(max(0, began + (ident + 1) / rate - time.monotonic()))
    time.sleep(patience)
    done.set()
    receiver.join()
    return len(sent_at), times


def unresolved(process, port):
    """Asks 100 times per second for 5 s while forged queries come."""
    forger = threading.Thread(target=forge, args=(port, time.monotonic() + 9))
    forger.start()
    time.sleep(4)
    sent, times = ask(port, 100, 5, 0.5)
    stopped = time.monotonic()
    process.terminate()
    process.wait(20)
    stopped = time.monotonic() - stopped
    forger.join()
    return f"{len(times)} of {sent} answered; ended {stopped:.2f} s after SIGTERM"


def framed(ident=1):
    packet = drive.query(servers.NAME, ident)
    return struct.pack("!H", len(packet)) + packet


async def read(reader):
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    return await reader.readexactly(length)


async def silent(reader, _):
    await reader.read()


async def stalled(reader, writer):
    writer.write(framed()[:9])
    await reader.read()


async def slow(reader, writer):
    for part in (framed()[:20], framed()[20:]):
        writer.write(part)
        await asyncio.sleep(2)
    await read(reader)


async def byte_per_second(_, writer):
    for byte in framed():
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def half_closed(reader, writer):
    writer.write(framed())
    writer.write_eof()
    await reader.read()


async def half_closed_silent(reader, writer):
    writer.write_eof()
    await reader.read()


async def pipelining(reader, writer):
    while True:
        writer.write(b"".join(framed(i) for i in range(20)))
        for _ in range(20):
            await read(reader)


async def holding(reader, writer):
    writer.write(framed())
    await read(reader)
    await reader.read()


async def garbage(reader, writer):
    writer.write(random.randbytes(400))
    await reader.read()


HOSTILE = [silent, stalled, slow, byte_per_second, half_closed, half_closed_silent, pipelining, holding, garbage]


async def hostile(kind, port, until):
    """Behaves as this kind, again and again."""
    while time.monotonic() < until:
        with contextlib.suppress(OSError, EOFError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.wait_for(kind(reader, writer), until - time.monotonic())
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.1)


async def honest(number, port):
    """Connects, waits 33 to 123 ms, asks once; returns the time of the response in s."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.033 + 0.003 * number)
            writer.write(framed(number))
            await read(reader)
            writer.close()
            return time.monotonic() - began
    except (OSError, EOFError, asyncio.TimeoutError):
        return None


async def many_clients(port):
    until = time.monotonic() + 12
    attackers = [asyncio.create_task(hostile(kind, port, until)) for kind in HOSTILE for _ in range(30)]
    await asyncio.sleep(3)
    waves = []
    for _ in range(3):
        waves.append(await asyncio.gather(*(honest(number, port) for number in range(30))))
    for attacker in attackers:
        attacker.cancel()
    await asyncio.gather(*attackers, return_exceptions=True)
    return waves


def tcp(_, port):
    """300 clients of ten kinds; 30 of them are honest and come in three waves."""
    waves = asyncio.run(many_clients(port))
    served = [sum(time is not None for time in wave) for wave in waves]
    slowest = max((time for wave in waves for time in wave if time is not None), default=0)
    return f"served of 30, in three waves: {served}; the slowest took {slowest:.2f} s"


def flood(process, port):
    """Floods from one core, and asks 200 times per second."""
    program = RELEASE / "flood"
    command = [str(program), f"127.0.0.1:{port}", servers.NAME, os.environ.get("FLOOD", "1e9"), "6"]
    with subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, {1}), stdout=subprocess.PIPE, text=True) as flooding:
        time.sleep(1)
        os.setpriority(os.PRIO_PROCESS, 0, -10)
        sent, times = ask(port, 200, 4)
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        flooded, answered = map(int, flooding.communicate()[0].split())
    quantiles = statistics.quantiles(times, n=100) if len(times) > 1 else [0] * 99
    loss = 100 * (1 - len(times) / sent)
    return (
        f"flood {flooded / 6:,.0f}/s, answered {answered / 6:,.0f}/s; honest: loss {loss:.0f} %, "
        f"median {quantiles[49]:.2f} ms, 99th percentile {quantiles[98]:.2f} ms"
    )


def main():
    attack = {"unresolved": unresolved, "tcp": tcp, "flood": flood}[sys.argv[1]]
    prepare_network()
    for number in range(ROUNDS):
        for name in sys.argv[2:]:
            with tempfile.TemporaryDirectory() as directory:
                os.chmod(directory, 0o755)
                port, command = server(name, directory)
                with drive.running(command, log=f"{directory}/log") as process:
                    drive.wait_until_answered(process, port)
                    print(f"{attack.__name__} round {number + 1} {name}: {attack(process, port)}", flush=True)


if __name__ == "__main__":
    main()
