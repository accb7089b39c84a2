"""Graceful restarts while a farm is watched and clients keep asking: nobody crashes, nothing that is known is
lost, nothing is left behind."""
import os
from pathlib import Path

import pytest

from osptest.watching import ask_now, balanced, clients, model, modules, troubles, until, visit

ASKS = [(path, {}) for path in ("/MyApp/", "/Portal/Home.aspx", "/MyApp/scripts/OutSystems.js",
                                "/Portal/_Basic.css", "/ImageRepository/img/logo.png", "/MyMobile/")]
RELOADS = 50
# Stock noise of children that go while connections are open.
NOISE = "AH00045|AH03092|AH03490|AH10159|AH00288|AH02032|AH00286|AH00485"


def mappings(httpd):
    """What the parent shares, each mapping by what it is of: memory, and the locks of processes, which APR
    keeps in such mappings."""
    with open(f"/proc/{httpd.process.pid}/maps") as file:
        return sorted(line.split(None, 5)[5].strip() for line in file if " rw-s " in line)


def kinds_of(names):
    """mod_proxy_balancer's memory has another name in each generation."""
    return sorted("ShM" if name.startswith("/dev/shm/") else name for name in names)


def system_v(httpd):
    """Segments of System V memory that the parent has made."""
    with open("/proc/sysvipc/shm") as file:
        return [line for line in file.readlines()[1:] if int(line.split()[4]) == httpd.process.pid]


def descriptors(httpd):
    return len(os.listdir(f"/proc/{httpd.process.pid}/fd"))


def counted(status):
    """What only ever grows."""
    sites = {site["id"]: site["requests"] for site in status["watch"]["sites"]}
    rules = [rule[word] for vhost in status["vhosts"] for rule in vhost["rules"].values()
             for word in ("acted", "reported", "refused")]
    return [status["watch"]["probes"], status["watch"]["pages"], sum(sites.values()), sum(rules)]


@pytest.fixture(scope="module", params=os.environ.get("OSPROXY_MPMS", "event").split())
def mpm(request):
    """OSPROXY_MPMS="prefork worker" takes others: they reload more slowly."""
    return request.param


def test_reloads_under_load_keep_what_is_known(watch, apps, mpm):
    farm = apps("1")
    httpd = watch("ProxyPass /RichWidgets/ !\n" + balanced(farm), mpm=mpm)
    httpd.end_requests_first()
    httpd.log.allow(NOISE)
    visit(httpd, "/MyApp/")
    visit(httpd, "/Portal/Home.aspx")
    assert until(lambda: modules(httpd).get("MyApp", {}).get("token"))
    assert until(lambda: troubles(httpd, "missing"))
    known = set(modules(httpd))
    began, last = model(httpd)["began"], counted(httpd.status())
    httpd.reload()      # what a first reload adds, stays
    named = set(mappings(httpd))
    shared, open_before, system = kinds_of(mappings(httpd)), descriptors(httpd), system_v(httpd)
    assert "ShM" in shared and len(shared) > 5
    kinds = ["http", "https", "https"] + (["h2"] if mpm != "prefork" else [])
    with clients(httpd, kinds, ASKS, pause=0.01) as running:
        for _ in range(RELOADS):
            httpd.reload()
            named |= set(mappings(httpd))
            status = httpd.status()
            now, have = counted(status), status["watch"]
            assert all(a <= b for a, b in zip(last, now)), (last, now)
            last = now
            assert [one["severity"] for one in have["troubles"]] == ["warning"], have["troubles"]
            assert known <= {one["name"] for one in have["modules"]} and have["began"] == began
        assert until(lambda: min(client.answered for client in running) > 20)
    assert [failure for client in running if client.kind != "h2" for failure in client.failures] == []
    assert {one["kind"] for one in troubles(httpd)} == {"missing"}
    assert httpd.log_text().count("OSP1101: ") == 1 and "OSP1106" not in httpd.log_text()
    # old children end; then the parent has what it had, and the machine as well
    assert until(lambda: kinds_of(mappings(httpd)) == shared and descriptors(httpd) == open_before)
    assert system_v(httpd) == system
    files = {name for name in named if name.startswith("/dev/shm/")} - set(mappings(httpd))
    assert files and [name for name in files if Path(name).exists()] == []
    ask_now(httpd)
    asked = model(httpd)["asked"]
    assert until(lambda: model(httpd)["answered"] >= asked), "the watcher goes on"
    httpd.log.allow(NOISE)
