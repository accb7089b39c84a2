"""Tests of the watchers: farms, an httpd that watches, what it knows, clients that keep asking."""
import contextlib
import time
from itertools import cycle
from threading import Event, Thread

import pytest
from h2.errors import ErrorCodes

from .client import Connection, ask
from .conf import both
from .farm import Farm
from .h2client import H2Connection, StreamReset
from .httpd import Httpd
from .wire import Closed

NAMED = 30          # seconds in which a fault must be named
NEWS = r"OSP110[1-6]|AH00957|AH00959|AH01114|AH01102|AH00898"      # what is found; app servers come and go here


@pytest.fixture
def apps(tmp_path):
    """apps("1", "1"): a farm of two servers of that version."""
    farms = []

    def run(*versions):
        farms.append(Farm(tmp_path, *versions))
        return farms[-1]

    yield run
    for farm in farms:
        farm.stop()


@pytest.fixture
def watch(apps):
    """watch(body, mpm=): an httpd that watches, its log open to what it is to find; it ends before the
    app servers do. body: of one site on both ports, or a function that makes all of the configuration
    of the httpd."""
    with contextlib.ExitStack() as stack:
        def run(body, mpm="event", rate="6000", head="OSProxyEngine On", **options):
            httpd = Httpd(mpm, watch=rate, **options)
            httpd.conf = body(httpd) if callable(body) else both(httpd.address, body, head=head)
            stack.enter_context(httpd)
            httpd.log.allow(NEWS)
            stack.callback(httpd.log.allow, NEWS)       # until it ends
            return httpd
        yield run


def balanced(farm, more=""):
    members = "".join(f"BalancerMember {url} {more}\n" for url in farm.urls)
    return f"<Proxy balancer://apps>\n{members}</Proxy>\nProxyPass / balancer://apps/\n"


def model(httpd):
    return httpd.status()["watch"]


def troubles(httpd, kind=None):
    return [trouble for trouble in model(httpd)["troubles"] if kind in (None, trouble["kind"])]


def modules(httpd):
    return {module["name"]: module for module in model(httpd)["modules"]}


def page(httpd, query=""):
    return ask(httpd.control, "http", "/osproxy-status" + query)


def until(condition, limit=NAMED):
    """Waits for it; its value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.3)


def visit(httpd, path, **fields):
    return ask(httpd.address, "https", path, **fields)


def seen_all(httpd, *names):
    """Whether these modules have been asked for."""
    have = modules(httpd)
    return all(name in have and have[name]["checked"] for name in names)


def ask_now(httpd):
    """A check on demand."""
    assert page(httpd, "?check").status == 200


class Client(Thread):
    """Asks over and over, some requests on each connection: what users and robots send. asks: pairs of
    a target and further arguments of request(). An answer that breaks off, or a 5xx, is a failure."""

    def __init__(self, httpd, kind, asks, stop, pause=0.0):
        super().__init__(daemon=True)
        self.httpd, self.kind, self.stop, self.pause = httpd, kind, stop, pause
        self.asks = cycle(asks)
        self.answered, self.failures, self.fresh = 0, [], True
        self.start()

    def connect(self):
        if self.kind == "h2":
            return H2Connection(self.httpd.address)
        return Connection(self.httpd.address, secure=self.kind == "https")

    def run(self):
        while not self.stop.is_set():
            try:
                self.some_requests()
            except (Closed, OSError, StreamReset) as problem:
                # A connection may end while it is idle; HTTP/1.1 is needed to sign in.
                if problem.args[0] not in (b"", ErrorCodes.HTTP_1_1_REQUIRED) and self.fresh:
                    self.failures.append(repr(problem))

    def some_requests(self):
        self.fresh = True
        with self.connect() as connection:
            for _ in range(8):
                target, fields = next(self.asks)
                answer = connection.request(target, **fields)
                self.answered += 1
                self.fresh = False
                if answer.status >= 500:
                    self.failures.append(f"{target}: {answer.status}")
                if self.stop.wait(self.pause) or "close" in (answer.get("Connection") or "").lower():
                    return


@contextlib.contextmanager
def clients(httpd, kinds, asks, pause=0.0):
    """Clients of these kinds; they end with the block, which may look at them."""
    stop = Event()
    running = [Client(httpd, kind, asks, stop, pause) for kind in kinds]
    try:
        yield running
    finally:
        stop.set()
        for client in running:
            client.join(30)
