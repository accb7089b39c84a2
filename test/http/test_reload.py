"""Graceful restarts under load with every rule on: no request fails, counters survive."""
import os
import threading
import time

import pytest

from osptest import Answer, Connection, H2Connection, both
from osptest.conf import ssl_proxy
from osptest.h2client import StreamReset
from osptest.wire import Closed

RELOADS = 6
LOAD = {"http": 2, "https": 2, "h2": 1}


def site(farm, head="OSProxyEngine On"):
    body = ssl_proxy() + f"CacheEnable disk /\nProxyPreserveHost Off\n"
    if head:
        body += ("OSProxyModule React reactive\nOSProxyModule Trad traditional\n"
                 "OSProxyInternal 10.0.0.0/8\nOSProxyDomain apps.example.com\n")
    body += f"ProxyPass /tls/ {farm['https'].url}/tls/\nProxyPass / {farm['http'].url}/\n"
    return lambda address: both(address, body, head=head)


def app_server(request):
    if "401" in request.target:
        offers = [("WWW-Authenticate", name) for name in ("Negotiate", "NTLM", 'Basic realm="x"')]
        return Answer(401, offers, b"x" * 2000)
    return Answer(200, [("Cache-Control", "max-age=60")], b"x" * 2000)


class Client(threading.Thread):
    """Asks over and over. A connection that httpd closes while idle is opened anew, as a browser
    does; an answer that breaks off, a refused connection or a wrong status is a failure. Over
    HTTP/2 stock httpd also closes connections it has just taken while it reloads: there a request
    may be asked twice more before it counts as failed."""
    PATHS = ("/U/%7E//x", "/tls/x", "/U/401", "/Trad/x.js")

    def __init__(self, httpd, kind, stop, paths=PATHS):
        super().__init__(daemon=True)
        self.httpd, self.kind, self.stop, self.paths = httpd, kind, stop, paths
        self.asked, self.failures, self.connection = 0, [], None
        self.start()

    def connect(self):
        if self.kind == "h2":
            return H2Connection(self.httpd.address)
        return Connection(self.httpd.address, secure=self.kind == "https", timeout=30)

    def close(self):
        if self.connection:
            self.connection.sock.close()
        self.connection = None

    def run(self):
        while not self.stop.is_set():
            path = self.paths[self.asked % len(self.paths)]
            answer = self.answer_to(path)
            wanted = 401 if "401" in path else 200
            if answer and (answer.status, len(answer.body)) != (wanted, 2000):
                self.failures.append(f"{path}: {answer.status}, {len(answer.body)} bytes")
            self.asked += 1
            if not answer or self.asked % 10 == 0 \
                    or "close" in (answer.get("Connection") or "").lower():
                self.close()
        self.close()

    def answer_to(self, path):
        """The answer, or None after a failure."""
        attempts = 3 if self.kind == "h2" else 1
        while True:
            fresh = self.connection is None
            try:
                self.connection = self.connection or self.connect()
                return self.connection.request(path)
            except (Closed, OSError, StreamReset) as problem:
                self.close()
                attempts -= fresh
                if attempts <= 0 or (isinstance(problem, Closed) and problem.args[0]):
                    self.failures.append(f"{path}: {problem!r}")
                    return None


def reload_under_load(httpd, farm, mpm, paths):
    farm["http"].answer = farm["https"].answer = app_server
    stop = threading.Event()
    clients = [Client(httpd, kind, stop, paths) for kind, count in LOAD.items()
               for _ in range(count) if mpm != "prefork" or kind != "h2"]
    time.sleep(0.2)
    for _ in range(RELOADS):
        httpd.reload()
        time.sleep(0.1)
    end = time.monotonic() + 20     # a busy machine gets its time
    while sum(client.asked for client in clients) <= 20 and time.monotonic() < end:
        time.sleep(0.05)
    stop.set()
    for client in clients:
        client.join(40)
    return sum(client.asked for client in clients), [
        f"{client.kind}: {failure}" for client in clients for failure in client.failures]


@pytest.mark.parametrize("kind", ["module", "plain_httpd"])
def test_no_request_fails_while_httpd_reloads(start, mpm, farm, kind):
    head = "OSProxyEngine On" if kind == "module" else ""
    httpd = start(site(farm, head), module=kind == "module")
    # Stock noise of children that go while connections are open.
    httpd.allow_log("OSP|AH00045|AH03092|AH03490|AH10159|AH00288|AH02032")
    # Plain httpd with ProxyPreserveHost Off does not accept the app server's certificate.
    paths = [path for path in Client.PATHS if kind == "module" or path != "/tls/x"]
    asked, failures = reload_under_load(httpd, farm, mpm, paths)
    assert asked > 20
    assert failures == []


def test_counters_survive_reloads(start, farm):
    httpd = start(site(farm))
    with httpd.counting("preserve-host") as count:
        for round in range(4):
            for _ in range(5):
                assert httpd.ask("http", "/U/x").status == 200
            if round < 3:
                httpd.reload()
    assert count.all == {"acted": 20, "reported": 0, "refused": 0}


def test_counters_of_a_site_survive_the_coming_and_going_of_others(start, farm):
    httpd = start(site(farm))
    address, url = httpd.address, farm["http"].url
    first = site(farm)(address)

    def named(name):
        return both(address, f"ProxyPass / {url}/\n", name=f"{name}.example.com")

    with httpd.counting("preserve-host") as count:
        for conf in (named("before") + first, first + named("behind"), first):
            httpd.reload(conf)
            for _ in range(3):
                assert httpd.ask("http", "/U/x", host="apps.example.com").status == 200
    assert count.acted == 9


def test_all_children_count_together(start, farm, mpm):
    httpd = start(site(farm))
    assert len(httpd.children()) > 1
    threads = []
    with httpd.counting("forwarded-proto") as count:
        for _ in range(8):
            thread = threading.Thread(
                target=lambda: [httpd.ask("http", "/U/x") for _ in range(10)])
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(30)
    assert count.acted == 80


def test_reloads_leak_nothing_in_the_parent(start, farm):
    httpd = start(site(farm))

    def held():
        pid = httpd.process.pid
        with open(f"/proc/{pid}/maps") as file:
            maps = sum(1 for line in file if "/dev/zero" in line or "SYSV" in line
                       or "osproxy" in line)
        return len(os.listdir(f"/proc/{pid}/fd")), maps

    for _ in range(2):
        httpd.reload()
    before = held()
    for _ in range(8):
        httpd.reload()
    assert held() == before


def test_a_reload_switches_rules_on_and_off(start, farm, backend):
    httpd = start(site(farm, "OSProxyEngine Off"))
    hosts = []
    for head in ("OSProxyEngine Off", "OSProxyEngine On", "OSProxyEngine Off"):
        httpd.reload(site(farm, head)(httpd.address))
        for _ in range(4):
            assert httpd.ask("http", "/U/x").status == 200
        hosts.append({request.get("Host") for request in backend.requests})
        backend.requests.clear()
    assert hosts == [{backend.address}, {"apps.example.com"}, {backend.address}]


def test_a_reload_into_the_wrong_load_order_keeps_the_server_up(start, farm):
    """A finding never takes a running server down; rules stand still and the log says so."""
    httpd = start(site(farm))
    httpd.before_proxy = True
    httpd.expect_log("OSP0001")
    httpd.reload()
    assert httpd.ask("http", "/U/x").status == 200
    httpd.before_proxy = False
    httpd.reload()
    with httpd.counting("preserve-host") as count:
        assert httpd.ask("http", "/U/x").status == 200
    assert count.acted == 1


def test_an_upgraded_connection_lives_through_a_reload(start, farm, mpm):
    url = farm["http"].url
    httpd = start(lambda address: both(address, f"ProxyPass / {url}/ upgrade=websocket\n"))
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    with Connection(httpd.address) as connection:
        assert connection.request("/chat", headers=upgrade).status == 101
        httpd.reload()
        connection.send(b"still here")
        assert connection.reader.exactly(10) == b"still here"
