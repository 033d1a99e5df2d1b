"""How evenkeel's cost of a query grows: with names, with nodes, with flips of health; and what it answers when it is asked
more than it can answer."""
import contextlib
import pathlib
import tempfile
import time

import drive
import servers

# A nice value at which a busy neighbour on the same core leaves about a tenth of it.
HOBBLED = 10

# Nodes that flap, each asked ten times a second.
FLAPPING = 100


def address(pool, node):
    """An address of a node that no other node has; two pools of more than 250 nodes would share some."""
    return f"10.{pool >> 8}.{pool & 255}.{node + 1}" if node < 250 else f"10.{200 + (node >> 16)}.{node >> 8 & 255}.{node & 255}"


def pools_of(nodes_of):
    """Pools with so many nodes each, which nobody probes."""
    listed = lambda pool, nodes: ",".join(f'{{name="n{node}",address="{address(pool, node)}"}}' for node in range(nodes))
    return "".join(f"[pools.p{pool}]\nnodes=[{listed(pool, nodes)}]\n" for pool, nodes in enumerate(nodes_of))


@contextlib.contextmanager
def evenkeel(root, pools, pool_count, names):
    """The server with these pools and so many names over them: its port, its process, its questions, its log, and how long
    it took to answer."""
    with tempfile.TemporaryDirectory() as directory:
        server = servers.Evenkeel(directory, root)
        server.write("lb.zone", f"$TTL 300\n{servers.SOA}")
        shared = "".join(f'[names."n{name}.{servers.ZONE}"]\npool="p{name % pool_count}"\n' for name in range(names))
        command = server.serve(pools + shared)
        # In an order that is none, so that no cache helps.
        questions = server.write("names", "".join(f"n{name * 7919 % names}.{servers.ZONE} A\n" for name in range(names)))
        log, began = pathlib.Path(directory) / "log", time.monotonic()
        with drive.running(command, log=log) as process:
            drive.wait_until_answered(process, server.port, f"n0.{servers.ZONE}", 1)
            yield server.port, process, questions, log, time.monotonic() - began


def cost(root, nodes_of, names, seconds):
    """CPU of a query; seconds to start, megabytes at most and afterwards."""
    with evenkeel(root, pools_of(nodes_of), len(nodes_of), names) as (port, process, questions, _, start):
        drive.load(process.pid, port, questions, 1)
        figures = drive.load(process.pid, port, questions, seconds, thread="udp")
        most, afterwards = drive.memory(process.pid)
        return {"cpu": figures["cpu"], "start": start, "most": most, "afterwards": afterwards}


def cost_of_flips(root, flapping, seconds):
    """CPU of a query in the threads that answer, while so many nodes of a hundred flip ten times a second."""
    addresses = [f"127.0.2.{node}" for node in range(1, FLAPPING + 1)]
    listed = ",".join(f'{{name="n{i}",address="{a}"}}' for i, a in enumerate(addresses))
    port_of = lambda pool: servers.NODE_PORT + pool
    monitor = lambda pool: (
        f'[monitors.m{pool}]\nkind="http"\nport={port_of(pool)}\npath="/readyz"\ninterval="100ms"\ntimeout="90ms"\nrise=1\nfall=1\n'
    )
    pools = monitor(0) + f'[pools.p0]\nmonitors=["m0"]\nwhen_empty="all"\nmax_ejected="100%"\nnodes=[{listed}]\n'
    nodes = [str(root / "target/release/evenkeel"), "fake-core", "--listen", f"0.0.0.0:{servers.NODE_PORT}"]
    flap = '{"flap_ms": 100}' if flapping else "{}"
    with drive.running([*nodes, "--faults", flap], drive.LOAD_CORE), evenkeel(root, pools, 1, 1) as (port, process, questions, log, _):
        drive.load(process.pid, port, questions, 1)
        flips = lambda: log.read_text(errors="replace").count(" is down: ") + log.read_text(errors="replace").count(" is up: ")
        before = flips()
        figures = drive.load(process.pid, port, questions, seconds, thread="udp")
        return {"cpu": figures["cpu"], "flips": (flips() - before) / seconds}


def growth(root, rounds, seconds):
    """The series of growth, interleaved: for each what grows, the label of each point and its figures of each round."""
    points = {
        "names": {
            "1": lambda: cost(root, [10], 1, seconds),
            "100": lambda: cost(root, [10], 100, seconds),
            "10,000": lambda: cost(root, [10] * 100, 10_000, seconds),
            "100,000": lambda: cost(root, [10] * 1000, 100_000, seconds),
        },
        "nodes": {str(nodes): lambda nodes=nodes: cost(root, [nodes], 1, seconds) for nodes in (8, 100, 1000, 10_000)},
        "flips a second": {
            "none": lambda: cost_of_flips(root, False, seconds),
            "a thousand": lambda: cost_of_flips(root, True, seconds),
        },
    }
    figures = {what: {label: [] for label in of} for what, of in points.items()}
    for _ in range(rounds):
        for what, of in points.items():
            for label, measure in of.items():
                figures[what][label].append(measure())
    return figures


def overload(root, rounds, seconds):
    """Answers a second of a server that has about a tenth of a core, offered parts and multiples of what it can answer; as
    shares of its peak."""
    figures = {times: [] for times in (0.5, 1, 2, 5, 10)}
    for _ in range(rounds):
        with evenkeel(root, pools_of([8]), 1, 1) as (port, process, _, _, _), drive.running(
            ["python3", "-c", "while True: pass"]
        ):
            drive.hobble(process.pid, HOBBLED)
            ask = lambda rate: drive.flood(root / "target/release/flood", port, f"n0.{servers.ZONE}", seconds, rate)
            # What it answers when it is asked a little more than it can.
            peak = max(ask(rate)[1] for rate in (10_000, 20_000, 30_000, 40_000, 60_000))
            for times, of in figures.items():
                sent, answered = ask(int(peak * times))
                of.append({"peak": peak, "offered": sent / peak, "goodput": answered / peak})
    return figures
