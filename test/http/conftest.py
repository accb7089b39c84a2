"""Fixtures and order: one server per test file and MPM, its tests together, in parallel by that."""
import os
import sys
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from osptest import Backend, H2Backend, Httpd, httpd as httpd_code, module_path
from osptest.place import MPMS
from osptest.ways import WAYS, ways_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from osptest.watching import apps, watch  # noqa: E402, F401
from lab.fixtures import front_of, lab, own_front, scripted, second  # noqa: E402, F401

CLIENTS = ("http", "https", "h2")
# The long waiters first, so that they do not end alone.
FIRST = ("test_keep_alive.py", "test_reload.py", "test_pinned_auth_chaos.py", "test_status_browser.py",
         "test_watch_reload.py", "test_watch.py", "test_watch_clean.py", "test_watch_sites.py")


# Rules that look at one request at a time: event is asked everything, prefork every second question, and
# worker, which differs from event in how it waits for connections, every fourth; --whole asks all of all.
SAMPLED = ("test_negotiate.py", "test_forwarded_proto.py", "test_preserve_host.py", "test_path_unchanged.py",
           "test_no_cache.py", "test_engine.py", "test_config.py", "test_domain_https.py", "test_internal.py",
           "test_default_ports.py", "test_status.py", "test_pinned_auth_ways.py",
           "test_pinned_auth_credentials.py")
EVERY = {"worker": 4, "prefork": 2}


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="ask every MPM everything")


def pytest_configure(config):
    config.addinivalue_line("markers", "only(mpm, ...): the MPMs that a test is for")
    if os.getuid() != 0:
        raise pytest.UsageError("these tests start httpd on ports 80 and 443: run them as root")
    if not module_path().exists():
        raise pytest.UsageError(f"{module_path()} is missing: run make first")


def _server_of(nodeid):
    """The file and the MPM of a test: what shares a server."""
    path, _, rest = nodeid.partition("::")
    words = rest.partition("[")[2].rstrip("]").split("-")
    return path, next((mpm for mpm in MPMS if mpm in words), "")


class ByServer(LoadScopeScheduling):
    def _split_scope(self, nodeid):
        return "@".join(_server_of(nodeid))


def pytest_xdist_make_scheduler(config, log):
    return ByServer(config, log)


def _possible(item):
    callspec = getattr(item, "callspec", None)
    only = item.get_closest_marker("only")
    if only and callspec and callspec.params.get("mpm") not in (None, *only.args):
        return False    # its reason stands at the mark
    if not callspec or callspec.params.get("mpm") != "prefork":
        return True
    way = callspec.params.get("way", "")
    return callspec.params.get("client") != "h2" and (way not in WAYS or bool(
        ways_for("prefork", [way])))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    # mod_http2 refuses prefork, so there is no such test.
    items[:] = [item for item in items if _possible(item)]
    if not config.getoption("whole"):
        for mpm, every in EVERY.items():
            sampled = [item for item in items if item.path.name in SAMPLED
                       and _server_of(item.nodeid)[1] == mpm]
            left_out = {id(item) for number, item in enumerate(sampled) if number % every}
            items[:] = [item for item in items if id(item) not in left_out]
    names = list(dict.fromkeys(item.path.name for item in items))
    names.sort(key=lambda name: name not in FIRST)
    items.sort(key=lambda item: (names.index(item.path.name), _server_of(item.nodeid)[1]))


@pytest.fixture(scope="module", params=MPMS)
def mpm(request):
    return request.param


@pytest.fixture(params=CLIENTS)
def client(request):
    return request.param


# Names that the app servers' certificates are for: those of the sites under test.
NAMES = ("apps.example.com", "www.example.com", "*.wild.example.com", "domain.example.com")


@pytest.fixture(scope="module")
def farm():
    """App servers by the scheme of their URL."""
    servers = {"http": Backend(), "https": Backend(names=NAMES),
               "h2c": H2Backend(), "h2": H2Backend(names=NAMES)}
    yield servers
    for server in servers.values():
        server.close()


@pytest.fixture
def backend(farm):
    """The http app server."""
    return farm["http"]


@pytest.fixture(scope="module")
def start(mpm):
    """Starts an httpd for the tests of a file: start(function of its address, **options)."""
    started = []

    def run(conf, **options):
        httpd = Httpd(mpm, **options)
        httpd.conf = conf(httpd.address) if callable(conf) else conf
        started.append(httpd)
        httpd.__enter__()
        return httpd

    yield run
    problems = []
    for httpd in started:
        try:
            if httpd.process:
                httpd.stop()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.fixture(autouse=True)
def _fresh_backends(request):
    """Every back end among the test's fixtures forgets the test before."""
    for name in request.fixturenames:
        if name not in ("request", "_fresh_backends", "_error_log"):
            value = request.getfixturevalue(name)
            for server in value.values() if isinstance(value, dict) else [value]:
                if hasattr(server, "reset"):
                    server.reset()


@pytest.fixture(autouse=True)
def _error_log(_fresh_backends, request):
    """The error log of every running server is part of the test."""
    yield
    problems = []
    callspec = getattr(request.node, "callspec", None)
    for server in list(httpd_code.running):
        if callspec and callspec.params.get("way") == "SetHandler":
            server.log.allow("OSP0503")     # it changes the path, which is said once a minute
        found = server.log.check()
        if found:
            problems.append(found)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the error logs of its servers."""
    report = (yield).get_result()
    if report.failed and call.when == "call":
        for server in list(httpd_code.running):
            if server.log.recent():
                report.sections.append((f"httpd {server.mpm}", server.log.text()))


def pytest_sessionfinish():
    for server in list(httpd_code.running):
        server.cleanup()
