"""conf.d/recipes/several-front-ends.conf and the files of mod_osproxy/docs/several-front-ends.md, on hosts
of their own: two front ends, two machines with HAProxy and keepalived, clients who know the floating
address only.
"""
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics import parser

from lab.process import Process
from load import Load, in_thread
from namespaces import ENDS_WITH_US, Network
from osptest import Connection, ask, raw
from osptest.client import encode
from osptest.farm import FARM
from osptest.place import TOP
from osptest.wire import Closed
from signed_in import SignedIn, go_home

DOC = TOP / "mod_osproxy/docs/several-front-ends.md"
STATUS = TOP / "mod_osproxy/docs/status.md"
FLOATING = "10.77.0.50"
FRONTS = {"10.77.0.11:80", "10.77.0.12:80"}


def fenced(language, page=DOC):
    """One of the files of the documentation."""
    return re.search(rf"```{language}\n(.*?)```", page.read_text(), re.S)[1]


def file_of(language):
    """The same with the addresses of these hosts."""
    return fenced(language).replace("192.0.2.", "10.77.0.")


def balancer(host, directory):
    """HAProxy and keepalived on a host."""
    directory.mkdir()
    for name, language in (("haproxy.cfg", "haproxy"), ("keepalived.conf", "keepalived")):
        (directory / name).write_text(file_of(language).replace("/run/haproxy/", f"{directory}/"))
        (directory / name).chmod(0o644)
    with host.inside():
        yield Process("haproxy", [*ENDS_WITH_US, shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f",
                                  directory / "haproxy.cfg"], log=directory / "haproxy.log",
                      ready=[(host.address, 80), (host.address, 443), ("127.0.0.1", 8081)])
        yield Process("keepalived", [
            *ENDS_WITH_US, shutil.which("keepalived") or "/usr/sbin/keepalived", "--dont-fork", "--vrrp",
            "--log-console", "--use-file", directory / "keepalived.conf", "--pid", directory / "pid",
            "--vrrp_pid", directory / "vrrp.pid"], log=directory / "keepalived.log")


def drain(site, name):
    """Takes a front end out as the page says, on both balancers."""
    for directory in site.directories:
        for farm in ("http", "https"):
            with socket.socket(socket.AF_UNIX) as admin:
                admin.connect(str(directory / "admin.sock"))
                admin.sendall(f"set server {farm}/{name} state drain\n".encode())
                assert admin.recv(1000).strip() == b""


def holder(site):
    """The balancer that has the floating address; there is one of them at most."""
    found = [host for host in site.balancers if FLOATING in host.addresses()]
    assert len(found) < 2
    return found[0] if found else None


def await_holder(site, *others):
    end = time.monotonic() + 30
    while not (host := holder(site)) or host in others:
        assert time.monotonic() < end, "nobody takes the floating address"
        time.sleep(0.1)
    return host


class Prometheus(Process):
    """On a host, with the file of the documentation; only that it asks every second. It takes some seconds
    until it does: a test waits for what it needs."""

    def __init__(self, host, folder):
        self.host = host
        (folder / "prometheus.yml").write_text("global: {scrape_interval: 1s}\n" + file_of("yaml"))
        with host.inside():
            super().__init__("prometheus", [
                *ENDS_WITH_US, "prometheus", f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data", f"--web.listen-address={host.address}:9090"],
                log=folder / "prometheus.log")

    def query(self, text):
        """{instance, or None where all are added up: value}; None before it is ready."""
        url = f"http://{self.host.address}:9090/api/v1/query?{urlencode({'query': text})}"
        try:
            with self.host.inside(), urllib.request.urlopen(url, timeout=10) as answer:
                found = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as problem:
            if problem.code != 503:
                raise
            return None
        return {one["metric"].get("instance"): float(one["value"][1]) for one in found}

    def await_answer(self, text, wanted):
        end = time.monotonic() + 30
        while (found := self.query(text)) != wanted:
            assert time.monotonic() < end, f"{text}: {found}, not {wanted}\n{self.tail()}"
            time.sleep(0.05)

    def catch_up(self):
        """Until it has asked every front end after this moment, and has had an answer."""
        self.await_answer(f"timestamp(up) >bool {time.time()} and up == 1", dict.fromkeys(FRONTS, 1))


@pytest.fixture(scope="module")
def site(serve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with Network(front1=11, front2=12, balancer1=21, balancer2=22, app=31, monitor=90,
                 client1=101, client2=102) as network:
        site = SimpleNamespace(network=network, processes=[], fronts=[], log=folder / "app.log",
                               balancers=[network["balancer1"], network["balancer2"]],
                               clients=[network["client1"], network["client2"]])
        app = network["app"]
        try:
            with app.inside():
                site.processes.append(Process("APP1", [
                    *ENDS_WITH_US, sys.executable, FARM, "--listen", f"{app.address}:80", "--name", "APP1",
                    "--delay", "0.02", "--log"], log=site.log, ready=[(app.address, 80)]))
            for number in (1, 2):
                host = network[f"front{number}"]
                with host.inside():
                    site.fronts.append(serve(
                        "several-front-ends", address=host.address, OSP_SERVER=app.address,
                        OSP_MONITOR=network["monitor"].address, before="OSProxyModule MyApp reactive\n"))
            (folder / "prometheus").mkdir()
            site.prometheus = Prometheus(network["monitor"], folder / "prometheus")
            site.processes.append(site.prometheus)
            # HAProxy takes servers for alive until it has seen that they are not.
            site.directories = [folder / f"balancer{number}" for number in (1, 2)]
            for host, directory in zip(site.balancers, site.directories):
                site.processes += balancer(host, directory)
            await_holder(site)
            yield site
        finally:
            for process in reversed(site.processes):
                process.stop()


def status(site, number):
    """The live page of a front end, as its administrator sees it."""
    with site.network[f"front{number + 1}"].inside():
        return site.fronts[number].status()


# ---- who asks ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("client", ["http", "https"])
def test_the_app_server_learns_the_address_of_each_client(site, client):
    for host in site.clients:
        with host.inside():
            for _ in range(4):      # by either front end
                answer = ask(FLOATING, client, "/Echo/", headers=[("X-Forwarded-For", "203.0.113.9")])
                fields = {name.lower(): value for name, value in json.loads(answer.body)["headers"]}
                assert fields["x-forwarded-for"] == host.address
                assert fields["x-forwarded-proto"] == client


def test_nobody_gets_in_beside_the_balancer_without_saying_who(site):
    for front in site.fronts:
        front.log.allow("AH03507")
    with site.clients[0].inside(), pytest.raises((Closed, OSError)):
        raw(site.fronts[0].address, encode("/Echo/"), timeout=10)


def test_a_client_cannot_announce_another_address(site):
    with site.clients[0].inside():
        answer = raw(FLOATING, b"PROXY TCP4 203.0.113.9 10.77.0.50 1234 80\r\n" + encode("/Echo/"))
    assert answer.status == 400


def test_plain_http_is_sent_to_https_once(site):
    with site.clients[0].inside():
        answer = ask(FLOATING, "http", "/MyApp/")
        assert (answer.status, answer.get("Location")) == (308, "https://apps.example.com/MyApp/")
        assert ask(FLOATING, "https", "/MyApp/").status == 200


# ---- Windows authentication ---------------------------------------------------------------------------

def test_users_sign_in_through_the_balancer_and_are_never_mixed(site):
    before = [status(site, number)["pins"] for number in (0, 1)]
    with site.clients[0].inside():
        users = SignedIn.crowd(FLOATING, 8)
    with site.clients[1].inside():
        with Connection(FLOATING, secure=True) as stranger:
            answers = [ask(FLOATING, "https", "/WinAuth/").status for _ in range(10)]
            answers += [stranger.request("/WinAuth/").status for _ in range(20)]
    end = time.monotonic() + 30
    while any(sum(user.servers.values()) <= 5 for user in users) and time.monotonic() < end:
        time.sleep(0.05)
    after = [status(site, number)["pins"] for number in (0, 1)]
    go_home(users)
    assert set(answers) == {401}
    # Connections of both front ends were signed in, each of them once: what follows needs no credentials.
    opened = [now["opened"] - then["opened"] for then, now in zip(before, after)]
    assert min(opened) > 0 and sum(opened) == len(users)


# ---- watching all of them -----------------------------------------------------------------------------

def test_prometheus_asks_each_front_end_tells_them_apart_and_adds_them_up(site):
    prometheus = site.prometheus
    acted = 'osproxy_rule_acted_total{rule="forwarded-proto"}'
    prometheus.catch_up()
    before = prometheus.query(f"sum by (instance) ({acted})")
    assert set(before) == FRONTS
    # Three requests on one connection: one front end counts them, the other nothing.
    with site.clients[0].inside(), Connection(FLOATING, secure=True) as connection:
        for _ in range(3):
            assert connection.request("/Echo/").status == 200
    prometheus.catch_up()
    assert prometheus.query(f"sum({acted})") == {None: sum(before.values()) + 3}
    after = prometheus.query(f"sum by (instance) ({acted})")
    assert sorted(after[instance] - before[instance] for instance in after) == [0, 3]


def test_the_queries_of_the_documentation_answer_and_the_alarms_among_them_are_silent(site):
    site.prometheus.catch_up()
    table = re.search(r"\| question \| query \|\n(.*?)\n\n", DOC.read_text(), re.S)[1]
    queries = re.findall(r"`(.+?)`", table)
    assert len(queries) == 5
    assert {query: found for query in queries if (found := site.prometheus.query(query))} == \
        {"sum(osproxy_pins_open)": {None: 0}}


@pytest.mark.parametrize("page", [DOC, STATUS])
def test_promtool_accepts_the_documented_configuration(page, tmp_path):
    path = tmp_path / "prometheus.yml"
    path.write_text(fenced("yaml", page))
    done = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_has_nothing_against_names_and_help(site):
    """It reads the older text format only, not OpenMetrics, which Prometheus asks for: put into that first."""
    with site.network["monitor"].inside():
        answer = ask(site.fronts[0].address, "http", "/osproxy-status?metrics")
    families = list(parser.text_string_to_metric_families(answer.text))
    text = generate_latest(SimpleNamespace(collect=lambda: families))
    assert len(families) > 20 and b"osproxy_rule_acted_total{" in text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_metrics_are_for_the_monitor_only(site):
    with site.clients[0].inside():
        for front in site.fronts:
            front.log.allow("AH01630")
        assert ask(FLOATING, "http", "/osproxy-status?metrics").status == 403


# ---- what comes and goes ------------------------------------------------------------------------------

def test_clients_go_on_when_the_address_moves_and_a_front_end_stops(site):
    """The machine that has the address loses its cable; later a front end is stopped for maintenance."""
    moments = []
    for front in site.fronts:
        front.log.allow("AH00045|AH03092|AH10159")
    with site.clients[1].inside():
        users = SignedIn.crowd(FLOATING, 2, tries=3)

    async def story(load):
        first = holder(site)
        moments.append(time.monotonic())
        first.down()
        await in_thread(None, await_holder_of, site, first)
        moments.append(time.monotonic())
        await load.answers(40)
        drain(site, "front2")
        await load.answers(20)
        site.fronts[1].process.send_signal(signal.SIGWINCH)
        site.fronts[1].process.wait(60)     # worker and prefork keep what is idle for KeepAliveTimeout
        await load.answers(40)

    # Nobody hears from the dead machine: clients wait, and ask again, as people do.
    load = Load(FLOATING, users=8, patience=10)
    with site.clients[0].inside():
        load.run(story)
    go_home(users)
    wasted = [one for one in load.wasted(site.log.read_text()) if not one.under_way(*moments)]
    assert not wasted, f"{moments}\n{load.told()}"
    assert sum(one.began > moments[1] and one.server != "" for one in load.asked) >= 80
    site.prometheus.await_answer('up{job="osproxy"} == 0', {"10.77.0.12:80": 0})


def await_holder_of(site, first):
    """Until the other machine has the address: the one without a cable keeps it."""
    other, = (host for host in site.balancers if host is not first)
    end = time.monotonic() + 30
    while FLOATING not in other.addresses():
        assert time.monotonic() < end, "nobody takes the floating address"
        time.sleep(0.1)
