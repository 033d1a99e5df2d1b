"""Measures evenkeel alone: how the cost of a query grows with names, nodes and flips of health, and
how much it answers under overload."""
import contextlib
import pathlib
import tempfile
import time

import drive
import servers

# With this nice value, the server gets about a tenth of a core that a busy process shares with it.
LOW_PRIORITY = 10

# Number of flapping nodes, each probed 10 times per second.
FLAPPING = 100


def address(pool, node):
    """Returns a unique address per node; two pools of more than 250 nodes would share some."""
    return f"10.{pool >> 8}.{pool & 255}.{node + 1}" if node < 250 else f"10.{200 + (node >> 16)}.{node >> 8 & 255}.{node & 255}"


def pools_of(nodes_of):
    """Returns pools with these numbers of nodes, without monitors."""
    listed = lambda pool, nodes: ",".join(f'{{name="n{node}",address="{address(pool, node)}"}}' for node in range(nodes))
    return "".join(f"[pools.p{pool}]\nnodes=[{listed(pool, nodes)}]\n" for pool, nodes in enumerate(nodes_of))


@contextlib.contextmanager
def evenkeel(root, pools, pool_count, names):
    """Runs the server with these pools, and with `names` shared names spread over them.

    Yields its port, its process, a file of queries, its log, and its start time in seconds.
    """
    with tempfile.TemporaryDirectory() as directory:
        server = servers.Evenkeel(directory, root)
        server.write("lb.zone", f"$TTL 300\n{servers.SOA}")
        shared = "".join(f'[names."n{name}.{servers.ZONE}"]\npool="p{name % pool_count}"\n' for name in range(names))
        command = server.serve(pools + shared)
        # Scattered names, so that CPU caches do not help.
        queries = server.write("names", "".join(f"n{name * 7919 % names}.{servers.ZONE} A\n" for name in range(names)))
        log, start = pathlib.Path(directory) / "log", time.monotonic()
        with drive.running(command, log=log) as process:
            drive.wait_until_answered(process, server.port, f"n0.{servers.ZONE}", 1)
            yield server.port, process, queries, log, time.monotonic() - start


def cost(root, nodes_of, names, seconds):
    """Returns CPU per query, start time in seconds, and peak and final memory in megabytes."""
    with evenkeel(root, pools_of(nodes_of), len(nodes_of), names) as (port, process, queries, _, start):
        drive.load(process.pid, port, queries, 1)
        figures = drive.load(process.pid, port, queries, seconds, thread="udp")
        peak, final = drive.memory(process.pid)
        return {"cpu": figures["cpu"], "start": start, "peak": peak, "final": final}


def cost_of_flips(root, flapping, seconds):
    """Returns CPU per query in the UDP threads and flips per second; each node flips up to 10 times per second."""
    addresses = [f"127.0.2.{node}" for node in range(1, FLAPPING + 1)]
    listed = ",".join(f'{{name="n{i}",address="{a}"}}' for i, a in enumerate(addresses))
    port_of = lambda pool: servers.NODE_PORT + pool
    monitor = lambda pool: (
        f'[monitors.m{pool}]\nkind="http"\nport={port_of(pool)}\npath="/readyz"\ninterval="100ms"\ntimeout="90ms"\nrise=1\nfall=1\n'
    )
    pools = monitor(0) + f'[pools.p0]\nmonitors=["m0"]\nwhen_empty="all"\nmax_ejected="100%"\nnodes=[{listed}]\n'
    nodes = [str(root / "target/release/evenkeel"), "fake-core", "--listen", f"0.0.0.0:{servers.NODE_PORT}"]
    flap = '{"flap_ms": 100}' if flapping else "{}"
    with drive.running([*nodes, "--faults", flap], drive.LOAD_CORE), evenkeel(root, pools, 1, 1) as (port, process, queries, log, _):
        drive.load(process.pid, port, queries, 1)
        flips = lambda: log.read_text(errors="replace").count(" is down: ") + log.read_text(errors="replace").count(" is up: ")
        before = flips()
        figures = drive.load(process.pid, port, queries, seconds, thread="udp")
        return {"cpu": figures["cpu"], "flips": (flips() - before) / seconds}


def growth(root, rounds, seconds):
    """Measures all series in interleaved rounds: by series and point, a list of the figures of each round."""
    points = {
        "names": {
            "1": lambda: cost(root, [10], 1, seconds),
            "100": lambda: cost(root, [10], 100, seconds),
            "10,000": lambda: cost(root, [10] * 100, 10_000, seconds),
            "100,000": lambda: cost(root, [10] * 1000, 100_000, seconds),
        },
        "nodes": {str(nodes): lambda nodes=nodes: cost(root, [nodes], 1, seconds) for nodes in (8, 100, 1000, 10_000)},
        "flips per second": {
            "none": lambda: cost_of_flips(root, False, seconds),
            "1000": lambda: cost_of_flips(root, True, seconds),
        },
    }
    figures = {title: {label: [] for label in measures} for title, measures in points.items()}
    for _ in range(rounds):
        for title, measures in points.items():
            for label, measure in measures.items():
                figures[title][label].append(measure())
    return figures


def overload(root, rounds, seconds):
    """Measures a server that has about a tenth of a core under multiples of its peak rate.

    Returns offered and answered queries by multiple, as shares of the peak of the same round.
    """
    figures = {multiple: [] for multiple in (0.5, 1, 2, 5, 10)}
    for _ in range(rounds):
        with evenkeel(root, pools_of([8]), 1, 1) as (port, process, _, _, _), drive.running(
            ["python3", "-c", "while True: pass"]
        ):
            drive.lower_priority(process.pid, LOW_PRIORITY)
            flood = lambda rate: drive.flood(root / "target/release/flood", port, f"n0.{servers.ZONE}", seconds, rate)
            # The peak lies at an offered rate a little above it.
            peak = max(flood(rate)[1] for rate in (10_000, 20_000, 30_000, 40_000, 60_000))
            for multiple, results in figures.items():
                sent, answered = flood(int(peak * multiple))
                results.append({"peak": peak, "offered": sent / peak, "goodput": answered / peak})
    return figures
