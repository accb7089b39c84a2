"""The largest farm that fits: 2000 modules with 20 000 references, learned from a scripted app server, and
one that does not fit. Time is processor time of httpd's children, which other load hardly changes."""
import json
import os
import re

import pytest

from osptest import Answer, Backend
from osptest.client import Connection
from osptest.watching import model, modules, page, until

MODULES, HUBS = 2000, 10
MOST_MODULES, MOST_REFERENCES = 2048, 20480     # as the documentation says
TICK = os.sysconf("SC_CLK_TCK")
NAMES = [f"Module{number:04}" for number in range(MODULES)]


def farm(names):
    """An app server: each hub, a Reactive module, has a manifest that refers to its own list of names. The
    others answer with a page. names: lists by hub."""
    token = b'{"versionToken":"49NNIDchMt9XlrZrEO_H4A"}'
    manifests = {hub: json.dumps({
        "manifest": {"versionToken": "49NNIDchMt9XlrZrEO_H4A", "urlVersions": {}},
        "data": {"modules": {str(i): {"moduleName": name} for i, name in enumerate(listed)}},
    }).encode() for hub, listed in names.items()}

    def answer(request):
        name, _, rest = request.target[1:].partition("/")
        kind = [("Content-Type", "application/json")]
        if name in manifests and rest.startswith("moduleservices/moduleversioninfo"):
            return Answer(200, kind, token)
        if name in manifests and rest.startswith("moduleservices/moduleinfo"):
            return Answer(200, kind, manifests[name])
        return Answer(404 if rest else 200, [("Content-Type", "text/plain")], b"x" * 100)

    server = Backend()
    server.answer = answer
    return server


def body(server, hubs):
    return "".join(f"OSProxyModule {hub} reactive\n" for hub in hubs) + f"ProxyPass / {server.url}/\n"


def processor_time(httpd):
    """Seconds of all children."""
    total = 0
    for pid in httpd.children():
        with open(f"/proc/{pid}/stat") as file:
            total += sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    return total / TICK


def shared_mappings(pid):
    """Sizes of what a process shares, in bytes."""
    with open(f"/proc/{pid}/maps") as file:
        return [int(end, 16) - int(begin, 16) for begin, end, mode in
                re.findall(r"^(\w+)-(\w+) (\S+)", file.read(), re.M) if mode == "rw-s"]


def private_bytes(httpd):
    total = 0
    for pid in httpd.children():
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += 1024 * int(re.search(r"Private_Dirty:\s+(\d+)", file.read())[1])
    return total


def time_of(httpd, requests):
    begin = processor_time(httpd)
    requests()
    return processor_time(httpd) - begin


def rest(httpd):
    """The watcher has done its work: what is measured now is something else, in one child."""
    httpd.watch = "1"
    httpd.reload()
    assert until(lambda: len(httpd.children()) == 1), "the old child ends"


@pytest.fixture
def big(watch):
    """big(names): an httpd that watches such a farm."""
    servers = []

    def run(names, **options):
        servers.append(farm(names))
        return watch(body(servers[-1], names), **options)

    yield run
    for server in servers:
        server.close()


ONE_CHILD = ("StartServers 1\nMaxRequestWorkers 32\nMinSpareThreads 1\nMaxSpareThreads 33\n"
             "MaxKeepAliveRequests 0\n")
LARGEST = {hub: NAMES for hub in NAMES[:HUBS]}


def is_learned(httpd):
    return len(model(httpd)["references"]) == HUBS * (MODULES - 1)


def test_the_largest_farm_fits(big):
    """Its pages are quick, its memory is what it was."""
    httpd = big(LARGEST, mpm_conf=ONE_CHILD)
    assert until(lambda: is_learned(httpd), 60)
    assert len(modules(httpd)) == MODULES and model(httpd)["dropped"] == 0
    # one table, of the size that the page tells, and no other memory that grows with the farm
    size = model(httpd)["bytes"]
    assert size < 8_000_000 and f"The table takes {size / 1e6:.1f} MB" in page(httpd).text
    pids = [httpd.process.pid] + httpd.children()
    assert all(any(size <= one < size + 65536 for one in shared_mappings(pid)) for pid in pids)
    rest(httpd)
    assert "2000 modules are known" in page(httpd).text and len(page(httpd, "?json").body) > 2_000_000
    for query in ("", "?json", "?metrics"):
        took = min(time_of(httpd, lambda: [page(httpd, query) for _ in range(4)]) / 4 for _ in range(3))
        print(f"{query or 'page'}: {took:.3f} s of processor")
        assert took < 0.1, query
    # each page is made from a copy of 5 MB, which goes again; threads keep a little for the next one
    assert private_bytes(httpd) < 100_000_000


def test_a_farm_that_does_not_fit_is_said_to_be_one(big):
    """A manifest tells of 2000 modules at most, so they come from two ends of the list."""
    names = [f"M{number:04}" for number in range(2100)]
    httpd = big({hub: names[:2000] if number % 2 else names[100:] + names[:100]
                 for number, hub in enumerate(names[:12])}, mpm_conf=ONE_CHILD)
    assert until(lambda: len(model(httpd)["references"]) == MOST_REFERENCES, 60)
    have = model(httpd)
    assert len(have["modules"]) == MOST_MODULES and have["dropped"] > 0
    text = page(httpd).text
    assert "not all of it fits:" in text and f"{MOST_MODULES} modules, {MOST_REFERENCES} references" in text
    assert until(lambda: modules(httpd)[names[10]]["checked"]), "the watcher goes on"


def test_requests_cost_the_same_with_many_modules(big):
    """Each request looks up what its module is: one of two thousand as quickly as the only one. In
    instructions: test/bench/bench.py --farm 2000."""
    few = big({NAMES[0]: NAMES[:1]}, rate="60", mpm_conf=ONE_CHILD)
    many = big(LARGEST, mpm_conf=ONE_CHILD)
    assert until(lambda: is_learned(many), 60)
    rest(many)
    costs = {few: [], many: []}

    def requests(httpd, count=400):
        with Connection(httpd.address, secure=True) as connection:
            for number in range(count):
                target = f"/{NAMES[number % MODULES if httpd is many else 0]}/x.js"
                assert connection.request(target).status == 404

    for _ in range(6):
        for httpd, seen in costs.items():
            seen.append(time_of(httpd, lambda: requests(httpd)))
    least = {httpd: min(seen) for httpd, seen in costs.items()}
    assert least[many] < 2 * least[few] + 2 / TICK, costs
