"""conf.d/recipes/load-balancing.conf on hosts of their own: requests in turn, a server drained and
servers that die, with every request counted.

Bars: nothing is lost by a drain; a crash loses only what was under way on the server that died; no POST
reaches two servers; whoever comes back is asked again by itself.
"""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from lab.process import Process
from load import Load, in_thread
from namespaces import ENDS_WITH_US, Network
from osptest import Connection, ask
from osptest.client import NAME
from osptest.farm import FARM
from osptest.place import TOP
from osptest.wire import Closed
from signed_in import SignedIn, go_home

sys.path.insert(0, str(TOP / "build"))
from drain import Manager  # noqa: E402

NAMES = ("APP1", "APP2", "APP3")
DELAY = 0.1             # seconds of an answer, so that there is something under way
# What mod_proxy says of servers that are not there.
DEAD = "AH00898|AH00957|AH00959|AH01114|AH01102"
WORKERS = 'CustomLog "{}" "%r %{{BALANCER_WORKER_NAME}}e %>s"\n'


class Site:
    """The recipe on a host of its own in front of three app servers on theirs."""

    def __init__(self, network, directory):
        self.network, self.directory = network, directory
        self.proxy, self.client = network["proxy"], network["client"]
        self.hosts = {name: network[name.lower()] for name in NAMES}
        self.apps = {}
        for name in NAMES:
            self.start(name)

    def start(self, name, *options):
        host = self.hosts[name]
        with host.inside():
            self.apps[name] = Process(name, [
                *ENDS_WITH_US, sys.executable, FARM, "--listen", f"{host.address}:80", "--name", name,
                "--delay", DELAY, "--log", *options], log=self.directory / f"{name}.log",
                ready=[(host.address, 80)])

    def stop(self):
        for app in self.apps.values():
            app.stop()

    def log(self, name):
        return (self.directory / f"{name}.log").read_text()

    def served(self):
        """Counter of the numbers of a Load's requests that reached an app server as a whole."""
        return Counter(int(number) for name in NAMES
                       for number in re.findall(r"/Echo/\?number=(\d+) ", self.log(name)))

    def workers(self, asked):
        """The servers that the proxy had chosen for these, by its access log."""
        numbers = {one.number for one in asked}
        lines = re.findall(r"number=(\d+) \S+ http://(\S+) ", (self.directory / "workers.log").read_text())
        names = {host.address: name for name, host in self.hosts.items()}
        return {names[address] for number, address in lines if int(number) in numbers}

    def ask(self, target, **options):
        return ask(self.front.address, "https", target, **options)

    def forget(self):
        for name in (*NAMES, "workers"):
            os.truncate(self.directory / f"{name}.log", 0)

    def load(self, story, **options):
        """The Load, when the story is told."""
        self.forget()
        load = Load(self.front.address, **options)
        with self.client.inside():
            load.run(story)
        return load


def run_drain(site, *words):
    """build/drain.py as an administrator of the proxy calls it; its output."""
    command = [sys.executable, TOP / "build/drain.py", "--domain", NAME,
               "--manager", f"https://{site.front.address}/balancer-manager", "--quiet", "1", *words]
    with site.proxy.inside():
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(serve, tmp_path_factory):
    with Network(proxy=2, app1=11, app2=12, app3=13, client=100) as network:
        # What the recipe names for servers that vanish, in a hurry.
        for name, value in (("retries2", 3), ("keepalive_time", 2), ("keepalive_intvl", 1),
                            ("keepalive_probes", 2)):
            network["proxy"].sysctl(f"net.ipv4.tcp_{name}", value)
        site = Site(network, tmp_path_factory.mktemp("farm"))
        try:
            with site.proxy.inside():
                site.front = serve("load-balancing", address=site.proxy.address, OSP_PING_EVERY="500ms",
                                   before=WORKERS.format(site.directory / "workers.log"), **{
                                       f"OSP_SERVER{number}": network[f"app{number}"].address
                                       for number in (1, 2, 3)})
            site.manager = Manager(f"https://{site.front.address}/balancer-manager", NAME)
            yield site
            site.front.stop()
        finally:
            site.stop()


def everybody_serves(site):
    """As after the tests before: three servers, none of them in error."""
    end = time.monotonic() + 60
    with site.proxy.inside():
        while [member.status.split() for member in site.manager.members()] != [["Init", "Ok"]] * len(NAMES):
            assert time.monotonic() < end, site.manager.members()
            time.sleep(0.1)


@pytest.fixture
def inside(site):
    """The test itself is on the proxy's host."""
    everybody_serves(site)
    with site.proxy.inside():
        yield site


@pytest.fixture
def outside(site):
    everybody_serves(site)
    with site.client.inside():
        yield site


def posts(site, numbers):
    """Each on a connection of its own, all at once: {number: status, or None without an answer}."""
    site.forget()
    answers = {}

    def post(number):
        try:
            answers[number] = site.ask(f"/Echo/?number={number}", method="POST", body=b"x" * 1000).status
        except (OSError, Closed):
            answers[number] = None

    with site.client.inside():
        threads = [threading.Thread(target=post, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
    return answers, threads


# ---- in turn ---------------------------------------------------------------------------------------

def test_servers_are_asked_in_turn_and_nobody_sticks(outside):
    answers = [outside.ask("/Echo/") for _ in range(12)]
    with Connection(outside.front.address, secure=True) as connection:
        answers += [connection.request("/Echo/") for _ in range(12)]
    assert not any(answer.all("Set-Cookie") for answer in answers)
    for part in answers[:12], answers[12:]:
        count = Counter(json.loads(answer.body)["server"] for answer in part)
        assert set(count) == set(NAMES) and max(count.values()) - min(count.values()) <= 2, count


def test_a_cookie_of_a_sticky_balancer_means_nothing(outside):
    fields = [("Cookie", "ROUTEID=.APP1; JSESSIONID=x.APP1; BALANCEID=balancer.APP1")]
    servers = {json.loads(outside.ask("/Echo/", headers=fields).body)["server"] for _ in range(6)}
    assert servers == set(NAMES)


def test_the_manager_is_for_administrators_on_this_machine(outside):
    outside.front.log.allow("AH01630")
    assert outside.ask("/balancer-manager").status == 403
    outside.front.log.allow("AH10187")      # a GET without a Referer: harmless
    with outside.proxy.inside():
        assert b"balancer://apps" in outside.ask("/balancer-manager").body


def test_plain_http_is_sent_to_https(outside):
    answer = ask(outside.front.address, "http", "/MyApp/x?a=b")
    assert (answer.status, answer.get("Location")) == (308, f"https://{NAME}/MyApp/x?a=b")


# ---- maintenance ------------------------------------------------------------------------------------

def test_a_drain_loses_nothing(site):
    everybody_serves(site)
    site.front.log.allow("AH00957: HCOH")       # health checks of a server that is stopped
    with site.client.inside():
        users = SignedIn.crowd(site.front.address, 6)

    async def story(load):
        host = site.hosts["APP1"].address
        output = await in_thread(None, run_drain, site, "--server", host)
        assert "may be stopped" in output
        quiet = site.log("APP1")
        await load.answers(60)
        # Only health checks go there: no request, and nobody who was signed in.
        assert "Echo" not in site.log("APP1")[len(quiet):] and "WinAuth" not in site.log("APP1")[len(quiet):]
        site.apps["APP1"].stop()
        await load.answers(60)
        site.start("APP1")
        await in_thread(None, run_drain, site, "--server", host, "--state", "enable")
        await load.answers(10, "APP1")

    load = site.load(story)
    go_home(users)
    assert load.lost == [], load.told()
    assert set(site.served().values()) == {1} and not any(one.repeated for one in load.asked)
    assert sum((user.servers for user in users), Counter())["APP1"] > 0


def test_a_drain_waits_for_a_slow_answer(site):
    everybody_serves(site)
    site.apps["APP1"].stop()
    site.start("APP1", "--delay", "3")
    site.front.log.allow("AH00957")
    everybody_serves(site)
    answers, threads = posts(site, range(3000, 3006))
    end = time.monotonic() + 20
    while "number=3" not in site.log("APP1"):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert "may be stopped" in run_drain(site, "--server", site.hosts["APP1"].address)
    assert len(answers) == 6 and set(answers.values()) == {200}
    for thread in threads:
        thread.join(30)
    site.apps["APP1"].stop()
    site.start("APP1")
    run_drain(site, "--server", site.hosts["APP1"].address, "--state", "enable")


def test_a_member_that_is_disabled_is_told_by_name(inside):
    listed = inside.hosts["APP3"].address
    run_drain(inside, "--server", listed, "--state", "disable")
    assert re.search(rf"http://{listed} Init Dis", run_drain(inside))
    run_drain(inside, "--server", listed, "--state", "enable")
    done = subprocess.run([sys.executable, TOP / "build/drain.py", "--domain", NAME, "--server", "nobody",
                           "--manager", f"https://{inside.front.address}/balancer-manager"],
                          capture_output=True, text=True)
    assert done.returncode == 2 and "no balancer has a member nobody" in done.stderr


# ---- crashes ----------------------------------------------------------------------------------------

def judge(site, load, name, begin, end):
    """Only what was under way on this server when it died is lost; no POST reached two servers."""
    late = [one for one in load.lost if not one.under_way(begin, end)]
    assert not late, f"{late}\n{load.told()}"
    assert site.workers(load.lost) <= {name}, load.told()
    served = site.served()
    twice = [one for one in load.asked if one.method == "POST" and served[one.number] > 1]
    assert not twice, twice
    assert all(served[one.number] for one in load.asked if not one.lost)


def test_a_killed_server_loses_what_was_under_way_on_it(site):
    """And it is not asked again before its page says the word."""
    everybody_serves(site)
    site.front.log.allow(DEAD)
    moments = []

    async def story(load):
        await load.answers(10, "APP2")
        moments.append(time.monotonic())
        site.apps["APP2"].send(signal.SIGKILL)
        site.apps["APP2"].popen.wait()
        moments.append(time.monotonic())
        await load.answers(60)
        began = len(site.log("APP2"))
        site.start("APP2", "--ping", "out of order")
        while site.log("APP2")[began:].count("_ping.html") < 2:
            await load.answers(10)
        assert "Echo" not in site.log("APP2")[began:]
        site.apps["APP2"].stop()
        site.start("APP2")
        await load.answers(10, "APP2")

    judge(site, site.load(story), "APP2", *moments)


def test_a_server_cut_off_loses_what_was_under_way_on_it(site):
    everybody_serves(site)
    site.front.log.allow(DEAD)
    moments = []
    site.hosts["APP3"].sysctl("net.ipv4.tcp_orphan_retries", 1)

    async def story(load):
        await load.answers(10, "APP3")
        moments.append(time.monotonic())
        site.hosts["APP3"].down()
        moments.append(time.monotonic())
        site.apps["APP3"].send(signal.SIGKILL)      # of which nobody hears
        while not all(one.ended for one in load.asked if one.began < moments[1] + 3):
            await load.answers(10)
        site.start("APP3")
        site.hosts["APP3"].up()
        await load.answers(10, "APP3")

    load = site.load(story)
    judge(site, load, "APP3", *moments)
    assert any(one.repeated for one in load.asked), "nobody noticed"


# ---- POST -------------------------------------------------------------------------------------------

def test_a_post_that_a_hung_server_does_not_take_is_sent_to_another_one(site):
    everybody_serves(site)
    site.front.log.allow(DEAD)
    site.apps["APP1"].send(signal.SIGSTOP)
    answers, threads = posts(site, range(1000, 1009))
    for thread in threads:
        thread.join(60)
    site.apps["APP1"].send(signal.SIGCONT)
    assert set(answers.values()) == {200} and len(answers) == 9
    served = site.served()
    assert [served[number] for number in answers] == [1] * 9
    assert not any(f"number={number} " in site.log("APP1") for number in answers)


def test_a_post_that_a_server_took_is_sent_to_nobody_else(site):
    everybody_serves(site)
    site.front.log.allow(DEAD)
    site.apps["APP2"].stop()
    site.start("APP2", "--delay", "20")
    everybody_serves(site)
    answers, threads = posts(site, range(2000, 2006))
    end = time.monotonic() + 20
    while not (taken := re.findall(r"number=(2\d+) ", site.log("APP2"))) or len(answers) + len(taken) < 6:
        assert time.monotonic() < end
        time.sleep(0.02)
    site.apps["APP2"].send(signal.SIGKILL)
    for thread in threads:
        thread.join(60)
    served = site.served()
    assert {number for number in answers if answers[number] != 200} == set(map(int, taken))
    assert [served[number] for number in answers] == [1] * 6
    site.start("APP2")
    everybody_serves(site)
