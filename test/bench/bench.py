#!/usr/bin/python3
"""What the module costs, measured in one go with and without it, nothing else changed.

Instructions: httpd (event, one process) under callgrind; on one warm keep-alive connection callgrind
writes down its count before and after so many requests: neither the server's start, which differs
by a million instructions from run to run, nor its end is in the figure. Throughput: both servers run at the same time and are loaded in turn by wrk,
pair by pair, so that what the machine does meanwhile meets both; the median of the pairs' ratios
is given with an interval that holds the true one in 98 of 100 cases (order statistics).

Usage: bench.py [--gate | --profile | --farm N] [--module FILE] [--pairs N] [--seconds N]
--gate measures instructions only; --profile as well, and lists the functions that they were added
in. All fail when the module adds more than BAR to any request. --farm compares a farm of two modules
with one of N: what a request costs must not depend on it (the watcher's own thread is left out).

With Debian's own modules, its access log and curl's header fields a small answer through plain
mod_proxy_http takes about 69 500 instructions (httpd 2.4.71).
"""
import argparse
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from haproxy import Haproxy

ROOT = Path(__file__).resolve().parent.parent.parent
WARM, REQUESTS = 500, 2000
BAR = 700  # instructions per request
BODY = 512
HOST = "apps.example.com"

# name, https, path: a module's kind decides how much the rules have to do for it
KINDS = (
    ("http, kind unknown", False, "/Unknown/Home"),
    ("http, traditional", False, "/Portal/Home.aspx"),
    ("https, reactive", True, "/App/scripts/App.index.js"),
)

# Requests that go by a pin: each brings a ticket, so that a new connection needs no handshake.
PINNED = (("pinned, http", False, "/WinAuth/Home"),)
TICKET = {"Authorization": "Negotiate YIIGhgYGKwYBBQUCoIIGejCCBnagMDAuBgkqhkiC9xIBAgI="}

# What Debian enables by itself, and what a reverse proxy needs. A distribution may have some of them
# built in.
MODULES = """mpm_event access_compat alias auth_basic authn_core authn_file authz_core authz_host
authz_user autoindex deflate dir env filter log_config mime negotiation reqtimeout setenvif status
unixd ssl proxy proxy_http""".split()

FIELDS = {"Host": HOST, "User-Agent": "curl/7.88.1", "Accept": "*/*"}

OSPROXY = """
LoadModule osproxy_module "{module}"
OSProxyEngine On
# The watcher's own requests are no part of anybody else's: it looks around once, before.
OSProxyWatch 1
OSProxyModule App reactive
OSProxyModule Portal traditional
"""

# What administrators write for two of the nine rules, by httpd's own means: a yardstick.
BY_HAND = """
LoadModule headers_module "{modules}/mod_headers.so"
ProxyPreserveHost On
RequestHeader set X-Forwarded-Proto "expr=%{{REQUEST_SCHEME}}"
"""

# No module can do less for the same three rules: least.c.
LEAST = """
LoadModule least_module "{folder}/mod_least.so"
ProxyPreserveHost On
"""

CONF = """
ServerRoot "{folder}"
PidFile "{folder}/pid"
ErrorLog "{folder}/error.log"
LogLevel warn
ServerName {host}
{load}
{osproxy}
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog "{folder}/access.log" combined
TypesConfig "{folder}/mime.types"
KeepAliveTimeout 60
MaxKeepAliveRequests 0
Listen 127.0.0.1:{http}
Listen 127.0.0.1:{https}
<VirtualHost 127.0.0.1:{http}>
    ServerName {host}
    ProxyPass "/" "http://127.0.0.1:{backend}/"
</VirtualHost>
<VirtualHost 127.0.0.1:{https}>
    ServerName {host}
    SSLEngine on
    SSLCertificateFile "{certificate}"
    ProxyPass "/" "http://127.0.0.1:{backend}/"
</VirtualHost>
"""


def die(text):
    sys.exit(f"bench: {text}")


def apxs(variable):
    tool = shutil.which("apxs") or shutil.which("apxs2") or die("apxs was not found")
    return subprocess.run([tool, "-q", variable], check=True, capture_output=True,
                          text=True).stdout.strip()


def free_ports(count):
    """Ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Bench:
    """The work folder, the app server and the two configurations."""

    def __init__(self, folder, module):
        self.folder = Path(folder)
        self.module = module
        self.httpd = f"{apxs('SBINDIR')}/{apxs('PROGNAME')}"
        self.certificate = self._make_certificate()
        self.backend_port, = free_ports(1)
        self.backend = self._start_backend()

    def _make_certificate(self):
        path = self.folder / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", f"/CN={HOST}", "-keyout", path, "-out", f"{path}.crt"],
                       check=True, capture_output=True)
        with open(path, "ab") as both:
            both.write(Path(f"{path}.crt").read_bytes())
        return path

    def make_least(self):
        """least.c as a module, in the work folder."""
        flags = apxs("EXTRA_CPPFLAGS").split() + [f"-I{apxs('INCLUDEDIR')}"] + subprocess.run(
            ["apr-1-config", "--includes", "--cppflags"], check=True, capture_output=True,
            text=True).stdout.split()
        subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-fPIC", "-shared", *flags,
                        "-o", self.folder / "mod_least.so", ROOT / "test/bench/least.c"], check=True)
        os.chmod(self.folder / "mod_least.so", 0o755)

    def _start_backend(self):
        program = self.folder / "backend"
        subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-o", program,
                        ROOT / "test/bench/backend.c"], check=True)
        process = subprocess.Popen([program, "127.0.0.1", str(self.backend_port), str(BODY)],
                                   stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            die("the app server did not start")
        return process

    def close(self):
        self.backend.kill()
        self.backend.wait()


class Httpd:
    """One httpd; directives is what makes it differ from plain mod_proxy."""

    def __init__(self, bench, name, directives=""):
        self.folder = bench.folder / name
        self.folder.mkdir()
        self.httpd = bench.httpd
        self.http, self.https = free_ports(2)
        self.conf = self.folder / "httpd.conf"
        (self.folder / "mime.types").touch()
        modules = apxs("LIBEXECDIR")
        load = [f'LoadModule {name}_module "{modules}/mod_{name}.so"' for name in MODULES
                if Path(f"{modules}/mod_{name}.so").exists()]
        self.conf.write_text(CONF.format(
            folder=self.folder, host=HOST, load="\n".join(load), http=self.http,
            https=self.https, backend=bench.backend_port, certificate=bench.certificate,
            osproxy=directives.format(module=bench.module, modules=modules,
                                      folder=bench.folder)))
        self.process = None

        # Not as root: httpd would change its user, and then neither callgrind's files nor its
        # control would be its own any more.
        self.user = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for path in (self.folder, bench.certificate):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)

    def start(self, wrapper=(), options=("-DFOREGROUND",), seconds=60):
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen([*wrapper, self.httpd, "-f", self.conf, *options],
                                            stdout=output, stderr=output, **self.user)
        deadline = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.https), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    die("httpd did not start:\n" + self.tail())
                time.sleep(0.1)

    def stop(self):
        """Ends it in good order, so that callgrind writes its file."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def tail(self):
        return "".join(f"    {line}\n" for name in ("output", "error.log")
                       if (self.folder / name).exists()
                       for line in (self.folder / name).read_text(errors="replace").splitlines()[-15:])

    def connect(self, https):
        sock = socket.create_connection(("127.0.0.1", self.https if https else self.http), 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if https:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            sock = context.wrap_socket(sock, server_hostname=HOST)
        return sock


def ask(sock, path, count):
    """count requests, one after the other; each has to be answered with 200 and the whole body."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in FIELDS.items())
    request = f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode()
    for _ in range(count):
        sock.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data or len(data) - data.index(b"\r\n\r\n") - 4 < BODY:
            more = sock.recv(65536)
            if not more:
                die("httpd closed the connection")
            data += more
        if not data.startswith(b"HTTP/1.1 200 "):
            die(f"{path} was answered\n{data.decode('latin-1')}")


# ---- instructions --------------------------------------------------------------------------------

def dump(server):
    """Lets callgrind write its count to a file and begin anew."""
    subprocess.run(["callgrind_control", f"--vgdb-prefix={server.folder}/vgdb", "--dump",
                    str(server.process.pid)], check=True, capture_output=True, **server.user)


def settle(server):
    """Until the server is at rest: its watcher has looked around for the first time."""
    def ticks():
        with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as file:
            return int(file.read().rpartition(")")[2].split()[11])
    for _ in range(30):
        before = ticks()
        time.sleep(1.5)
        if ticks() - before < 15:
            return


def requests_only(server):
    """Instructions per request, of all threads but the watcher's."""
    total = 0
    for part in server.folder.glob("callgrind.out.2-*"):
        text = part.read_text()
        if "osp_farm_step" not in text:
            total += sum(map(int, re.findall(r"^(?:summary|totals): (\d+)", text, re.M)[:1]))
    return total / REQUESTS or die("callgrind left no figures:\n" + server.tail())


def count_instructions(server, https, path, separate=False):
    """User-space instructions of the whole server for one request."""
    out = server.folder / "callgrind.out"
    for old in server.folder.glob("callgrind.out*"):
        old.unlink()
    server.start(("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                  f"--vgdb-prefix={server.folder}/vgdb",
                  f"--separate-threads={'yes' if separate else 'no'}"), ("-X",))
    try:
        with server.connect(https) as sock:
            ask(sock, path, WARM)
            settle(server)
            dump(server)
            ask(sock, path, REQUESTS)
            dump(server)
    finally:
        server.stop()
    part = server.folder / "callgrind.out.2"
    if separate:
        return requests_only(server)
    match = re.search(r"^(?:summary|totals): (\d+)", part.read_text() if part.exists() else "", re.M)
    if not match:
        die("callgrind left no figures:\n" + server.tail())
    return int(match[1]) / REQUESTS


def by_function(server):
    """Instructions of the last run by function, as callgrind_annotate names them."""
    listing = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no",
                              server.folder / "callgrind.out.2"],
                             capture_output=True, text=True, check=True).stdout
    found = {}
    for count, name in re.findall(r"^ *([\d,]+) \([ \d.]+%\)  (\S.*)$", listing, re.M):
        if not name.startswith(("PROGRAM TOTALS", "<counts")):
            # "file:function'level [library]"; without debug information the function is a number,
            # which says nothing without its library
            where, _, library = name.partition(" [")
            symbol = re.sub(r"'\d+$", "", where.rpartition(":")[2])
            name = f"{symbol} [{library}" if symbol.startswith("0x") else symbol
            found[name] = found.get(name, 0) + int(count.replace(",", ""))
    return found


def print_profile(servers, lines=40):
    plain, module = (by_function(server) for server in servers)
    added = {name: (module.get(name, 0) - plain.get(name, 0)) / REQUESTS
             for name in plain.keys() | module.keys()}
    for name in sorted(added, key=lambda name: -abs(added[name]))[:lines]:
        print(f"    {added[name]:+8.1f}  {name}")


def instructions(servers, profile):
    """Rows of (request, plain, with the module). What the watcher's own thread does, once a second,
    is no part of a request: under callgrind, fifty times slower, it would seem one. A profile is of
    all threads."""
    for name, https, path in KINDS:
        yield (name, *(count_instructions(server, https, path, not profile) for server in servers))


def print_farm(bench, count):
    """A farm of two modules, one of so many; the most that the larger one adds."""
    many = OSPROXY + "".join(f"OSProxyModule Module{i} reactive\n" for i in range(count - 2))
    servers = [Httpd(bench, "few", OSPROXY), Httpd(bench, "many", many)]
    print(f"instructions per proxied request: two modules, {count}")
    worst = 0
    for name, https, path in KINDS:
        # a request of the watcher's own, one a minute, may fall into a count
        few, more = (min(count_instructions(server, https, path, True) for _ in range(2))
                     for server in servers)
        worst = max(worst, more - few)
        print(f"{name:20}{few:10.0f}{more:10.0f}{more - few:+8.0f}", flush=True)
    return worst


# ---- throughput ----------------------------------------------------------------------------------

def load(server, https, path, seconds, extra):
    """Requests per second by wrk; an answer that is not 200 ends the bench."""
    url = f"http{'s' if https else ''}://127.0.0.1:{server.https if https else server.http}{path}"
    fields = [word for name, value in {**FIELDS, **extra}.items()
              for word in ("-H", f"{name}: {value}")]
    run = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", *fields, url],
                         capture_output=True, text=True, check=True)
    match = re.search(r"Requests/sec: *([\d.]+)", run.stdout)
    if not match or "Non-2xx" in run.stdout:
        die(f"wrk was not content with {url}:\n{run.stdout}{run.stderr}")
    return float(match[1])


def interval(values):
    """The least and the greatest value without the outermost on each side: for ten pairs this holds
    the true median with a probability of 98 %, whatever the distribution."""
    inner = sorted(values)[1:-1] if len(values) >= 8 else sorted(values)
    return inner[0], inner[-1]


def throughput(servers, kinds, extra, pairs, seconds):
    """Rows of (request, per second of the one, of the other, ratios other to one)."""
    for server in servers:
        server.start()
    try:
        for name, https, path in kinds:
            for server in servers:
                load(server, https, path, 1, extra)  # warm
            rates = ([], [])
            for pair in range(pairs):
                for i in ((0, 1), (1, 0))[pair % 2]:
                    rates[i].append(load(servers[i], https, path, seconds, extra))
            yield name, *rates, [b / a for a, b in zip(*rates)]
    finally:
        for server in servers:
            server.stop()


# ---- the table -----------------------------------------------------------------------------------

def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--gate", action="store_true")
    options.add_argument("--profile", action="store_true")
    options.add_argument("--farm", type=int)
    options.add_argument("--module", default=ROOT / "build/out/mod_osproxy.so", type=Path)
    options.add_argument("--pairs", default=10, type=int)
    options.add_argument("--seconds", default=3, type=int)
    options = options.parse_args()
    if not options.module.is_file():
        die(f"{options.module} is missing; 'make' builds it")
    with tempfile.TemporaryDirectory(prefix="osproxy-bench-") as folder:
        os.chmod(folder, 0o755)
        bench = Bench(folder, options.module.resolve())
        if options.farm:
            try:
                return 1 if print_farm(bench, options.farm) > BAR else 0
            finally:
                bench.close()
        servers = [Httpd(bench, "plain"), Httpd(bench, "osproxy", OSPROXY)]
        try:
            worst = print_instructions(servers, options.profile)
            if not options.profile:
                print_yardsticks(bench)
            if not options.gate and not options.profile:
                print_throughput(servers, options)
                print_pinned(bench, servers[1], options)
        finally:
            for server in servers:
                server.stop()
            bench.close()
    return 1 if worst > BAR else 0


def print_instructions(servers, profile):
    print(f"instructions per proxied request ({REQUESTS} requests, event, user space)")
    print(f"{'':20}{'plain':>10}{'module':>10}{'added':>8}")
    worst = 0
    for name, plain, module in instructions(servers, profile):
        added = module - plain
        worst = max(worst, added)
        print(f"{name:20}{plain:10.0f}{module:10.0f}{added:+8.0f}  {100 * added / plain:+.1f} %",
              flush=True)
        if profile:
            print_profile(servers)
    print(f"{'within' if worst <= BAR else 'ABOVE'} the bar of {BAR}\n", flush=True)
    return worst


def print_yardsticks(bench):
    """No bar: what some of the rules cost by other means, in requests of the first kind."""
    name, https, path = KINDS[0]
    bench.make_least()
    print("what else adds instructions:")
    for what, directives in (
            ("preserve-host and forwarded-proto by httpd's own directives", BY_HAND),
            ("the least of any module: one field, one filter, Host; no decision", LEAST)):
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            os.chmod(folder, 0o755)
            name = Path(folder).name
            plain, added = (count_instructions(Httpd(bench, f"{name}/{kind}", text), https, path)
                            for kind, text in (("plain", ""), ("added", directives)))
        print(f"{added - plain:+8.0f}  {what}", flush=True)
    print()


def print_throughput(servers, options):
    print(f"requests per second (wrk, 16 connections, {options.pairs} pairs of {options.seconds} s)")
    print(f"{'':20}{'plain':>10}{'module':>10}{'ratio':>8}")
    for name, plain, module, ratios in throughput(servers, KINDS, {}, options.pairs,
                                                  options.seconds):
        low, high = interval(ratios)
        verdict = "1 lies within" if low <= 1 <= high else "1 lies OUTSIDE"
        print(f"{name:20}{statistics.median(plain):10.0f}{statistics.median(module):10.0f}"
              f"{statistics.median(ratios):8.3f}  {low:.3f} to {high:.3f}: {verdict}", flush=True)


def print_pinned(bench, server, options):
    """Reported, with no bar: another server's speed is not ours to promise."""
    print("\npinned requests per second against HAProxy with http-reuse never")
    print(f"{'':20}{'HAProxy':>10}{'module':>10}{'ratio':>8}")
    haproxy = Haproxy(bench, *free_ports(1))
    for name, other, module, ratios in throughput([haproxy, server], PINNED, TICKET,
                                                  options.pairs, options.seconds):
        low, high = interval(ratios)
        print(f"{name:20}{statistics.median(other):10.0f}{statistics.median(module):10.0f}"
              f"{statistics.median(ratios):8.3f}  {low:.3f} to {high:.3f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
