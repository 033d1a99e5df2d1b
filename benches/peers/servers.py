"""The compared servers. Each answers core.lb.example with the same eight addresses, from one UDP
thread, at 127.0.0.1 and a port of its own.

gdnsd and evenkeel probe the nodes over HTTP, PowerDNS over TCP. The others answer from a static zone.
"""
import os
import pathlib
import re
import subprocess

ZONE = "lb.example"
NAME = "core.lb.example"
ADDRESSES = [f"127.0.1.{node}" for node in range(1, 9)]
# Port of the REST API of the nodes.
NODE_PORT = 18008
SOA = "@ SOA ns1 hostmaster 1 3600 900 604800 5\n@ NS ns1\nns1 A 192.0.2.1\n"
RECORDS = "".join(f"core 5 A {address}\n" for address in ADDRESSES)


class Server:
    """A server: its name, its Debian package, and how to start it in a directory of its own."""

    name = package = ""
    port = 0

    def __init__(self, directory, root):
        self.directory, self.root = pathlib.Path(directory) / self.name, pathlib.Path(root)
        self.directory.mkdir(parents=True)
        self.directory.chmod(0o755)

    def write(self, name, text):
        """Writes a file in its directory and returns the path."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def command(self):
        """Writes its files and returns the command that runs it in the foreground."""
        raise NotImplementedError

    def version(self):
        """Returns the version that the program prints."""
        raise NotImplementedError


def printed_version(*command):
    """Returns the first version number in the output of a command."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    found = re.search(r"\d+\.\d+[.\d]*", done.stdout)
    return found.group() if found else "unknown"


class Evenkeel(Server):
    name, package, port = "evenkeel", "", 15301

    def program(self):
        return str(self.root / "target/release/evenkeel")

    def command(self):
        self.write("lb.zone", f"$TTL 300\n{SOA}")
        return self.serve(f"""
[monitors.ready]
kind = "http"
port = {NODE_PORT}
path = "/readyz"
[pools.core]
monitors = ["ready"]
nodes = [{", ".join(f'{{ name = "n{i}", address = "{a}" }}' for i, a in enumerate(ADDRESSES))}]
[names."{NAME}"]
pool = "core"
ttl = "5s"
""")

    def serve(self, pools):
        """Writes a configuration with these pools and names, and returns the command."""
        head = f'[server]\nlisten = ["127.0.0.1:{self.port}"]\nworkers = 1\n[zones."{ZONE}"]\nfile = "lb.zone"\n'
        path = self.write("evenkeel.toml", head + pools)
        path.chmod(0o600)
        return [self.program(), "serve", "--config", str(path)]

    def version(self):
        return printed_version(self.program(), "--version")


class Bare(Server):
    name, package, port = "bare", "", 15302

    def command(self):
        return [str(self.root / "target/release/bare-responder"), f"127.0.0.1:{self.port}"]

    def version(self):
        return ""


class Gdnsd(Server):
    name, package, port = "gdnsd", "gdnsd", 15303

    def command(self):
        addresses = ", ".join(f"n{i} => {a}" for i, a in enumerate(ADDRESSES))
        self.write("config", f"""
options => {{ listen => [ 127.0.0.1:{self.port} ], udp_threads => 1, tcp_threads => 1, run_dir => {self.directory}/run,
  state_dir => {self.directory}/state }}
service_types => {{ ready => {{ plugin => http_status, port => {NODE_PORT}, url_path => /readyz, interval => 10, timeout => 5 }} }}
plugins => {{ multifo => {{ core => {{ service_types => ready, addrs_v4 => {{ up_thresh => 0.1, {addresses} }} }} }} }}
""")
        self.write(f"zones/{ZONE}", f"$TTL 300\n{SOA}core 5 DYNA multifo!core\n")
        for directory in ("run", "state"):
            (self.directory / directory).mkdir()
        return ["gdnsd", "-c", str(self.directory), "start"]

    def version(self):
        return printed_version("gdnsd", "-V")


class Nsd(Server):
    name, package, port = "nsd", "nsd", 15304

    def command(self):
        zone = self.write("lb.zone", f"$TTL 300\n{SOA}{RECORDS}")
        path = self.write("nsd.conf", f"""
server:
  ip-address: 127.0.0.1@{self.port}
  server-count: 1
  round-robin: yes
  rrl-ratelimit: 0
  username: ""
  database: ""
  zonesdir: "{self.directory}"
  pidfile: "{self.directory}/pid"
  xfrdfile: "{self.directory}/xfrd"
  zonelistfile: "{self.directory}/zones"
  logfile: "{self.directory}/log"
remote-control:
  control-enable: no
zone:
  name: {ZONE}
  zonefile: {zone}
""")
        return ["nsd", "-d", "-c", str(path)]

    def version(self):
        return printed_version("nsd", "-v")


class Knot(Server):
    name, package, port = "knot", "knot", 15305

    def command(self):
        self.write(f"{ZONE}.zone", f"$TTL 300\n$ORIGIN {ZONE}.\n{SOA}{RECORDS}")
        path = self.write("knot.conf", f"""
server:
  listen: 127.0.0.1@{self.port}
  rundir: {self.directory}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {self.directory}
zone:
  - domain: {ZONE}
    storage: {self.directory}
    zonefile-sync: -1
    journal-content: none
""")
        return ["knotd", "-c", str(path)]

    def version(self):
        return printed_version("knotd", "-V")


class Bind(Server):
    name, package, port = "bind", "bind9", 15306

    def command(self):
        zone = self.write("lb.zone", f"$TTL 300\n{SOA}{RECORDS}")
        path = self.write("named.conf", f"""
options {{ directory "{self.directory}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file "{self.directory}/pid"; session-keyfile "{self.directory}/session.key"; minimal-responses yes;
  rrset-order {{ order random; }}; dnssec-validation no; }};
controls {{ }};
zone "{ZONE}" {{ type primary; file "{zone}"; }};
""")
        return ["named", "-f", "-n", "1", "-c", str(path)]

    def version(self):
        return printed_version("named", "-v")


class PowerDns(Server):
    name, package, port = "pdns", "pdns-server pdns-backend-bind", 15307

    def command(self):
        addresses = ", ".join(f"'{address}'" for address in ADDRESSES)
        lua = f"ifportup({NODE_PORT}, {{{addresses}}}, {{selector='all'}})"
        zone = self.write("lb.zone", f'$TTL 300\n{SOA}core 5 LUA A "{lua}"\n')
        self.write("named.conf", f'zone "{ZONE}" {{ type master; file "{zone}"; }};\n')
        self.write("pdns.conf", f"""
launch=bind
bind-config={self.directory}/named.conf
local-address=127.0.0.1
local-port={self.port}
receiver-threads=1
distributor-threads=1
enable-lua-records=yes
socket-dir={self.directory}
daemon=no
guardian=no
disable-syslog=yes
loglevel=0
""")
        return ["pdns_server", f"--config-dir={self.directory}"]

    def version(self):
        return printed_version("pdns_server", "--version")


ALL = [Evenkeel, Bare, Gdnsd, Nsd, Knot, Bind, PowerDns]


def environment():
    """Returns the environment of all started programs."""
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
