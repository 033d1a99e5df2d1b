"""Measures the CPU of a health probe over HTTP: evenkeel, gdnsd and HAProxy, with the same nodes."""
import json
import os
import tempfile
import time
import urllib.request

import drive
import servers

# Pools, and nodes per pool. gdnsd accepts at most 360 nodes per pool, and an interval of at least 2 s.
POOLS, NODES = 4, 250
# Seconds between the probes of a node.
INTERVAL = 2
# Seconds until the start is over: all servers probe all nodes at once when they start.
SETTLE = 5
PORT = 15310


def address(pool, node):
    """Returns the address of a node."""
    return f"127.0.{10 + pool}.{node + 1}"


def node_lists(text, separator):
    """Returns one text per pool: `text(pool, node)` of all its nodes, joined by the separator."""
    return [separator.join(text(pool, node) for node in range(NODES)) for pool in range(POOLS)]


class Evenkeel(servers.Evenkeel):
    keep_alive, port = "false", PORT

    def command(self):
        self.write("lb.zone", f"$TTL 300\n{servers.SOA}")
        nodes = node_lists(lambda pool, node: f'{{name="n{node}",address="{address(pool, node)}"}}', ",")
        pools = "".join(
            f'[pools.p{i}]\nmonitors=["ready"]\nnodes=[{listed}]\n[names."n{i}.{servers.ZONE}"]\npool="p{i}"\n' for i, listed in enumerate(nodes)
        )
        return self.serve(
            f'[monitors.ready]\nkind="http"\nport={servers.NODE_PORT}\npath="/readyz"\ninterval="{INTERVAL}s"\ntimeout="1s"\n'
            f"keep_alive={self.keep_alive}\n" + pools
        )


class KeepAliveEvenkeel(Evenkeel):
    name, keep_alive = "evenkeel, keep_alive", "true"


class Gdnsd(servers.Gdnsd):
    port = PORT

    def command(self):
        command = super().command()
        nodes = node_lists(lambda pool, node: f"n{node} => {address(pool, node)}", ", ")
        resources = ", ".join(f"p{i} => {{ service_types => ready, addrs_v4 => {{ {listed} }} }}" for i, listed in enumerate(nodes))
        self.write("config", f"""
options => {{ listen => [ 127.0.0.1:{self.port} ], udp_threads => 1, tcp_threads => 1, run_dir => {self.directory}/run,
  state_dir => {self.directory}/state }}
service_types => {{ ready => {{ plugin => http_status, port => {servers.NODE_PORT}, url_path => /readyz, interval => {INTERVAL}, timeout => 1 }} }}
plugins => {{ multifo => {{ {resources} }} }}
""")
        names = "".join(f"n{i} 5 DYNA multifo!p{i}\n" for i in range(POOLS))
        self.write(f"zones/{servers.ZONE}", f"$TTL 300\n{servers.SOA}{names}")
        return command


class Haproxy(servers.Server):
    name, package = "haproxy", "haproxy"

    def command(self):
        nodes = node_lists(lambda pool, node: f"  server n{node} {address(pool, node)}:{servers.NODE_PORT} check inter {INTERVAL}s\n", "")
        backends = "".join(f"backend p{i}\n  option httpchk GET /readyz\n{listed}" for i, listed in enumerate(nodes))
        path = self.write("haproxy.cfg", f"""
global
  nbthread 1
defaults
  mode http
  timeout connect 1s
  timeout check 1s
  timeout server 5s
  timeout client 5s
frontend f
  bind 127.0.0.1:{PORT}
  default_backend p0
{backends}""")
        return ["haproxy", "-db", "-q", "-f", str(path)]

    def version(self):
        return servers.printed_version("haproxy", "-v")


ALL = [Evenkeel, KeepAliveEvenkeel, Gdnsd, Haproxy]


def cpu(pid):
    """Returns seconds of CPU of a process and its descendants.

    The resolution is a nanosecond: the kernel ticks of the other measurements are too coarse for probes.
    """
    # Linux encodes the CPU clock of a process, ended threads included, as (~pid << 3) | 2.
    return sum(time.clock_gettime((~member << 3) | 2) for member in drive.process_tree(pid))


def requests():
    """Returns the number of requests that the nodes have received."""
    with urllib.request.urlopen(f"http://127.0.0.1:{servers.NODE_PORT}/_fake") as answer:
        return json.load(answer)["requests"]


def cost(prober, command, seconds):
    """Returns microseconds of CPU per probe, and probes per second."""
    with drive.running(command) as process:
        time.sleep(SETTLE)
        before, probes, began = cpu(process.pid), requests(), time.monotonic()
        time.sleep(seconds)
        used, probes, took = cpu(process.pid) - before, requests() - probes, time.monotonic() - began
        if probes < POOLS * NODES * seconds / INTERVAL / 2:
            raise SystemExit(f"{prober.name} sent {probes} probes in {took:.1f} s, less than half of what its interval demands")
        return {"cpu": 1e6 * used / probes, "rate": probes / took}


def compared(root, rounds, seconds):
    """Measures all probers in interleaved rounds: their versions, and by name a list of the figures of each round."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        nodes = [str(root / "target/release/evenkeel"), "fake-core", "--listen", f"0.0.0.0:{servers.NODE_PORT}"]
        with drive.running(nodes, drive.LOAD_CORE):
            probers = [prober(directory, root) for prober in ALL]
            prepared = [(prober, prober.command()) for prober in probers]
            figures = {prober.name: [] for prober in probers}
            for i in range(rounds):
                # Every other round runs backwards, so that no prober is always the first.
                for prober, command in prepared[:: 1 if i % 2 else -1]:
                    figures[prober.name].append(cost(prober, command, seconds))
    versions = ", ".join(f"{prober.name} {prober.version()}" for prober in probers if type(prober) is not KeepAliveEvenkeel)
    return versions, figures
