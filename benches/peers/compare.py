"""Runs the benchmarks. It prints tables in Markdown and writes charts to docs/benchmarks/."""
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
# Queries per second for the latency measurement: below the peak of every compiled server. A slower
# server gets half of its peak.
FIXED_RATE = 60_000


def machine():
    """Returns processor, number of cores and kernel."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}"


def spread(values, digits=2):
    """Formats values as median (minimum-maximum)."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(head, rows):
    """Prints a Markdown table with aligned columns."""
    rows = [head, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    print("\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]) + "\n")


def draw(name, title, unit, rows, note):
    """Writes a chart."""
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / f"{name}.svg").write_text(chart.bars(title, unit, rows, note))


def one_round(server, command, names, seconds):
    """Measures one server once."""
    with drive.running(command) as process:
        answer = drive.wait_until_answered(process, server.port)
        drive.load(process.pid, server.port, names, 1)
        figures = drive.load(process.pid, server.port, names, seconds)
        rate = min(FIXED_RATE, int(figures["rate"] / 2))
        return {**figures, **drive.latency_under(process.pid, server.port, names, seconds, rate), "size": len(answer)}


def peers(rounds, seconds):
    """Compares evenkeel with other servers: throughput, CPU per query, latency, loss."""
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
    print(f"## Peers\n\n{note}. Medians, minimum and maximum of the rounds in parentheses; x is the ratio to evenkeel in the same round.\n")
    rows = []
    for name, results in figures.items():
        column = lambda key, results=results: [figure[key] for figure in results]
        ratio = [theirs["cpu"] / ours["cpu"] for theirs, ours in zip(results, figures["evenkeel"])]
        rows.append([
            name, spread(column("rate"), 0), spread(column("cpu")), spread(ratio), spread(column("user")), str(results[0]["size"]),
            f"{max(column('loss')):.2f}", spread(column("p50"), 0), spread(column("p99"), 0), f"{max(column('fixed_loss')):.2f}",
        ])
    table(["server", "queries/s", "CPU us per query", "x", "user us", "bytes", "loss % at peak", "p50 us", "p99 us", "loss % at rate"], rows)
    print(
        f"p50, p99 and the loss at rate are measured at {FIXED_RATE} queries/s, PowerDNS at half its peak. bare is "
        "crates/bench-tools/src/bin/bare-responder.rs. The kernel samples user time by its ticks.\n"
    )
    shown = [(name, [figure["cpu"] for figure in results]) for name, results in figures.items() if name != "pdns"]
    draw("peers", "CPU per query, eight addresses, one core", "us", shown, note)


# Columns of a series beside CPU, if it has them: key, title, digits.
COLUMNS = [("flips", "flips/s", 0), ("start", "start s", 2), ("peak", "peak MB", 0), ("final", "final MB", 0)]


def growth(rounds, seconds):
    """Measures how the CPU per query grows with names, nodes and flips of health."""
    note = f"{machine()}; {rounds} rounds of {seconds} s"
    print(f"## Growth\n\n{note}. CPU per query in the UDP thread; x is the ratio to the first line of the same round.\n")
    for title, points in series.growth(ROOT, rounds, seconds).items():
        first = next(iter(points.values()))
        rows = []
        for label, results in points.items():
            ratio = [here["cpu"] / there["cpu"] for here, there in zip(results, first)]
            more = [spread([figure[key] for figure in results], digits) for key, _, digits in COLUMNS if key in results[0]]
            rows.append([label, spread([figure["cpu"] for figure in results]), spread(ratio), *more])
        head = [title, "CPU us per query", "x", *(heading for key, heading, _ in COLUMNS if key in first[0])]
        table(head, rows)
        shown = [(label, [figure["cpu"] for figure in results]) for label, results in points.items()]
        draw("growth-" + title.split()[0], f"CPU per query, by {title}", "us", shown, note)


def overload(rounds, seconds):
    """Measures how much evenkeel answers when it is offered more than its peak."""
    note = f"{machine()}; {rounds} rounds of {seconds} s; the server has about a tenth of a core"
    print(f"## Overload\n\n{note}. Shares of the peak of the same round.\n")
    figures = series.overload(ROOT, rounds, seconds)
    column = lambda results, key: [figure[key] for figure in results]
    rows = [
        [f"{multiple} x", spread(column(results, "offered")), spread(column(results, "goodput"))]
        for multiple, results in figures.items()
    ]
    table(["target", "offered", "answered"], rows)
    print(f"peak: {spread(column(figures[1], 'peak'), 0)} answers/s\n")
    shown = [
        (f"{statistics.median(column(results, 'offered')):.1f} x offered", column(results, "goodput"))
        for results in figures.values()
    ]
    draw("overload", "Answered queries, as a share of the peak", "x", shown, note)


def probing(rounds, seconds):
    """Compares the CPU of a health probe."""
    seconds = max(seconds, 5 * probes.INTERVAL)
    versions, figures = probes.compared(ROOT, rounds, seconds)
    note = f"{machine()}; {rounds} rounds of {seconds} s; {versions}"
    nodes = probes.POOLS * probes.NODES
    print(f"## Probes\n\n{note}. {nodes} nodes, each probed over HTTP every {probes.INTERVAL} s; x is the ratio to gdnsd in the same round.\n")
    rows = []
    for name, results in figures.items():
        ratio = [here["cpu"] / gdnsd["cpu"] for here, gdnsd in zip(results, figures["gdnsd"])]
        cpu, rate = ([figure[key] for figure in results] for key in ("cpu", "rate"))
        rows.append([name, spread(cpu, 0), spread(ratio), spread(rate, 0)])
    table(["prober", "CPU us per probe", "x", "probes/s"], rows)
    draw("probes", "CPU per probe over HTTP", "us", [(name, [figure["cpu"] for figure in results]) for name, results in figures.items()], note)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds; default: 5")
    parser.add_argument("--seconds", type=int, default=5, help="duration of a measurement; default: 5")
    measures = {"peers": peers, "growth": growth, "overload": overload, "probes": probing}
    parser.add_argument("benchmarks", nargs="*", default=list(measures), help=f"{', '.join(measures)}; default: all")
    arguments = parser.parse_args()
    for name in arguments.benchmarks:
        if name not in measures:
            parser.error(f"unknown benchmark {name}; accepted: {', '.join(measures)}")
        measures[name](arguments.rounds, arguments.seconds)


main()
