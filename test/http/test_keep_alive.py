"""keep-alive: idle client connections last 30 s or more, in the header and on the wire.

The idle waits run side by side in one test for each MPM: it takes as long as its longest.
"""
import threading
import time

import pytest

from osptest import Connection, H2Connection, Httpd, addresses, both, vhost

LONGER = 31         # OSProxyKeepAlive of one site, and as long as anybody waits
ON = "OSProxyEngine On"
REASON = 'OSProxyRule keep-alive off "a test"'

# A site on an address of its own: (head, body, seconds that an idle connection lasts).
# 99 is "longer than we wait".
SITES = {
    "inherited": (ON, "", 30),
    "short": (ON, "KeepAliveTimeout 2", 30),
    "half_a_second": (ON, "KeepAliveTimeout 500ms", 30),
    "zero": (ON, "KeepAliveTimeout 0", 30),
    "keep_alive_off": (ON, "KeepAlive Off", 30),
    "own_floor": (ON, f"OSProxyKeepAlive {LONGER}", LONGER),
    "longer_stands": (ON, "KeepAliveTimeout 120", 99),
    "header_timeout": (ON, "RequestReadTimeout handshake=3 header=4 body=5", 30),
    "report": ("OSProxyEngine Report", "", 5),
    "rule_off": (ON, REASON, 5),
    "engine_off": ("", "KeepAliveTimeout 7", 7),
}
# httpd sends the header Keep-Alive to those who ask, as browsers do.
ASK = [("Connection", "keep-alive")]
KEPT = {name: seconds for name, (_, _, seconds) in SITES.items()}


def server(mpm, farm, main="", sites=SITES, module=True):
    """An httpd with each site on an address of its own, and name -> address."""
    where = {name: addresses.next() for name in sites}
    conf = main + "\n"
    for name, (head, body, _) in sites.items():
        conf += f"Listen {where[name]}:80\nListen {where[name]}:443\n"
        body += f"\nProxyPass / {farm['http'].url}/\n"
        conf += both(where[name], body, head=head, name=f"{name.replace('_', '-')}.example.com")
    starts = "StartServers 48\n" if mpm == "prefork" else ""
    return Httpd(mpm, conf, module=module, mpm_conf=starts), where


class Idle(threading.Thread):
    """Opens a connection, makes one request, then waits until the server closes."""

    def __init__(self, label, kind, address, host, expected):
        super().__init__(daemon=True)
        self.label, self.kind, self.address, self.host = label, kind, address, host
        self.expected = expected
        self.problem = "did not come to an end"
        self.start()

    def run(self):
        try:
            self.problem = self.wait()
        except Exception as problem:                        # shown by the test
            self.problem = repr(problem)

    def open(self):
        kind, _, without_sni = self.kind.partition(" ")
        sni = None if without_sni else self.host
        if kind == "h2":
            return H2Connection(self.address, sni=sni)
        return Connection(self.address, secure=kind == "https", sni=sni)

    def wait(self):
        with self.open() as connection:
            # From before the request: however late this thread reads, idle time is no shorter.
            start = time.monotonic()
            answer = connection.request("/", host=self.host,
                                        headers=() if self.kind[:2] == "h2" else ASK)
            if answer.status != 200:
                return f"status {answer.status}"
            if self.kind[:2] != "h2" and self.expected < 99:
                header = answer.get("Keep-Alive") or ""
                if f"timeout={self.expected}" not in header.split(", "):
                    return f"header Keep-Alive: {header!r}"
            limit = LONGER if self.expected == 99 else self.expected + 5
            closed = connection.wait_for_close(limit) < limit
            lasted = time.monotonic() - start
        if self.expected == 99:
            return f"closed after {lasted:.1f} s" if closed else None
        if closed and lasted >= self.expected - 0.1:
            return None
        return f"{'closed' if closed else 'open'} after {lasted:.1f} s, not {self.expected}"


def finish(waiters):
    for waiter in waiters:
        waiter.join(60)
    problems = [f"{w.label} over {w.kind}: {w.problem}" for w in waiters if w.problem]
    assert not problems, "\n".join(problems)


def waiters_for(where, mpm, mark="", kept=KEPT):
    kinds = ("http", "https") + (("h2",) if mpm != "prefork" else ())
    return [Idle(name + mark, kind, where[name], f"{name.replace('_', '-')}.example.com",
                 seconds)
            for name, seconds in kept.items() for kind in kinds]


def first_vhost_site(address, farm):
    """Two names on one address; only the second has the engine."""
    conf = f"Listen {address}:80\nListen {address}:443\n"
    body = f"KeepAliveTimeout 3\nProxyPass / {farm['http'].url}/\n"
    conf += both(address, body, head="", name="first.example.com")
    return conf + both(address, body, head=ON, name="second.example.com")


def test_idle_connections_last_30_s_on_the_wire(mpm, farm):
    first = addresses.next()
    httpd, where = server(mpm, farm, first_vhost_site(first, farm))
    # A main server that switches keep-alive off, with sites that inherit it.
    off, off_where = server(mpm, farm, "KeepAlive Off\n",
                            {"main_off": (ON, "", 30), "main_off_own": (ON, "KeepAlive On", 30)})
    zero, zero_where = server(mpm, farm, "KeepAliveTimeout 0\n", {"main_zero": (ON, "", 30)})
    # The engine in the main server, once reloaded before anybody connects.
    again, again_where = server(mpm, farm, "OSProxyEngine On\nKeepAliveTimeout 1\n",
                                {"reloaded": ("", "", 30),
                                 "reloaded_own": ("", "KeepAliveTimeout 2", 30)})
    with httpd, off, zero, again:
        again.reload()
        httpd.allow_log("OSP0102")      # the site with Engine Report
        waiters = waiters_for(where, mpm)
        for running, places in ((off, off_where), (zero, zero_where), (again, again_where)):
            waiters += waiters_for(places, mpm, kept=dict.fromkeys(places, 30))
        waiters += [Idle("second name", kind, first, "second.example.com", 30)
                         for kind in ("http", "https", "https without SNI")
                     + (("h2", "h2 without SNI") if mpm != "prefork" else ())]
        finish(waiters)


def test_plain_httpd_closes_after_5_s_and_earlier(mpm, farm):
    sites = {"inherited": ("", "", 5), "short": ("", "KeepAliveTimeout 2", 2)}
    httpd, where = server(mpm, farm, sites=sites, module=False)
    with httpd:
        finish(waiters_for(where, mpm, kept={"inherited": 5, "short": 2}))


# ---- what needs no waiting

@pytest.fixture(scope="module")
def front(mpm, farm):
    sites = {f"max_{n}": (ON, f"MaxKeepAliveRequests {n}", 30) for n in (0, 1, 3, 4, 7)}
    sites["directory"] = ("", "<Location />\nOSProxyEngine On\n</Location>", 5)
    sites["mode_off"] = (ON, REASON, 5)
    sites["mode_report"] = (ON, "OSProxyRule keep-alive report", 5)
    sites["raised"] = (ON, "", 30)
    sites["fine"] = (ON, "KeepAliveTimeout 45", 45)
    httpd, where = server(mpm, farm, sites=sites)
    httpd.where = where
    with httpd:
        yield httpd


def requests_served(front, name, most=12):
    """httpd counts what follows the first request: MaxKeepAliveRequests 4 serves 5."""
    with Connection(front.where[name]) as connection:
        host = f"{name.replace('_', '-')}.example.com"
        for count in range(1, most + 1):
            answer = connection.request("/", host=host)
            if "close" in (answer.get("Connection") or "").lower():
                return count
    return most


@pytest.mark.parametrize("written,served", [(4, 5), (7, 8), (0, 12), (1, 12), (3, 12)])
def test_max_keep_alive_requests_stands_unless_it_cuts_a_sign_in(front, written, served):
    assert requests_served(front, f"max_{written}") == served


def test_a_client_that_wants_to_close_is_let_go(front):
    with Connection(front.where["raised"]) as connection:
        answer = connection.request("/", host="raised.example.com",
                                    headers=[("Connection", "close")])
        assert answer.get("Connection") == "close"
        assert connection.wait_for_close(3) < 2.5


def test_http_1_0_keeps_alive_only_when_asked(front):
    with Connection(front.where["raised"]) as connection:
        answer = connection.request("/", host="raised.example.com", version="1.0",
                                    headers=[("Connection", "keep-alive")])
        assert "timeout=30" in answer.get("Keep-Alive")
        answer = connection.request("/", host="raised.example.com", version="1.0")
        assert connection.wait_for_close(3) < 2.5


def test_the_status_page_says_what_was_done(front):
    for name, expected in {"raised": ("enforce", 1, 0), "mode_report": ("report", 0, 1),
                           "mode_off": ("off", 0, 0), "fine": ("enforce", 0, 0)}.items():
        row = front.rule(f"{name.replace('_', '-')}.example.com", "keep-alive")
        assert (row["mode"], row["acted"], row["reported"]) == expected, name


def header_of(front, name):
    with Connection(front.where[name]) as connection:
        answer = connection.request("/", host=f"{name.replace('_', '-')}.example.com", headers=ASK)
        return answer.get("Keep-Alive")


def test_headers_of_sites_that_are_not_enforced_stay_plain(front):
    for name in ("mode_off", "mode_report"):
        assert header_of(front, name).startswith("timeout=5"), name
    assert header_of(front, "raised").startswith("timeout=30")
    assert header_of(front, "fine").startswith("timeout=45")


def test_the_engine_in_a_directory_alone_does_not_raise(front):
    """The time-out belongs to a virtual host; a section cannot have one."""
    assert header_of(front, "directory").startswith("timeout=5")


def test_a_reload_with_another_floor_takes_effect(mpm, farm):
    address = addresses.next()
    httpd = Httpd(mpm)

    def conf(seconds):
        body = f"OSProxyKeepAlive {seconds}\nProxyPass / {farm['http'].url}/\n"
        return f"Listen {address}:80\n" + vhost(address, body)

    with httpd:
        for seconds in (31, 44, 30):
            httpd.reload(conf(seconds))
            with Connection(address) as connection:
                assert f"timeout={seconds}" in connection.request("/", headers=ASK).get("Keep-Alive")
