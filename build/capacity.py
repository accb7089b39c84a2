#!/usr/bin/python3
"""Computes the settings of an MPM for a number of clients that keep their connections, and explains each.

    capacity.py --clients 9000 [--mpm event|worker|prefork] [--cores 2] [--memory 4096]
                [--busy 300] [--pins 0]

busy: requests under way at the same time. Unless told it is a thirtieth of the clients: who keeps a
connection asks at least once in 30 seconds, and an answer takes about a second. pins: clients signed in
with Windows authentication, each of whom has a back-end connection too. memory, in MB, and cores are
this machine's unless told. Exit status: 1 when it does not fit, with what would.

What a client costs is in mod_osproxy/docs/capacity.md, with how it was measured; how many a setting holds
is what the audit's rule `capacity` says.
"""
import argparse
import math
import os
import sys

ENOUGH = 1000           # idle clients: below, the audit warns
LEAST_WORKERS = 400     # httpd's own default
HEADROOM = 1.25         # children do not share connections out evenly
USABLE = 0.75           # of the memory: the rest is the system's
LEAST_FILES = 8192      # what Debian's apache2ctl sets

# kB, as measured (docs/capacity.md); a connection: https, which costs more than http.
CONNECTION = 64
PIN = 40
THREAD = 20
CHILD = 6000            # of event and worker, without its threads
PROCESS = 1000          # of prefork: what it shares with others is counted once


class Sizing:
    def __init__(self, mpm, clients, busy):
        self.mpm, self.clients, self.busy = mpm, clients, busy
        self.directives = []    # (name, value, why)
        self.held = 0           # idle clients, when nothing is under way
        self.held_busy = 0      # the same, while `busy` requests are
        self.files = 0          # descriptors of one child
        self.needs = 0          # MB
        self.most = 0           # clients that would fit into the memory

    def value(self, name):
        return next(value for known, value, _ in self.directives if known == name)


def held(mpm, workers, factor=2):
    """Idle clients that an MPM holds: the audit's formula."""
    return workers * (factor + 1) if mpm == "event" else workers


def up(number, step=1):
    return math.ceil(number / step) * step


def threads_for(workers):
    """Threads of a child: few children share back-end connections better, but one that dies takes
    more clients along."""
    return next((threads for threads in (64, 128) if workers <= threads * threads / 8), 256)


def event(clients, cores, busy, pins):
    workers = max(LEAST_WORKERS, 2 * busy)
    threads = threads_for(workers)
    children = max(cores, up(workers / threads), 2)
    workers = children * threads
    idle = threads - math.ceil(busy / children)
    factor = max(2, math.ceil((clients * HEADROOM / children - threads) / idle))
    size = Sizing("event", clients, busy)
    size.held, size.held_busy = held("event", workers, factor), children * (threads + idle * factor)
    # All clients it may take on, a back-end connection of each thread, pins; logs, pipes, libraries.
    size.files = threads * (factor + 1) + threads + math.ceil(HEADROOM * pins / children) + 100
    size.directives = [
        ("ThreadLimit", threads, "the most that ThreadsPerChild may be"),
        ("ThreadsPerChild", threads, "a request under way holds a thread, an idle client none"),
        ("ServerLimit", 2 * children, f"{children} children, and as many old ones that end their requests "
         "after a reload"),
        ("StartServers", children, "all at once: httpd adds children when threads are short, not when "
         "room for idle clients is"),
        ("MaxRequestWorkers", workers, f"{children} children x {threads} threads: twice the {busy} requests "
         "under way, at least httpd's own 400"),
        ("MinSpareThreads", 25, "all children run anyway; fewer free threads than these, and the log says "
         "that MaxRequestWorkers is short (AH10159)"),
        ("MaxSpareThreads", workers, "no child ends when load falls: it would take its idle clients along"),
        ("AsyncRequestWorkerFactor", factor, f"a child takes on its threads + {factor} x its free threads: "
         f"{size.held} clients in all, {size.held_busy} while {busy} requests are under way"),
        ("MaxConnectionsPerChild", 0, "no child ends by its age, for the same reason"),
        ("ListenBacklog", 4096, "clients that come back all at once wait in the kernel; "
         "net.core.somaxconn bounds it"),
    ]
    size.needs = (children * (CHILD + threads * THREAD) + clients * CONNECTION + pins * PIN) // 1024
    return size


def worker(clients, cores, busy, pins):
    workers = clients + busy + LEAST_WORKERS
    threads = 256 if workers > 2048 else 64
    children = max(cores, up(workers / threads), 2)
    workers = children * threads
    size = Sizing("worker", clients, busy)
    size.held, size.held_busy = workers, workers - busy
    size.files = 3 * threads + math.ceil(HEADROOM * pins / children) + 100
    size.directives = [
        ("ThreadLimit", threads, "the most that ThreadsPerChild may be"),
        ("ThreadsPerChild", threads, "an idle client holds a thread for all its time"),
        ("ServerLimit", 2 * children, f"{children} children, and as many old ones that end their requests "
         "after a reload"),
        ("StartServers", max(2, math.ceil(children / 4)), "the others come when threads are short"),
        ("MaxRequestWorkers", workers, f"{clients} idle clients + {busy} requests under way + "
         f"{LEAST_WORKERS} to spare, in whole children"),
        ("MinSpareThreads", LEAST_WORKERS, "newcomers find a thread"),
        ("MaxSpareThreads", workers, "no child ends when load falls: it would take its idle clients along"),
        ("MaxConnectionsPerChild", 0, "no child ends by its age, for the same reason"),
        ("ListenBacklog", 4096, "clients that come back all at once wait in the kernel; "
         "net.core.somaxconn bounds it"),
    ]
    size.needs = (children * (CHILD + threads * THREAD) + clients * CONNECTION + pins * PIN) // 1024
    return size


def prefork(clients, cores, busy, pins):
    workers = clients + busy + LEAST_WORKERS
    size = Sizing("prefork", clients, busy)
    size.held, size.held_busy = workers, workers - busy
    size.files = 100
    size.directives = [
        ("ServerLimit", workers, "the most that MaxRequestWorkers may be"),
        ("StartServers", min(LEAST_WORKERS, workers), "the others come when processes are short"),
        ("MaxRequestWorkers", workers, f"an idle client holds a process for all its time: {clients} of them "
         f"+ {busy} requests under way + {LEAST_WORKERS} to spare"),
        ("MinSpareServers", 50, "newcomers find a process"),
        ("MaxSpareServers", workers, "processes stay for the next crowd"),
        ("MaxConnectionsPerChild", 0, "no process ends by its age"),
        ("ListenBacklog", 4096, "clients that come back all at once wait in the kernel; "
         "net.core.somaxconn bounds it"),
    ]
    size.needs = (workers * PROCESS + clients * CONNECTION + pins * PIN) // 1024
    return size


MPMS = {"event": event, "worker": worker, "prefork": prefork}


def size_for(mpm, clients, *, cores, memory, busy=None, pins=0):
    """The Sizing for so many clients, at least as many as the audit wants to see."""
    def one(count):
        return MPMS[mpm](count, cores, busy if busy is not None else math.ceil(count / 30), pins)

    clients = max(clients, ENOUGH)
    size = one(clients)
    low, high = 0, clients if size.needs > memory * USABLE else 1 << 24
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one(middle).needs <= memory * USABLE else (low, middle - 1)
    size.most = low
    return size


def text_of(size, memory):
    """The configuration, pasteable, and what else has to be set."""
    files = max(LEAST_FILES, 1 << (size.files - 1).bit_length())
    lines = [f"# {size.clients} clients that keep their connections with the {size.mpm} MPM, "
             f"while {size.busy} requests are under way.",
             f"<IfModule mpm_{size.mpm}_module>"]
    for name, value, why in size.directives:
        lines += [f"    # {why}", f"    {name} {value}"]
    lines += ["</IfModule>", "#",
              f"# Descriptors: a child may need {size.files}. Debian, /etc/apache2/envvars:",
              f"#     APACHE_ULIMIT_MAX_FILES='ulimit -n {files}'",
              f"# RHEL, systemctl edit httpd: [Service] LimitNOFILE={files}"]
    if size.mpm == "prefork":
        lines.append(f"# Back ends: a process keeps one connection to each, up to {size.value('ServerLimit')} "
                     "to one app server.")
    else:
        lines.append(f"# Back ends: a child keeps at most one connection per thread to each, up to "
                     f"{size.value('MaxRequestWorkers')} to one app server; leave max= out.")
    lines += [f"# Memory: about {size.needs} MB of {memory} MB with all of them on https; "
              f"{size.most} such clients would fit."]
    return "\n".join(lines) + "\n"


def this_memory():
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemTotal:")) // 1024


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def main(arguments=None):
    parser = argparse.ArgumentParser(description="MPM settings for a number of clients.")
    parser.add_argument("--clients", type=positive, required=True, help="client connections at one time")
    parser.add_argument("--mpm", choices=MPMS, default="event")
    parser.add_argument("--cores", type=positive, default=os.cpu_count())
    parser.add_argument("--memory", type=positive, metavar="MB", help="of the machine")
    parser.add_argument("--busy", type=positive, help="requests under way at one time")
    parser.add_argument("--pins", type=positive, default=0, help="clients with Windows authentication")
    options = parser.parse_args(arguments)
    memory = options.memory or this_memory()
    size = size_for(options.mpm, options.clients, cores=options.cores, memory=memory, busy=options.busy,
                    pins=options.pins)
    if size.needs > memory * USABLE:
        print(f"capacity: {size.clients} clients with {size.mpm} need about {size.needs} MB, and {memory} MB "
              f"of which a quarter is the system's have room for {size.most}"
              + ("" if size.mpm == "event" else "; use event"), file=sys.stderr)
        return 1
    print(text_of(size, memory), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
