#!/usr/bin/python3
"""Measures what clients cost that keep their connections: the table of mod_osproxy/docs/capacity.md.

    make capacity-test                      # all rows, thousands of clients; some minutes
    make capacity-test ARGS="event-http debian"

Each row is a real httpd in front of a back end. Its clients are opened one after the other, each is
answered once and stays. `held`: how many are there when the next one is not answered within five
seconds, or all that were wanted. `kB`: memory of httpd's children (Pss) that each of them takes. `slowest`:
of 50 newcomers while they all stay. `CPU`: of the children, for a request of others, by wrk where it is
installed.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / path) for path in ("build", "test/recipes", "test/http", "test")]
import capacity  # noqa: E402
from idle import Idle, weigh  # noqa: E402
from lab.faults import FaultsProcess, raise_limit  # noqa: E402
from osptest import tls  # noqa: E402
from recipe import RecipeHttpd  # noqa: E402

PATIENCE = 5
WARM = 200
DEBIAN = ("StartServers 2\nMinSpareThreads 25\nMaxSpareThreads 75\nThreadLimit 64\nThreadsPerChild 25\n"
          "MaxRequestWorkers 150\n")
TIGHT = "MaxMemFree 16\n"
H2 = "Protocols h2 http/1.1\n"


def computed(mpm, clients):
    return capacity.text_of(capacity.size_for(mpm, clients, cores=os.cpu_count(), memory=1 << 20), 1 << 20)


# word: (title, mpm, settings or None for the recipe, kind of client, clients wanted)
ROWS = {
    "event-http": ("event, conf.d/recipes/capacity.conf", "event", None, "http", 9000),
    "event-https": ("the same", "event", None, "https", 9000),
    "event-h2": ("the same, `Protocols h2`", "event", H2, "h2", 2000),
    "tight-http": ("the same, `MaxMemFree 16`", "event", TIGHT, "http", 2000),
    "tight-https": ("the same, `MaxMemFree 16`", "event", TIGHT, "https", 2000),
    "debian": ("event, Debian's mpm_event.conf", "event", DEBIAN, "http", 1000),
    "worker-http": ("worker, `make capacity MPM=worker CLIENTS=2000`", "worker", "", "http", 2000),
    "worker-https": ("the same", "worker", "", "https", 2000),
    "prefork-http": ("prefork, `make capacity MPM=prefork CLIENTS=1000`", "prefork", "", "http", 1000),
    "prefork-https": ("the same", "prefork", "", "https", 1000),
}


def site(word, back_end):
    _, mpm, settings, kind, wanted = ROWS[word]
    values = {"https-offload": {"OSP_SERVER": back_end.address}}
    cert, key = tls.certificate_for("apps.example.com")
    chain = cert.with_suffix(".chain.crt")
    chain.write_text(cert.read_text() + tls.authority().cert.read_text())
    values["https-offload"] |= {"OSP_CERTIFICATE": str(chain), "OSP_KEY": str(key)}
    before = "KeepAliveTimeout 1800\nMaxKeepAliveRequests 0\n"
    if mpm == "event":
        if settings != DEBIAN:
            values["capacity"] = {}
        before += settings or ""
    else:
        before += computed(mpm, wanted)
    return RecipeHttpd(values, mpm=mpm, before=before, modules=["http2"] if kind == "h2" else [])


def cpu(pids):
    """Seconds of CPU that these processes have used."""
    ticks = 0
    for pid in pids:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def cost(httpd, kind):
    """Microseconds of CPU a request, or None where that is not measured."""
    if not shutil.which("wrk") or kind == "h2":
        return None
    before = cpu(httpd.children())
    scheme = "http" if kind == "http" else "https"
    done = subprocess.run(["wrk", "-t1", "-c8", "-d5", "-H", "Host: apps.example.com",
                           f"{scheme}://{httpd.address}/public"], capture_output=True, text=True)
    count = re.search(r"(\d+) requests in", done.stdout)
    return (cpu(httpd.children()) - before) / int(count[1]) * 1e6 if count else None


def fill(crowd, wanted):
    """Until so many are there, or one is not answered in time."""
    while len(crowd.sockets) < wanted:
        step = min(100, wanted - len(crowd.sockets))
        try:
            crowd.come(step, patience=PATIENCE)
        except AssertionError:
            crowd.failures.clear()
            return


def measure(word, back_end):
    title, _, _, kind, wanted = ROWS[word]
    httpd = site(word, back_end)
    with httpd:
        httpd.log.allow(".")
        httpd.log.cut_off = True
        used = cost(httpd, kind)
        with Idle(httpd.address, kind) as crowd:
            fill(crowd, WARM)
            before, few = weigh(httpd.children()), len(crowd.sockets)
            began = time.monotonic()
            fill(crowd, wanted)
            took = time.monotonic() - began
            held = len(crowd.sockets)
            each = (weigh(httpd.children()) - before) / (held - few) / 1024 if held > few else 0
            slowest = 0.0
            for _ in range(50 if held == wanted else 0):
                began = time.monotonic()
                crowd.connect().close()
                slowest = max(slowest, time.monotonic() - began)
            gone = crowd.gone()
        httpd.log.allow(".")
    waits = "waits" if held < wanted else f"{slowest * 1000:.0f} ms"
    print(f"| {title} | {kind} | {held}{f' of {wanted}' if held < wanted else ''} | {waits} | {each:.0f} | "
          f"{f'{used:.0f} µs' if used else '-'} |", flush=True)
    if gone:
        print(f"    {gone} connections were closed meanwhile")
    if took > 600:
        print(f"    it took {took:.0f} s")


def main():
    parser = argparse.ArgumentParser(description="What clients cost that keep their connections.")
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], help="all by default")
    options = parser.parse_args()
    raise_limit()
    print("| httpd | clients | held | slowest newcomer | kB each | CPU a request |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory, FaultsProcess(directory) as back_end:
        for word in options.rows or ROWS:
            measure(word, back_end)


if __name__ == "__main__":
    main()
