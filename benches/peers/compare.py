"""Measures all servers in interleaved rounds, and what evenkeel's cost grows with; prints tables, and draws pictures into
docs/benchmarks/."""
import argparse
import contextlib
import os
import pathlib
import platform
import statistics
import sys
import tempfile

import chart
import drive
import probes
import series
import servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs/benchmarks"
# Below what the slowest of the compiled servers can serve; PowerDNS is asked less.
FIXED_RATE = 60_000


def machine():
    """The processor and the kernel."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}"


def spread(values, digits=2):
    """Median, and least and most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(head, rows):
    """A table of Markdown that can also be read as it is."""
    rows = [head, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    print("\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]) + "\n")


def draw(name, title, unit, rows, note):
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / f"{name}.svg").write_text(chart.bars(title, unit, rows, note))


def one_round(server, command, names, seconds):
    """All figures of one server."""
    with drive.running(command) as process:
        answer = drive.wait_until_answered(process, server.port)
        drive.load(process.pid, server.port, names, 1)
        figures = drive.load(process.pid, server.port, names, seconds)
        rate = min(FIXED_RATE, int(figures["rate"] / 2))
        return {**figures, **drive.latency_under(process.pid, server.port, names, seconds, rate), "size": len(answer)}


def peers(rounds, seconds):
    """The table of peers."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        os.chmod(directory, 0o755)
        nodes = [str(ROOT / "target/release/evenkeel"), "fake-core", "--listen", f"0.0.0.0:{servers.NODE_PORT}"]
        stack.enter_context(drive.running(nodes, drive.LOAD_CORE))
        names = pathlib.Path(directory) / "names"
        names.write_text(f"{servers.NAME} A\n")
        compared = [server(directory, ROOT) for server in servers.ALL]
        prepared = [(server, server.command()) for server in compared]
        figures = {server.name: [] for server in compared}
        for _ in range(rounds):
            for server, command in prepared:
                figures[server.name].append(one_round(server, command, names, seconds))
                print(f"{server.name}: {figures[server.name][-1]}", file=sys.stderr)
    versions = ", ".join(f"{server.name} {server.version()}".strip() for server in compared)
    note = f"{machine()}; {rounds} rounds of {seconds} s; {versions}"
    print(f"## Peers\n\n{note}. Medians, with least and most of the rounds; x is the ratio to evenkeel in the same round.\n")
    rows = []
    for name, of in figures.items():
        column = lambda key, of=of: [figure[key] for figure in of]
        ratio = [theirs["cpu"] / ours["cpu"] for theirs, ours in zip(of, figures["evenkeel"])]
        rows.append([
            name, spread(column("rate"), 0), spread(column("cpu")), spread(ratio), spread(column("user")), str(of[0]["size"]),
            f"{max(column('loss')):.2f}", spread(column("p50"), 0), spread(column("p99"), 0), f"{max(column('fixed_loss')):.2f}",
        ])
    table(["server", "queries/s", "CPU us a query", "x", "of it user us", "bytes", "loss %", "p50 us", "p99 us", "loss %"], rows)
    print(f"p50, p99 and the second loss at {FIXED_RATE} queries/s, PowerDNS at half its peak. bare is crates/bench-tools/src/bin/bare-responder.rs. What is user time is sampled by the kernel's ticks.\n")
    shown = [(name, [figure["cpu"] for figure in of]) for name, of in figures.items() if name != "pdns"]
    draw("peers", "CPU of a query, eight addresses, one core", "us", shown, note)


# What is shown of a series beside CPU: its key, its title, its digits.
COLUMNS = [("flips", "flips a second", 0), ("start", "s to start", 2), ("most", "MB at most", 0), ("afterwards", "MB afterwards", 0)]


def growth(rounds, seconds):
    """What evenkeel's cost grows with."""
    note = f"{machine()}; {rounds} rounds of {seconds} s"
    print(f"## Growth\n\n{note}. CPU of a query in the thread that answers; x is the ratio to the first line of the same round.\n")
    for what, points in series.growth(ROOT, rounds, seconds).items():
        first = next(iter(points.values()))
        rows = []
        for label, of in points.items():
            ratio = [here["cpu"] / there["cpu"] for here, there in zip(of, first)]
            more = [spread([figure[key] for figure in of], digits) for key, _, digits in COLUMNS if key in of[0]]
            rows.append([label, spread([figure["cpu"] for figure in of]), spread(ratio), *more])
        head = [what, "CPU us a query", "x", *(title for key, title, _ in COLUMNS if key in first[0])]
        table(head, rows)
        shown = [(label, [figure["cpu"] for figure in of]) for label, of in points.items()]
        draw("growth-" + what.split()[0], f"CPU of a query, by {what}", "us", shown, note)


def overload(rounds, seconds):
    """What evenkeel answers when it is asked more than it can answer."""
    note = f"{machine()}; {rounds} rounds of {seconds} s; the server has about a tenth of a core"
    print(f"## Overload\n\n{note}. Shares of the peak of the same round.\n")
    figures = series.overload(ROOT, rounds, seconds)
    column = lambda of, key: [figure[key] for figure in of]
    rows = [[f"{times} x", spread(column(of, "offered")), spread(column(of, "goodput"))] for times, of in figures.items()]
    table(["wanted", "offered", "answered"], rows)
    print(f"peak: {spread(column(figures[1], 'peak'), 0)} answers/s\n")
    shown = [(f"{statistics.median(column(of, 'offered')):.1f} x offered", column(of, "goodput")) for of in figures.values()]
    draw("overload", "Answered, as a share of the peak", "x", shown, note)


def probing(rounds, seconds):
    """What a probe costs evenkeel and its peers."""
    seconds = max(seconds, 5 * probes.INTERVAL)
    versions, figures = probes.compared(ROOT, rounds, seconds)
    note = f"{machine()}; {rounds} rounds of {seconds} s; {versions}"
    nodes = probes.POOLS * probes.NODES
    print(f"## Probes\n\n{note}. {nodes} nodes, each probed over HTTP every {probes.INTERVAL} s; x is the ratio to gdnsd in the same round.\n")
    rows = []
    for name, of in figures.items():
        ratio = [ours["cpu"] / theirs["cpu"] for ours, theirs in zip(of, figures["gdnsd"])]
        rows.append([name, spread([figure["cpu"] for figure in of], 0), spread(ratio), spread([figure["rate"] for figure in of], 0)])
    table(["prober", "CPU us a probe", "x", "probes/s"], rows)
    draw("probes", "CPU of a probe over HTTP", "us", [(name, [figure["cpu"] for figure in of]) for name, of in figures.items()], note)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    measures = {"peers": peers, "growth": growth, "overload": overload, "probes": probing}
    parser.add_argument("what", nargs="*", default=list(measures), help=f"{', '.join(measures)}; all unless it is said")
    wanted = parser.parse_args()
    for what in wanted.what:
        if what not in measures:
            parser.error(f"{what} is none of {', '.join(measures)}")
        measures[what](wanted.rounds, wanted.seconds)


main()
